"""The masks of pictures, kept one by one: a run that was killed goes on with those that are not there.

A picture's labels and matte are one grey PNG, the one above the other. It appears when it is complete.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import OutputError
from ..files.atomic import atomic_file
from ..frames import Pixels
from ..sinks.images.png import png


class PictureStore:
    """Masks by the position of their picture in the set.

    Args:
        folder: made when the first picture is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __contains__(self, position: int) -> bool:
        return self._path(position).is_file()

    def write(self, position: int, labels: Pixels, matte: Pixels) -> None:
        """Keep the masks of a picture.

        Args:
            position: of the picture.
            labels: (H, W) uint8.
            matte: (H, W) uint8, how much of each pixel the object covers.

        Raises:
            OutputError: they cannot be written.
        """
        with atomic_file(self._path(position)) as temporary:
            temporary.write_bytes(png(np.concatenate([labels, matte])))

    def read(self, position: int) -> tuple[Pixels, Pixels]:
        """The labels and the matte of a picture, (H, W) uint8 each.

        Raises:
            OutputError: they cannot be read.
        """
        path = self._path(position)
        try:
            with Image.open(path) as image:
                both = np.array(image)
        except (OSError, ValueError, SyntaxError) as error:
            raise OutputError(f"{path}: cannot be read; remove it and give the same command again") from error
        height = len(both) // 2
        return both[:height], both[height:]

    def _path(self, position: int) -> Path:
        return self.folder / f"{position:07d}.png"

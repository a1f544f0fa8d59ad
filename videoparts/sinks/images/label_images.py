"""One palette image a frame, as the DAVIS data set has them: its numbers are the labels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...clock import StageClock
from ...files.atomic import AtomicFolder
from ...frames import Pixels
from ...masks import PartMasks
from ...painting.palette import palette, palette_png
from ..frame_sink import FrameSink
from .png import is_our_png, png

FOLDER = "davis"


class LabelImages(FrameSink):
    """Writes ``<folder>/<name>/<frame>.png``: mode P, number = label, 0 = black background, colours as in the overlay.

    A frame's name is its file's stem in a folder of frames, else its five-digit number in the source. The folder
    appears when the ``with`` ends without exception; one of an earlier run is replaced, one that holds
    anything else is left alone.

    Args:
        folder: made if missing.
        colours: (P+1, 3) uint8, the colour of each label; None: `palette()`.
        name: of the folder with the pictures, in ``folder``.
        inputs: files and folders that must not be written over.
        clock: counts the time of "write".

    Raises:
        OutputError: the folder cannot be written or holds other files, two frames have one name, or no frame came.
    """

    def __init__(
        self,
        folder: Path | str,
        colours: Pixels | None = None,
        *,
        name: str = FOLDER,
        inputs: Iterable[Path] = (),
        clock: StageClock | None = None,
    ) -> None:
        path = Path(folder) / name
        self._folder = AtomicFolder(path, is_our_png)
        super().__init__(path, [self._folder], inputs)
        self._palette = palette_png(palette() if colours is None else colours)
        self._clock = clock or StageClock()

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        with self._clock.stage("write"):
            (self._folder.temporary / f"{stem}.png").write_bytes(png(masks.labels[i], self._palette))

"""The object of each frame: a black and white picture, or the object itself, cut out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...files.atomic import AtomicFolder
from ...frames import VideoInfo
from ...masks import Part, PartMasks
from ..frame_sink import FrameSink
from .photograph import save_photograph
from .png import is_our_png, png

OBJECT, CUTOUTS = "object", "cutouts"


class _OneFolder(FrameSink):
    """Writes ``<folder>/<name>/<frame>.png``."""

    def __init__(self, folder: Path, like: VideoInfo, name: str) -> None:
        path = Path(folder) / name
        self._folder = AtomicFolder(path, is_our_png)
        super().__init__(path, [self._folder], [like.path])

    def _file(self, stem: str) -> Path:
        return self._folder.temporary / f"{stem}.png"


class ObjectImages(_OneFolder):
    """Writes ``<folder>/object/<frame>.png``: 8-bit grey, 255 where there is any part, else 0.

    The folder appears when the ``with`` ends without exception; one of an earlier run is replaced, one that holds
    anything else is left alone.

    Raises:
        OutputError: the folder cannot be written or holds other files, two frames have one name, or no frame came.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        super().__init__(folder, like, OBJECT)

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        self._file(stem).write_bytes(png(np.where(masks.labels[i] > 0, 255, 0).astype(np.uint8)))


class Cutouts(_OneFolder):
    """Writes ``<folder>/cutouts/<frame>.png``: RGBA, the frame's colours with the sum of the mattes as alpha.

    Appears as `ObjectImages` does, and raises the same.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        super().__init__(folder, like, CUTOUTS)
        self._parts = len(parts)

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        alpha = masks.mattes_of(self._parts)[i].sum(0, dtype=np.uint8)  # 255 at most
        save_photograph(self._file(stem), np.dstack([masks.frames.pixels[i], alpha]))

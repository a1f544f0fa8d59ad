"""One grey image a frame for each part: how much of each pixel the part covers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...files.atomic import AtomicFolder
from ...frames import VideoInfo
from ...masks import Part, PartMasks
from ..formats import part_stem
from ..frame_sink import FrameSink
from .png import is_our_png, png

FOLDER = "mattes"


class MatteImages(FrameSink):
    """Writes ``<folder>/mattes/<part>/<frame>.png``: 8-bit grey, the values of `PartMasks.mattes`.

    A part's folder is called by `part_stem`. The folders appear together when the ``with`` ends without exception.
    Those of an earlier run are replaced; those of parts that this run does not write stay, and one that holds
    anything else is left alone.

    Raises:
        OutputError: a folder cannot be written or holds other files, two frames have one name, or no frame came.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        path = Path(folder) / FOLDER
        self._folders = [AtomicFolder(path / part_stem(part), is_our_png) for part in parts]
        super().__init__(path, self._folders, [like.path])

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        mattes = masks.mattes_of(len(self._folders))[i]
        for folder, matte in zip(self._folders, mattes, strict=True):
            (folder.temporary / f"{stem}.png").write_bytes(png(matte))

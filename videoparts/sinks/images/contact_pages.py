"""Contact sheets of pictures of any sizes: each small, and beside it its parts on a checkerboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ...config import OverlaySettings
from ...files.atomic import AtomicFolder
from ...frames import Pixels, VideoInfo
from ...masks import Part, PartMasks, colour_table
from ...painting.overlay import side_by_side
from ..frame_sink import FrameSink

FOLDER = "contact"
PER_PAGE = 48
_FEW = 12  # frames or fewer are shown larger
_GAP = 8
_QUALITY = 85
_MARK = b"videoparts"  # a comment in every page, by which a later run knows that it may be replaced
_PAPER = 255


class ContactPages(FrameSink):
    """Writes ``<folder>/contact/001.jpg`` and so on, 48 frames a page, in the order in which they come.

    The folder appears when the ``with`` ends without exception; one of an earlier run is replaced, one that holds
    anything else is left alone. Memory: one page.

    Raises:
        OutputError: the folder cannot be written or holds other files, two frames have one name, or no frame came.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        path = Path(folder) / FOLDER
        self._folder = AtomicFolder(path, _is_ours)
        super().__init__(path, [self._folder], [like.path])
        self._colours = colour_table(parts)
        few = like.frames is not None and like.frames <= _FEW
        self._columns, self._cell = (2, 320) if few else (4, 160)  # pixels of each half, either way, at most
        self._cells: list[Pixels] = []
        self._pages = 0

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        self._cells.append(_cell(masks.frames.pixels[i], masks.labels[i], self._colours, self._cell))
        if len(self._cells) == PER_PAGE:
            self._turn()

    def _end(self) -> None:
        if self._cells:
            self._turn()

    def _turn(self) -> None:
        self._pages += 1
        path = self._folder.temporary / f"{self._pages:03d}.jpg"
        Image.fromarray(_page(self._cells, self._columns, self._cell)).save(
            path, "JPEG", quality=_QUALITY, subsampling=0, comment=_MARK
        )
        self._cells = []


def _cell(pixels: Pixels, labels: Pixels, colours: Pixels, side: int) -> Pixels:
    """A picture, and beside it its parts: (h, 2 w, 3), h and w at most ``side``."""
    height, width = labels.shape
    scale = min(1.0, side / height, side / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    marks = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), dtype=np.uint8)
    both = side_by_side(small[None], marks[None], colours, OverlaySettings().alpha, 1)
    return np.asarray(both[0])


def _page(cells: Sequence[Pixels], columns: int, side: int) -> Pixels:
    """Cells in rows, each row as high as its highest."""
    columns = min(columns, len(cells))
    width = _GAP + columns * (2 * side + _GAP)
    rows = []
    for first in range(0, len(cells), columns):
        some = cells[first : first + columns]
        row = np.full((max(map(len, some)) + _GAP, width, 3), _PAPER, np.uint8)
        for k, cell in enumerate(some):
            left = _GAP + k * (2 * side + _GAP)
            row[: len(cell), left : left + cell.shape[1]] = cell
        rows.append(row)
    return np.concatenate([np.full((_GAP, width, 3), _PAPER, np.uint8), *rows])


def _is_ours(path: Path) -> bool:
    if path.suffix != ".jpg":
        return False
    try:
        with Image.open(path) as image:
            return bool(image.info.get("comment") == _MARK)
    except OSError:
        return False

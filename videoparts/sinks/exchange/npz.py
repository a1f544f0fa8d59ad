"""One NumPy archive a frame: labels, mattes, names and time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...files.archives import write_npz
from ...files.atomic import AtomicFolder
from ...frames import VideoInfo
from ...masks import Part, PartMasks
from ..frame_sink import FrameSink

FOLDER = "npz"
_MARK = b"videoparts"  # the archive's comment, by which a later run knows that it may be replaced


class Npz(FrameSink):
    """Writes ``<folder>/npz/<frame>.npz``, to be read with ``numpy.load``, no pickle in it.

    ============= ================= ====================================================================
    ``labels``    (H, W) uint8      0 background, else the number of a part
    ``mattes``    (K, H, W) uint8   how much of each pixel a part covers, together at most 255
    ``numbers``   (K,) int64        the label of each matte
    ``names``     (K,) text         the name of each matte
    ``index``     () int64          the frame's position in the source
    ``pts``       () int64          its time in ticks of the time base
    ``time_base`` (2,) int64        seconds a tick: numerator and denominator
    ============= ================= ====================================================================

    The folder appears when the ``with`` ends without exception; one of an earlier run is replaced, one that holds
    anything else is left alone.

    Raises:
        OutputError: the folder cannot be written or holds other files, two frames have one name, or no frame came.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        path = Path(folder) / FOLDER
        self._folder = AtomicFolder(path, _is_ours)
        super().__init__(path, [self._folder], [like.path])
        self._numbers = np.array([part.number for part in parts], np.int64)
        self._names = np.array([part.name for part in parts], np.str_)

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        base = masks.frames.time_base
        arrays: dict[str, npt.NDArray[Any]] = {
            "labels": masks.labels[i],
            "mattes": masks.mattes_of(len(self._numbers))[i],
            "numbers": self._numbers,
            "names": self._names,
            "index": masks.frames.index[i],
            "pts": masks.frames.pts[i],
            "time_base": np.array([base.numerator, base.denominator], np.int64),
        }
        write_npz(self._folder.temporary / f"{stem}.npz", arrays, _MARK)


def _is_ours(path: Path) -> bool:
    if path.suffix != ".npz":
        return False
    with path.open("rb") as file:
        return file.seek(0, io.SEEK_END) >= len(_MARK) and _ends_with_mark(file)


def _ends_with_mark(file: io.BufferedReader) -> bool:
    file.seek(-len(_MARK), io.SEEK_END)
    return file.read() == _MARK

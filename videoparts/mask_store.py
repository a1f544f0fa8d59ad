"""The masks of a run, kept so that they can be written again: in other formats, edited, or after the run was killed.

A store is a folder of pieces, ``masks-<first frame>.npz``, of some frames each. A piece appears when it is complete,
and what does not depend on chance is the same in every piece: a run that goes on after the last of them ends with the
same files as one that was never stopped. Labels are kept with all parts, hidden ones too, and as they were found.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .atomic import atomic_file
from .errors import OutputError
from .frames import Pixels
from .masks import PartMasks

_PIECE = 64  # frames, and
_LARGEST = 64 << 20  # bytes of labels and mattes that a piece holds at most
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # of every member: the same arrays give the same bytes
_LEVEL = 1  # of zlib: labels are flat, more effort gains little


@dataclass(frozen=True, repr=False)
class KeptFrame:
    """What is kept of one frame."""

    index: int  # its position in the whole source
    pts: int
    labels: Pixels  # (H, W) uint8
    matte: Pixels  # (H, W) uint8: how much of each pixel the object covers


class MaskStore:
    """Write the frames in order, then `close`; or read them.

    Args:
        folder: made when the first piece is written.
        name: what the pieces' names begin with.

    Raises:
        OutputError: the folder cannot be read.
    """

    def __init__(self, folder: Path, name: str = "masks") -> None:
        self.folder = folder
        self._name = name
        self._waiting: list[KeptFrame] = []
        self.frames = 0  # in complete pieces
        for first, path in self._pieces():
            if first != self.frames:  # what follows a gap cannot be used
                break
            self.frames = first + len(_read(path, ("index",))["index"])

    def write(self, masks: PartMasks) -> None:
        """Take the masks of the next frames; they have `PartMasks.matte`."""
        assert masks.matte is not None
        for i, labels in enumerate(masks.labels):
            frames = masks.frames
            self._waiting.append(KeptFrame(int(frames.index[i]), int(frames.pts[i]), labels, masks.matte[i]))
            most = max(1, min(_PIECE, _LARGEST // (2 * labels.size)))
            if len(self._waiting) >= most:
                self.close()

    def close(self) -> None:
        """Write what waits, as the last piece.

        Raises:
            OutputError: it cannot be written.
        """
        some = self._waiting
        if not some:
            return
        labels, matte = np.stack([one.labels for one in some]), np.stack([one.matte for one in some])
        save_arrays(
            self.folder / f"{self._name}-{self.frames:07d}.npz",
            {
                "index": np.array([one.index for one in some]),
                "pts": np.array([one.pts for one in some]),
                "size": np.array(labels.shape[1:]),
                **_runs("labels", labels),
                **_runs("edge", matte ^ _hard(labels)),  # 0 but at the outline
            },
        )
        self.frames += len(some)
        self._waiting = []

    def read(self, first: int = 0) -> Iterator[KeptFrame]:
        """The kept frames from the ``first`` on.

        Raises:
            OutputError: a piece cannot be read.
        """
        at = 0
        for start, path in self._pieces():
            if start != at:
                break
            arrays = _read(path, ("index", "pts"))
            at = start + len(arrays["index"])
            if at <= first:
                continue
            arrays |= _read(path, ("size", *_names("labels"), *_names("edge")))
            shape = (len(arrays["index"]), *arrays["size"].tolist())
            labels, edge = (_from_runs(name, arrays, shape) for name in ("labels", "edge"))
            matte = edge ^ _hard(labels)
            for k in range(max(0, first - start), len(labels)):
                yield KeptFrame(int(arrays["index"][k]), int(arrays["pts"][k]), labels[k], matte[k])

    def _pieces(self) -> list[tuple[int, Path]]:
        """The pieces there are, by their first frame."""
        paths = self.folder.glob(f"{self._name}-*.npz") if self.folder.is_dir() else ()
        numbered = ((path.stem[len(self._name) + 1 :], path) for path in paths)
        return sorted((int(first), path) for first, path in numbered if first.isdecimal())


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a ``.npz`` file that `numpy.load` reads without pickle: quickly, and the same bytes for the same arrays.

    Raises:
        OutputError: it cannot be written; nothing is left under its name.
    """
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _ZIP_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            member._compresslevel = _LEVEL  # type: ignore[attr-defined]  # its name until Python 3.13
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def _read(path: Path, names: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise OutputError(f"{path}: cannot be read ({error}); remove it and run the command again") from error


def _names(name: str) -> tuple[str, str]:
    return f"{name}_value", f"{name}_length"


def _runs(name: str, planes: Pixels) -> dict[str, npt.NDArray[Any]]:
    """Planes (n, H, W) as runs of equal values: a fifth of the time that zlib takes for all pixels."""
    flat = planes.ravel()
    start = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    return dict(zip(_names(name), (flat[start], np.diff(start, append=flat.size).astype(np.uint32)), strict=True))


def _from_runs(name: str, arrays: Mapping[str, npt.NDArray[Any]], shape: tuple[int, ...]) -> Pixels:
    value, length = (arrays[one] for one in _names(name))
    return np.asarray(np.repeat(value, length), dtype=np.uint8).reshape(shape)


def _hard(labels: Pixels) -> Pixels:
    """The matte of labels, as if no pixel were covered in part."""
    return np.where(labels > 0, 255, 0).astype(np.uint8)

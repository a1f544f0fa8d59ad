"""The masks of a run, kept so that they can be written again: in other formats, edited, or after the run was killed.

A store is a folder of pieces, ``masks-<first frame>.npz``, of some frames each. A piece appears when it is complete,
and what does not depend on chance is the same in every piece: a run that goes on after the last of them ends with the
files as one that was never stopped. Labels are kept as they were found, with all parts, hidden ones too. Chances, of
which parts may be divided later, take some 20 kB a frame: a hundredth of the features that they come from.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..equal_runs import equal_runs
from ..errors import OutputError
from ..files.archives import write_npz
from ..files.atomic import atomic_file
from ..frames import Pixels
from ..masks import PartMasks
from ..reports.joints import Joint

_PIECE = 16  # frames: what a run that is killed has to do again, at most;
_LARGEST = 64 << 20  # bytes of labels and mattes that a piece holds at most
_STEPS = 255  # of a chance
_COUNTS = ("pairs_each", "pairs", "triples_each", "triples")


@dataclass(frozen=True, eq=False, repr=False)
class KeptFrame:
    """What is kept of one frame."""

    index: int  # its position in the whole source
    pts: int
    labels: Pixels  # (H, W) uint8
    matte: Pixels  # (H, W) uint8: how much of each pixel the object covers
    joint: Joint  # with the frames before it
    chances: npt.NDArray[np.float16] | None = None  # (h, w, L + 1), see `PartMasks.chances`


class MaskStore:
    """Write the frames in order, then `close`; or read them.

    Args:
        folder: made when the first piece is written.
        name: what the pieces' names begin with.
        first: how many frames another store has.

    Raises:
        OutputError: the folder cannot be read.
    """

    def __init__(self, folder: Path, name: str = "masks", *, first: int = 0) -> None:
        self.folder = folder
        self._name = name
        self._waiting: list[KeptFrame] = []
        self.frames = first  # and those in complete pieces
        for start, path in self._pieces():
            if start != self.frames:  # what follows a gap cannot be used
                break
            self.frames = start + len(_read(path, ("index",))["index"])

    def write(self, masks: PartMasks, joints: Sequence[Joint]) -> None:
        """Take the masks of the next frames, which have `PartMasks.matte`, with their joints."""
        assert masks.matte is not None
        frames, chances = masks.frames, masks.chances
        for i, (labels, matte, joint) in enumerate(zip(masks.labels, masks.matte, joints, strict=True)):
            more = None if chances is None else chances[i]
            self._waiting.append(KeptFrame(int(frames.index[i]), int(frames.pts[i]), labels, matte, joint, more))
            if len(self._waiting) >= piece_length(masks.frames.size):
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
        arrays = {
            "index": np.array([one.index for one in some]),
            "pts": np.array([one.pts for one in some]),
            "size": np.array(labels.shape[1:]),
            **_runs("labels", labels),
            **_runs("edge", matte ^ _hard(labels)),  # 0 but at the outline
            "cut": np.array([one.joint.cut for one in some]),
            "pairs_each": np.array([len(one.joint.pairs) for one in some]),
            "pairs": np.concatenate([one.joint.pairs for one in some]),
            "triples_each": np.array([len(one.joint.triples) for one in some]),
            "triples": np.concatenate([one.joint.triples for one in some]),
        }
        chances = [one.chances for one in some if one.chances is not None]
        if chances:
            # Parts one after the other: each is 0 in most of the frame.
            planes = np.stack(chances).transpose(0, 3, 1, 2).astype(np.float32)
            arrays["chances"] = np.rint(planes * _STEPS).astype(np.uint8)
        with atomic_file(self.folder / f"{self._name}-{self.frames:07d}.npz") as temporary:
            write_npz(temporary, arrays)
        self.frames += len(some)
        self._waiting = []

    def indices(self) -> Iterator[tuple[int, list[int]]]:
        """Of each piece: how many frames lie before it, and the positions of its frames in the whole source.

        Raises:
            OutputError: a piece cannot be read.
        """
        for start, path in self._pieces():
            yield start, _read(path, ("index",))["index"].tolist()

    def clear(self) -> None:
        """Remove all pieces, to begin anew."""
        for _, path in self._pieces():
            path.unlink(missing_ok=True)
        self.frames, self._waiting = 0, []

    def read(self, first: int = 0, *, chances: bool = False) -> Iterator[KeptFrame]:
        """The kept frames from the ``first`` on.

        Args:
            first: how many to leave out.
            chances: whether they are wanted, where they were kept.

        Raises:
            OutputError: a piece cannot be read.
        """
        at = 0
        for start, path in self._pieces():
            if start != at:
                break
            arrays = _read(path, ("index", "pts"))
            at = start + len(arrays["index"])
            if at > first:
                names = ("size", *_names("labels"), *_names("edge"), "cut", *_COUNTS)
                arrays |= _read(path, names, ("chances",) if chances else ())
                yield from _frames(arrays)[max(0, first - start) :]

    def _pieces(self) -> list[tuple[int, Path]]:
        """The pieces there are, by their first frame."""
        paths = self.folder.glob(f"{self._name}-*.npz") if self.folder.is_dir() else ()
        numbered = ((path.stem[len(self._name) + 1 :], path) for path in paths)
        return sorted((int(first), path) for first, path in numbered if first.isdecimal())


def piece_length(size: tuple[int, int]) -> int:
    """How many frames of (height, width) a piece holds; the last of a clip may hold fewer."""
    return max(1, min(_PIECE, _LARGEST // (2 * size[0] * size[1])))


def _frames(arrays: Mapping[str, npt.NDArray[Any]]) -> list[KeptFrame]:
    """The frames of a piece."""
    count = len(arrays["index"])
    shape = (count, *arrays["size"].tolist())
    labels, edge = (_from_runs(name, arrays, shape) for name in ("labels", "edge"))
    matte = edge ^ _hard(labels)
    pairs, triples = (np.split(arrays[name], arrays[f"{name}_each"].cumsum()[:-1]) for name in ("pairs", "triples"))
    steps = arrays.get("chances")
    return [
        KeptFrame(
            int(arrays["index"][k]),
            int(arrays["pts"][k]),
            labels[k],
            matte[k],
            Joint(bool(arrays["cut"][k]), pairs[k], triples[k]),
            None if steps is None else _chances(steps[k]),
        )
        for k in range(count)
    ]


def _chances(steps: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
    """(L + 1, h, w) rounded chances to (h, w, L + 1) that add up to 1."""
    chances = steps.transpose(1, 2, 0).astype(np.float32)
    return np.asarray(chances / np.maximum(chances.sum(-1, keepdims=True), 1), dtype=np.float16)


def _read(path: Path, names: Sequence[str], if_there: Sequence[str] = ()) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in (*names, *(name for name in if_there if name in arrays))}
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise OutputError(
            f"{path}: cannot be read; remove it and run videoparts masks again, into another folder if "
            "edits.json is there"
        ) from error


def _names(name: str) -> tuple[str, str]:
    return f"{name}_value", f"{name}_length"


def _runs(name: str, planes: Pixels) -> dict[str, npt.NDArray[Any]]:
    """Planes (n, H, W) as runs of equal values: a fifth of the time that zlib takes for all pixels."""
    values, lengths = equal_runs(planes.ravel())
    return dict(zip(_names(name), (values, lengths.astype(np.uint32)), strict=True))


def _from_runs(name: str, arrays: Mapping[str, npt.NDArray[Any]], shape: tuple[int, ...]) -> Pixels:
    value, length = (arrays[one] for one in _names(name))
    return np.asarray(np.repeat(value, length), dtype=np.uint8).reshape(shape)


def _hard(labels: Pixels) -> Pixels:
    """The matte of labels, as if no pixel were covered in part."""
    return np.where(labels > 0, 255, 0).astype(np.uint8)

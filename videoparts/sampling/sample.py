"""What pass 1 keeps of the sampled frames: the common ground of finding the object and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..clustering import Floats
from ..frames import Pixels
from ..sources.selection import spread
from .motion import Motion

_A_MAP = 200  # patches of a frame, as 10 x 19, that still show where an object ends

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False, repr=False)
class FrameSample:
    """One sampled frame: its patches, or every other row and column of them, as maps."""

    descriptors: Floats  # (h, w, D) unit length
    tokens: Floats  # (h, w, D2), see `Features.tokens`
    saliency: Floats  # (h, w) 1 is the mean of the frame
    paper_saliency: Floats  # (h, w) 0..1 within the frame, as the paper takes it
    aspect: float  # height over width of the frame
    motion: Motion = field(default_factory=Motion)  # to the frames next to it
    seed: npt.NDArray[np.bool_] | None = None  # (h, w): where the user has said the object is
    clip: int = 0  # which of the sources it is of
    step: int = 1  # of so many rows and columns of the clip's own sample one is left
    small: Pixels | None = None  # (y, x, 3): the frame itself, as it is looked at from afar
    evidence: npt.NDArray[np.float64] | None = None  # (h, w): where its clip alone has it that the object may be,
    mark: npt.NDArray[np.bool_] | None = None  # (h, w): and where it has it that the object is

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w)."""
        return self.saliency.shape[0], self.saliency.shape[1]

    def thinned(self, most: int) -> FrameSample:
        """Rows and columns of the frame, so few that about ``most`` patches are left at most; without its motion and
        the small picture."""
        step = thinning(self.shape, most)
        rows, columns = (every(length, step) for length in self.shape)

        def thin(plane: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
            return np.array(plane[rows, columns])  # a copy: of the whole no more is kept

        return replace(
            self,
            descriptors=thin(self.descriptors),
            tokens=thin(self.tokens),
            saliency=thin(self.saliency),
            paper_saliency=thin(self.paper_saliency),
            motion=Motion(),
            small=None,
            seed=None if self.seed is None else thin(self.seed),
            step=self.step * step,
            evidence=None if self.evidence is None else thin(self.evidence),
            mark=None if self.mark is None else thin(self.mark),
        )


def thinning(shape: tuple[int, int], most: int) -> int:
    """Of how many rows and columns one is to be left, for about ``most`` of (h, w) patches."""
    return max(1, int(np.ceil((shape[0] * shape[1] / most) ** 0.5)))


def every(length: int, step: int) -> slice:
    """Every so many of ``length`` rows or columns: the middles of equal stretches, one at least."""
    return slice(min(step // 2, length // 2), None, step)


def share_of(frames: Sequence[FrameSample], most: int) -> list[FrameSample]:
    """About ``most`` patches of a clip's frames: few frames whose shapes can be told, rather than crumbs of all."""
    few = max(1, min(len(frames), most // _A_MAP))
    return [frames[i].thinned(max(1, most // few)) for i in spread(range(len(frames)), few)] if frames else []


class Sample:
    """The sampled frames of one or more clips, their patches one after the other."""

    def __init__(self, frames: list[FrameSample]) -> None:
        self.frames = frames
        self.saliency = np.concatenate([f.saliency.ravel() for f in frames])
        sizes = [f.saliency.size for f in frames]
        self.frame = np.repeat(np.arange(len(frames)), sizes)  # (n,) which frame a patch is of
        self.place = np.concatenate([_places(f) for f in frames])  # (n, 2) down and right, in widths of the frame
        self.border = np.concatenate([_border(f.shape) for f in frames])  # (n,) whether it is one along the border
        # (n,) whether it is painted on the screen
        self.on_screen = np.concatenate([f.motion.on_screen(f.shape).ravel() for f in frames])
        # (n,) whether motion tells anything of it
        self.followed = np.concatenate([f.motion.followed(f.shape).ravel() for f in frames])
        self._ends = np.cumsum(sizes)[:-1]

    def __len__(self) -> int:
        return len(self.saliency)

    @cached_property
    def descriptors(self) -> Floats:
        """(n, D)."""
        return _rows([f.descriptors for f in self.frames])

    @cached_property
    def tokens(self) -> Floats:
        """(n, D2)."""
        return _rows([f.tokens for f in self.frames])

    def descriptors_of(self, marks: npt.NDArray[np.bool_]) -> Floats:
        """Those of the patches that are marked (n,): less to put together than `descriptors`, most of the time."""
        return np.concatenate([f.descriptors[some] for f, some in zip(self.frames, self.maps(marks), strict=True)])

    def maps(self, values: npt.NDArray[Scalar]) -> list[npt.NDArray[Scalar]]:
        """Values (n,) of all patches as one map (h, w) a frame."""
        split = np.split(values, self._ends)
        return [part.reshape(frame.shape) for part, frame in zip(split, self.frames, strict=True)]


def _rows(maps: list[Floats]) -> Floats:
    """Maps (h, w, D), one below the other as (n, D)."""
    return np.concatenate([one.reshape(-1, one.shape[-1]) for one in maps])


def _places(frame: FrameSample) -> Floats:
    h, w = frame.shape
    y, x = np.mgrid[:h, :w].astype(np.float32)
    return np.stack([(y + 0.5) / h * frame.aspect, (x + 0.5) / w], axis=-1).reshape(-1, 2)


def _border(shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    border = np.ones(shape, dtype=bool)
    border[1:-1, 1:-1] = False
    return border.ravel()

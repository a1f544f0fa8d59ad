"""What pass 1 keeps of the sampled frames: the common ground of finding the object and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from .clustering import Floats
from .flow import Flow

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, repr=False)
class FrameSample:
    """One sampled frame: its patches, or every other row and column of them, as maps."""

    descriptors: Floats  # (h, w, D) unit length
    tokens: Floats  # (h, w, D2), see `Features.tokens`
    saliency: Floats  # (h, w) 1 is the mean of the frame
    paper_saliency: Floats  # (h, w) 0..1 within the frame, as the paper takes it
    aspect: float  # height over width of the frame
    flows: list[Flow] = field(default_factory=list)  # to the frames next to it, see `motion.flows_around`
    seed: npt.NDArray[np.bool_] | None = None  # (h, w): where the user has said the object is

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w)."""
        return self.saliency.shape[0], self.saliency.shape[1]


class Sample:
    """The sampled frames of one or more clips, their patches one after the other."""

    def __init__(self, frames: list[FrameSample]) -> None:
        self.frames = frames
        self.descriptors = _rows([f.descriptors for f in frames])
        self.tokens = _rows([f.tokens for f in frames])
        self.saliency = np.concatenate([f.saliency.ravel() for f in frames])
        sizes = [f.saliency.size for f in frames]
        self.frame = np.repeat(np.arange(len(frames)), sizes)  # (n,) which frame a patch is of
        self.place = np.concatenate([_places(f) for f in frames])  # (n, 2) down and right, in widths of the frame
        self.border = np.concatenate([_border(f.shape) for f in frames])  # (n,) whether it is one along the border
        self._ends = np.cumsum(sizes)[:-1]

    def __len__(self) -> int:
        return len(self.saliency)

    def maps(self, values: npt.NDArray[Scalar]) -> list[npt.NDArray[Scalar]]:
        """Values (n,) of all patches as one map (h, w) a frame."""
        split = np.split(values, self._ends)
        return [part.reshape(frame.shape) for part, frame in zip(split, self.frames, strict=True)]


def _rows(maps: list[Floats]) -> Floats:
    """Maps (h, w, D), one below the other as (n, D). By torch, which copies on all cores."""
    rows = [torch.from_numpy(np.ascontiguousarray(one.reshape(-1, one.shape[-1]))) for one in maps]
    return np.asarray(torch.cat(rows).numpy(), dtype=np.float32)


def _places(frame: FrameSample) -> Floats:
    h, w = frame.shape
    y, x = np.mgrid[:h, :w].astype(np.float32)
    return np.stack([(y + 0.5) / h * frame.aspect, (x + 0.5) / w], axis=-1).reshape(-1, 2)


def _border(shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    border = np.ones(shape, dtype=bool)
    border[1:-1, 1:-1] = False
    return border.ravel()

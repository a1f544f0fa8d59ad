"""The space in which parts are told from each other: one without the differences between whole frames.

A car from behind is another than the same car from the side, and one car another than the next. Split by what differs
most, the whole of it would be one part here and another there. But these differences lie along a few directions: those
in which the means of the object in each frame differ. Along each of them, descriptors are shortened as far as their
variance lies between frames and not within. Where a cat and a goat differ more from each other than the parts of both,
little is left; where cars differ as their parts do, half; and of an object that all frames show alike, everything.
(Within-class and between-class scatter: Fisher, "The Use of Multiple Measurements in Taxonomic Problems", 1936.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from ..clustering import Floats
from ..devices import copied_to
from .descriptors import descriptors_of_many, descriptors_of_one

Things = Literal["one", "many"]
"""Whether the frames show one thing, or each another of its kind."""

# In which the means differ most. Frames of one thing differ in one way above all, as it turns or comes nearer. With
# eight, its parts change with the frame a little less still, but are torn to smaller pieces, and with few frames they
# hang on single patches.
_DIRECTIONS: Mapping[Things, int] = {"one": 1, "many": 8}
# Of the share that lies within frames. With the share itself, parts of one thing change with the frame more, and hang
# on single patches more often. Of a set of cars, the share itself tells parts a little better.
_POWER: Mapping[Things, int] = {"one": 2, "many": 1}
_LEAST = 1e-5  # a length of means in which they do not differ


@dataclass(frozen=True, eq=False, repr=False)
class PartSpace:
    """From the descriptors and tokens of patches to what parts are told by."""

    things: Things
    axes: torch.Tensor  # (k, D) float32, orthonormal: directions in which frames differ; k may be 0
    offset: torch.Tensor  # (k,) float32: the mean of all frames along them
    kept: torch.Tensor  # (k,) float32, 0 to 1: what is left of a difference

    def __post_init__(self) -> None:
        if self.things not in get_args(Things):
            raise ValueError(f"a space is of one or of many things, not of {self.things!r}")
        k = len(self.axes)
        if self.axes.ndim != 2 or self.offset.shape != (k,) or self.kept.shape != (k,):
            shapes = tuple(self.axes.shape), tuple(self.offset.shape), tuple(self.kept.shape)
            raise ValueError(f"axes, offset and kept must be (k, D), (k,) and (k,), got {shapes}")

    @classmethod
    def of(cls, things: Things, joined: torch.Tensor, frame: npt.NDArray[np.int64], weight: Floats) -> PartSpace:
        """The space of some frames.

        Args:
            things: what they show.
            joined: (n, D) float32, of `joined_descriptors`, of the object's patches.
            frame: (n,) which frame each is of.
            weight: (n,) how much each counts.
        """
        share = torch.from_numpy(weight) / float(weight.sum(dtype=np.float64))
        centre = share @ joined
        within = joined - centre
        means = []
        for k in np.unique(frame):
            mine = torch.from_numpy(np.flatnonzero(frame == k))
            total = share[mine].sum()
            mean = share[mine] @ within[mine] / total
            within[mine] -= mean
            means.append(mean * total.sqrt())
        _, lengths, axes = torch.linalg.svd(torch.stack(means), full_matrices=False)
        axes = axes[: min(_DIRECTIONS[things], int((lengths > _LEAST).sum()))]
        between = lengths[: len(axes)] ** 2
        inside = share @ (within @ axes.T) ** 2
        return cls(things, axes.contiguous(), axes @ centre, (inside / (inside + between)) ** _POWER[things])

    def on(self, device: torch.device) -> PartSpace:
        """The same on a device."""
        copies: dict[str, Any] = {name: copied_to(getattr(self, name), device) for name in _TENSORS}
        return replace(self, **copies)

    def looks(self, descriptors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """What parts are told by: (..., D + D2 / 2) float32, unit length.

        Args:
            descriptors: (..., D), unit length.
            tokens: (..., D2), each half of unit length, as in `Features.tokens`.
        """
        return self.shortened(joined_descriptors(self.things, descriptors, tokens))

    def shortened(self, joined: torch.Tensor) -> torch.Tensor:
        """The looks of `joined_descriptors` (..., D), float32: they are changed in place."""
        rows, axes = joined.view(-1, joined.shape[-1]), self.axes.to(joined)
        along = rows @ axes.T - self.offset.to(joined)
        rows.addmm_(along * (1 - self.kept.to(joined)), axes, alpha=-1)
        rows /= torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp(min=1e-12)
        return joined


def joined_descriptors(things: Things, descriptors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """What `PartSpace` makes its looks of, as `descriptors_of_one` and `descriptors_of_many` do."""
    join = descriptors_of_one if things == "one" else descriptors_of_many
    return join(descriptors, tokens)


def space_tensors(space: PartSpace) -> dict[str, torch.Tensor]:
    """All tensors that there are to a space, by name, for a file."""
    return {f"space.{name}": getattr(space, name) for name in _TENSORS}


def space_from(things: Things, tensors: Mapping[str, torch.Tensor]) -> PartSpace:
    """The space whose `space_tensors` these are; other names are passed over.

    Raises:
        KeyError: one is missing.
        ValueError: they are not of a space.
    """
    return PartSpace(things, **{name: tensors[f"space.{name}"] for name in _TENSORS})


_TENSORS = ("axes", "offset", "kept")

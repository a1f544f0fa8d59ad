"""What tells the parts of many things of a kind from each other: what their patches mean, whatever each looks like.

A part of one thing looks otherwise than the same part of another. So a key is joined with the outputs of the deeper
block, which know what a patch is of, where `part_descriptors`, for one thing in many views, takes the shallower ones.

What is left of the differences between things lies along a few directions: those in which the pictures' means differ.
Along each of them, descriptors are shortened to the share of their variance that lies within pictures. Where a cat and
a goat differ more from each other than the parts of both, little is left; where cars differ as their parts do, half.
(Within-class and between-class scatter: Fisher, "The Use of Multiple Measurements in Taxonomic Problems", 1936.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from .clustering import Floats

_DIRECTIONS = 8  # in which the pictures' means differ most
_LEAST = 1e-5  # a length of means in which they do not differ


@dataclass(frozen=True, repr=False)
class SetSpace:
    """From the descriptors and tokens of patches to what the parts of a set are told by."""

    axes: torch.Tensor  # (k, D) float32, orthonormal: directions in which pictures differ; k may be 0
    offset: torch.Tensor  # (k,) float32: the mean of all pictures along them
    kept: torch.Tensor  # (k,) float32, 0 to 1: what is left of a difference

    def __post_init__(self) -> None:
        k = len(self.axes)
        if self.axes.ndim != 2 or self.offset.shape != (k,) or self.kept.shape != (k,):
            shapes = tuple(self.axes.shape), tuple(self.offset.shape), tuple(self.kept.shape)
            raise ValueError(f"axes, offset and kept must be (k, D), (k,) and (k,), got {shapes}")

    @classmethod
    def of(cls, joined: torch.Tensor, picture: npt.NDArray[np.int64], weight: Floats) -> SetSpace:
        """The space of a set.

        Args:
            joined: (n, D) float32, of `joined_descriptors`, of the object's patches.
            picture: (n,) which picture each is of.
            weight: (n,) how much each counts.
        """
        share = torch.from_numpy(weight) / float(weight.sum(dtype=np.float64))
        centre = share @ joined
        within = joined - centre
        means = []
        for k in np.unique(picture):
            mine = torch.from_numpy(np.flatnonzero(picture == k))
            total = share[mine].sum()
            mean = share[mine] @ within[mine] / total
            within[mine] -= mean
            means.append(mean * total.sqrt())
        _, lengths, axes = torch.linalg.svd(torch.stack(means), full_matrices=False)
        axes = axes[: min(_DIRECTIONS, int((lengths > _LEAST).sum()))]
        between = lengths[: len(axes)] ** 2
        inside = share @ (within @ axes.T) ** 2
        return cls(axes.contiguous(), axes @ centre, inside / (inside + between))

    def looks(self, descriptors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """What parts are told by: (..., D + D2 / 2) float32, unit length.

        Args:
            descriptors: (..., D), unit length.
            tokens: (..., D2), each half of unit length, as in `Features.tokens`.
        """
        joined = joined_descriptors(descriptors, tokens)
        axes = self.axes.to(joined)
        along = joined @ axes.T - self.offset.to(joined)
        return F.normalize(joined - (along * (1 - self.kept.to(joined))) @ axes, dim=-1)


def joined_descriptors(descriptors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Descriptors (..., D) beside the deeper half of the tokens (..., D2): (..., D + D2 / 2) float32, unit length."""
    joined = torch.cat([descriptors.float(), tokens[..., tokens.shape[-1] // 2 :].float()], dim=-1)
    return joined.div_(2**0.5)


def space_tensors(space: SetSpace) -> dict[str, torch.Tensor]:
    """All that there is to a space, by name, for a file."""
    return {f"set.{name}": getattr(space, name) for name in _TENSORS}


def space_from(tensors: Mapping[str, torch.Tensor]) -> SetSpace | None:
    """The space whose `space_tensors` these are; other names are passed over. None: there is none among them.

    Raises:
        KeyError: one is missing.
        ValueError: they are not of a space.
    """
    if not any(name.startswith("set.") for name in tensors):
        return None
    return SetSpace(**{name: tensors[f"set.{name}"] for name in _TENSORS})


_TENSORS = ("axes", "offset", "kept")

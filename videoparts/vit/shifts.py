"""Patches that overlap, seen in turn: those of each shift of the frame among themselves.

At a stride of half a patch there are four times as many patches. A ViT that is given all of them compares each with
each, which for attention is sixteen times the work, and is shown every place four times over, as it never was in
training. As four frames, each shifted by half a patch, they are four times the work and what the ViT knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..grid import Grid

Seen = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Of N images: descriptors (N, h, w, D), [CLS] attention (N, heads, h, w), tokens (N, h, w, D2). The last two may be
empty, without patches."""


@dataclass(frozen=True)
class Shift:
    """Some patches of a grid, none of which overlap."""

    top: int  # pixels of the frame above the first of them
    left: int
    grid: Grid  # theirs, in the frame without those pixels
    rows: slice  # where they are among all
    columns: slice


def shifts_of(grid: Grid) -> Iterator[Shift]:
    """All patches of a grid, each in one shift; the stride divides the patch."""
    steps = grid.patch // grid.stride
    for y in range(min(steps, grid.rows)):
        for x in range(min(steps, grid.columns)):
            top, left = y * grid.stride, x * grid.stride
            part = Grid(grid.height - top, grid.width - left, grid.patch, grid.patch)
            yield Shift(top, left, part, np.s_[y::steps], np.s_[x::steps])


def seen_in_turn(see: Callable[[torch.Tensor, Grid], Seen], images: torch.Tensor, grid: Grid) -> Seen:
    """What the patches of a grid are, each as its shift shows it.

    Args:
        see: gives what the patches of images (N, 3, H, W) are on a grid.
        images: (N, 3, H, W).
        grid: theirs.

    Returns:
        As ``see`` gives it. What [CLS] looks at adds up to what it does in one image, not in each.
    """
    whole: Seen | None = None
    for shift in shifts_of(grid):
        part = see(images[..., shift.top :, shift.left :], shift.grid)
        if whole is None:
            whole = _room(part[0], grid, 1), _room(part[1], grid, 2), _room(part[2], grid, 1)
        descriptors, attention, tokens = whole
        descriptors[:, shift.rows, shift.columns] = part[0]
        if attention.numel():
            share = shift.grid.rows * shift.grid.columns / (grid.rows * grid.columns)
            attention[:, :, shift.rows, shift.columns] = part[1] * share
        if tokens.numel():
            tokens[:, shift.rows, shift.columns] = part[2]
    assert whole is not None
    return whole


def _room(part: torch.Tensor, grid: Grid, at: int) -> torch.Tensor:
    """Like a part, for all patches; rows and columns are the axes from ``at``. Nothing for nothing."""
    shape = list(part.shape)
    if part.numel():
        shape[at : at + 2] = grid.rows, grid.columns
    return part.new_empty(shape)

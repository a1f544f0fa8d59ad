"""Position embeddings at any grid, resampled as each family's own code does it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import torch
import torch.nn.functional as F

Resampling = Literal["offset", "antialias"]
Embeddings = tuple[torch.Tensor | None, torch.Tensor | None]

_KEPT = 16  # grids: pictures may have any number of sizes, and frames that are seen in shifts have a few for each


def resampling_of(timm_name: str) -> Resampling:
    """How a model's authors resample its position embedding.

    DINO, and DINOv2 without registers, give `torch.nn.functional.interpolate` a scale made from the wanted size plus
    0.1, which then also places the samples. DINOv2 with registers gives it the size, with antialiasing; so does
    timm, which is what other ViTs get.
    """
    own = timm_name.startswith("vit_") and "dino" in timm_name and "_reg4_" not in timm_name
    return "offset" if own else "antialias"


def embeddings(
    positions: torch.Tensor | None, rope: Any, how: Resampling, device: torch.device, dtype: torch.dtype
) -> Callable[[tuple[int, int]], Embeddings]:
    """What gives the position embedding (1, h * w, D) and the rotary embedding of a grid (h, w), and keeps a few.

    Args:
        positions: as for `resample_positions`; None: the model has none.
        rope: timm's module of the rotary embedding; None: the model has none.
        how: see `resampling_of`.
        device: where both shall be.
        dtype: that of the position embedding.
    """
    square = None if positions is None else positions.to(device)

    @lru_cache(_KEPT)
    def of(grid: tuple[int, int]) -> Embeddings:
        placed = None if square is None else resample_positions(square, grid, how).to(dtype)
        return placed, None if rope is None else rope.get_embed(shape=list(grid)).to(device)

    return of


def resample_positions(positions: torch.Tensor, grid: tuple[int, int], how: Resampling) -> torch.Tensor:
    """Bring the position embedding of a square of patches to another grid.

    Args:
        positions: (1, side * side, D) float32, patches only.
        grid: (h, w) wanted.
        how: see `resampling_of`.

    Returns:
        (1, h * w, D).
    """
    side = round(positions.shape[1] ** 0.5)
    if grid == (side, side):
        return positions
    square = positions.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if how == "offset":
        scale = ((grid[0] + 0.1) / side, (grid[1] + 0.1) / side)
        out = F.interpolate(square, scale_factor=scale, mode="bicubic", align_corners=False)
    else:
        out = F.interpolate(square, size=grid, mode="bicubic", align_corners=False, antialias=True)
    return out.permute(0, 2, 3, 1).reshape(1, grid[0] * grid[1], -1)

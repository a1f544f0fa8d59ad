"""From shades of patches to pictures of pixels."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..frames import Pixels
from ..grid import Grid

_SURE = 1e-3  # the least that a patch counts
_DARKEST = 0.15  # of an object in front of black, so that no part of it vanishes


def planes(shades: torch.Tensor, grid: Grid, size: tuple[int, int], matte: torch.Tensor | None = None) -> Pixels:
    """Bring shades to the size of the picture, smoothly.

    Cubic convolution (Keys, 1981) between the centres of the patches: what lies at a centre has the patch's own shade,
    and no crease shows in between, as it would bilinearly.

    Args:
        shades: (h, w, K) float32; 0 is black, 1 is white, what is beyond is cut off.
        grid: where the h x w patches lie.
        size: (height, width) of the picture.
        matte: (H, W) uint8: how much of each pixel is to be seen, the rest is black; what is seen is not quite.

    Returns:
        (K, H, W) uint8.
    """
    rows = _cubic(grid.row_weights(size[0])).to(shades)
    columns = _cubic(grid.column_weights(size[1])).to(shades)
    full = (rows @ shades.permute(2, 0, 1) @ columns.T).clamp_(0, 1)
    if matte is not None:
        full = (_DARKEST + (1 - _DARKEST) * full) * (matte.to(full) / 255)
    return np.asarray(full.mul_(255).round_().to(torch.uint8).cpu().numpy())


def filled_in(shades: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
    """Shades (h, w, K) in which patches off the object have the mean shade of those on it around them, where there
    are any: the object's edge is not shaded by what lies behind it.

    Args:
        shades: of all patches.
        chance: (h, w): how likely each is on the object.
    """
    weight = chance.clamp(min=_SURE)[None, None]
    planes = shades.permute(2, 0, 1)[None].clamp(0, 1)
    around = _mean_around(planes * weight) / _mean_around(weight)
    share = (2 * weight).clamp(max=1)  # what is rather on the object than off it keeps its own
    return (share * planes + (1 - share) * around)[0].permute(1, 2, 0)


def _mean_around(planes: torch.Tensor) -> torch.Tensor:
    """The mean of (1, K, h, w) over 5 x 5 patches, those near counting most."""
    for _ in range(2):
        planes = F.avg_pool2d(F.pad(planes, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return planes


def _cubic(linear: torch.Tensor) -> torch.Tensor:
    """Weights (pixels, count) of cubic convolution in place of bilinear ones, between the same patches."""
    count = linear.shape[1]
    position = linear.double() @ torch.arange(count, dtype=torch.float64)  # linear weights leave a ramp as it is
    first = position.floor().clamp(max=max(count - 2, 0))
    t = position - first
    taps = torch.stack(
        [
            ((2 - t) * t - 1) * t / 2,
            ((3 * t - 5) * t * t + 2) / 2,
            ((4 - 3 * t) * t + 1) * t / 2,
            (t - 1) * t * t / 2,
        ],
        dim=1,
    )
    weights = torch.zeros(len(linear), count, dtype=torch.float64)
    for k in range(4):
        at = (first.long() + k - 1).clamp(0, count - 1)
        weights.scatter_add_(1, at[:, None], taps[:, k : k + 1])
    return weights.float()

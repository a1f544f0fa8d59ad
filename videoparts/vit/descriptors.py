"""Descriptors as tensors: log-binning and normalisation. Pure functions."""

from __future__ import annotations

import torch
import torch.nn.functional as F

_OFFSETS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def log_bin(descriptors: torch.Tensor) -> torch.Tensor:
    """Join each descriptor with its surroundings (paper, section 3.3; 17 bins).

    The bins, in order: the 3 x 3 patches around a patch, row by row; then the means over 3 x 3 patches at the eight
    neighbours three patches away, row by row. A mean at the border is over the patches that exist; a bin beyond
    the border takes the nearest one inside.

    Args:
        descriptors: (N, h, w, D).

    Returns:
        (N, h, w, 17 * D), bin after bin, not normalised.
    """
    n, h, w, d = descriptors.shape
    means = F.avg_pool2d(descriptors.permute(0, 3, 1, 2), 3, stride=1, padding=1, count_include_pad=False)
    means = means.permute(0, 2, 3, 1)
    rows = torch.arange(h, device=descriptors.device)
    columns = torch.arange(w, device=descriptors.device)
    out = descriptors.new_empty(n, h, w, 17, d)
    bins = [(descriptors, 1, offset) for offset in _OFFSETS]
    bins += [(means, 3, offset) for offset in _OFFSETS if offset != (0, 0)]
    for k, (values, distance, (dy, dx)) in enumerate(bins):
        y = (rows + dy * distance).clamp(0, h - 1)
        x = (columns + dx * distance).clamp(0, w - 1)
        out[:, :, :, k] = values[:, y[:, None], x[None, :]]
    return out.flatten(3)


def unit_length(descriptors: torch.Tensor) -> torch.Tensor:
    """Descriptors (..., D) scaled to length 1, in float32: then a product is a cosine."""
    return F.normalize(descriptors.float(), dim=-1)

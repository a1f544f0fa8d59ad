"""How like one point of a picture another picture is, patch by patch (paper, section 5: inspecting similarity)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..clustering import Floats
from .described import Described
from .points import Points, patches_at

_APART = 2  # patches between two that are marked, at least


@dataclass(frozen=True, eq=False, repr=False)
class SimilarityMap:
    """The cosine of every patch with one point of another picture."""

    cosines: Floats  # (h, w), -1..1
    nearest: Points  # (k, 2) x and y in pixels of the picture, the most alike first


@torch.inference_mode()
def similarity_map(one: Described, point: tuple[float, float], other: Described, marks: int) -> SimilarityMap:
    """Compare the patch that sees a point with all of another picture, or of the same.

    Args:
        one: the picture of the point.
        point: x and y in its pixels, see `points`; inside of it.
        other: the picture that is compared.
        marks: patches that are given as nearest, at most: peaks, not neighbours of one that is nearer.
    """
    (patch,) = patches_at(one.grid, one.size, np.array([point]))
    cosines = (other.descriptors @ one.descriptors[int(patch)]).cpu().numpy()
    peaks: list[int] = []
    rows, columns = np.divmod(np.arange(len(cosines)), other.grid.columns)
    free = np.ones(len(cosines), dtype=bool)
    while len(peaks) < marks and free.any():
        best = int(np.where(free, cosines, -np.inf).argmax())
        peaks.append(best)
        free &= np.maximum(abs(rows - rows[best]), abs(columns - columns[best])) > _APART
    return SimilarityMap(cosines.reshape(other.grid.rows, other.grid.columns), other.points[peaks])

"""Labels of a finer level that divide those that are there, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..frames import Pixels
from ..refine.nearest import nearest_known


def divided(labels: Pixels, finer: Pixels, within: Sequence[int]) -> Pixels:
    """Divide the parts of a frame as finer labels say, and leave their outlines as they are.

    The two were found independently, so that along an outline they differ by some pixels. There, a pixel has the
    finer label of the nearest one of its part where they agree.

    Args:
        labels: (H, W) uint8.
        finer: (H, W) uint8, of a finer level.
        within: for each finer label, from 1 on, the label that it lies in.

    Returns:
        (H, W) uint8: finer labels, each within the label that it lies in.
    """
    parent = np.array([0, *within], dtype=np.uint8)
    result = np.where(parent[finer] == labels, finer, 0).astype(np.uint8)
    for number in np.flatnonzero(np.bincount(labels.ravel()))[1 if not labels.all() else 0 :]:
        mine = labels == number
        missing = mine & (result == 0)
        if not missing.any():
            continue
        known = mine & ~missing
        if not known.any():
            result[missing] = 1 + within.index(int(number))  # the first, and largest, of its own
            continue
        result[missing] = nearest_known(result, known)[missing]
    return result

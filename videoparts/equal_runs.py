"""Runs of equal values: most of a label map is told by few of them."""

from __future__ import annotations

import numpy as np

from .frames import Integers, Pixels


def equal_runs(flat: Pixels) -> tuple[Pixels, Integers]:
    """The values (R,) and lengths (R,) of the runs of equal values in (n,), n at least 1.

    >>> equal_runs(np.array([0, 0, 7, 7, 7, 1], np.uint8))
    (array([0, 7, 1], dtype=uint8), array([2, 3, 1]))
    """
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    return flat[starts], np.diff(starts, append=flat.size)

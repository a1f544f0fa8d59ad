"""Label maps made small: run-length coded, then deflated, a group of frames at a time.

A group inflates to, F being its number of frames and R that of its runs: F little-endian uint32, the runs of each
frame; R bytes, the label of each run; R bytes, the low bytes of their lengths; R bytes, the high bytes. A run goes on
over the ends of rows; one longer than 65535 pixels is several.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from ...equal_runs import equal_runs
from ...frames import Integers, Pixels

_LONGEST = 0xFFFF
_LEVEL = 6  # of zlib


def runs(labels: Pixels) -> tuple[Pixels, Integers]:
    """The runs of a label map (H, W) uint8: their labels and their lengths, (R,) each.

    >>> runs(np.array([[0, 0, 7], [7, 7, 1]], np.uint8))
    (array([0, 7, 1], dtype=uint8), array([2, 3, 1]))
    """
    values, lengths = equal_runs(labels.ravel())
    pieces = -(-lengths // _LONGEST)
    if len(lengths) == pieces.sum():
        return values, lengths
    split = np.full(pieces.sum(), _LONGEST, np.int64)
    split[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * _LONGEST
    return np.repeat(values, pieces), split


def packed(group: list[tuple[Pixels, Integers]]) -> bytes:
    """The bytes of a group of frames, each given by its `runs`."""
    counts = np.array([len(values) for values, _ in group], "<u4")
    values = np.concatenate([values for values, _ in group])
    lengths = np.concatenate([lengths for _, lengths in group])
    low, high = (lengths & 0xFF).astype(np.uint8), (lengths >> 8).astype(np.uint8)
    # The planes lie apart, for deflate finds more that repeats in each alone.
    return zlib.compress(counts.tobytes() + values.tobytes() + low.tobytes() + high.tobytes(), _LEVEL)


class Nearest:
    """Takes label maps to another size by nearest neighbour, and leaves out labels of no interest.

    Args:
        wanted: (height, width).
        kept: the labels that stay; the others become 0.
    """

    def __init__(self, wanted: tuple[int, int], kept: Sequence[int]) -> None:
        self._wanted = wanted
        self._table = np.zeros(256, np.uint8)
        self._table[list(kept)] = kept

    def __call__(self, labels: Pixels) -> Pixels:
        """(H, W) uint8 to the wanted size."""
        taken = labels
        if labels.shape != self._wanted:
            taken = np.asarray(cv2.resize(labels, self._wanted[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        return np.asarray(cv2.LUT(taken, self._table), np.uint8)

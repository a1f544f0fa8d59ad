"""Crops and mirror images of a picture, from which more is learned of a small set (paper, section 4).

A part that two pictures have at other places, or on the other side, is seen at each of them so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..clustering import Floats
from ..frames import Pixels

PER_PICTURE = 8
_CROP = 0.9  # of each side: whatever is cut off is still in the picture's other corners


@dataclass(frozen=True, eq=False, repr=False)
class View:
    """A part of a picture, mirrored or not."""

    pixels: Pixels  # (H, W, 3)
    top: float  # of the part, as shares of the picture's height
    left: float  # and width
    mirrored: bool

    def places(self, rows: int, columns: int, aspect: float) -> Floats:
        """Where its patches are in the picture itself, (rows * columns, 2): down and right, in widths of the picture.

        Args:
            rows: of patches.
            columns: of patches.
            aspect: height over width of the picture.
        """
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        x = columns - 1 - x if self.mirrored else x
        down = (self.top + (y + 0.5) / rows * _CROP) * aspect
        right = self.left + (x + 0.5) / columns * _CROP
        return np.asarray(np.stack([down, right], axis=-1).reshape(-1, 2), dtype=np.float32)


def views_of(pixels: Pixels) -> Iterator[View]:
    """The `PER_PICTURE` views of a picture (H, W, 3): what is left of it at each corner, and that in the mirror."""
    height, width = pixels.shape[:2]
    h, w = max(1, round(height * _CROP)), max(1, round(width * _CROP))
    for top in (0, height - h):
        for left in (0, width - w):
            part = pixels[top : top + h, left : left + w]
            for mirrored in (False, True):
                shown = np.ascontiguousarray(part[:, ::-1] if mirrored else part)
                yield View(shown, top / height, left / width, mirrored)

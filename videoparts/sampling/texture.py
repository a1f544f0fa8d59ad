"""Where a picture has texture in several directions: corners, by the smaller eigenvalue of the structure tensor.

(Shi, Tomasi: "Good Features to Track", 1994.)
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..frames import Pixels

Marks = npt.NDArray[np.bool_]
Plane = npt.NDArray[np.float32]

AROUND = 13  # side in pixels of the square in which edges of several directions make a corner
# Squared levels of 255 a pixel, below which there is nothing to follow. A hazy sky has 0.1, most of a picture more than
# 10; J of seven clips and of 28 views of them is the same for 0.2 to 4, and with none.
_LEAST = 0.5


def gradient(luma: Pixels) -> tuple[Plane, Plane]:
    """Levels from pixel to pixel of a plane (y, x) uint8, to the right and downwards, each (y, x)."""
    right, down = (cv2.Sobel(luma, cv2.CV_32F, *axis, ksize=3, scale=1 / 8) for axis in ((1, 0), (0, 1)))
    return np.asarray(right, dtype=np.float32), np.asarray(down, dtype=np.float32)


def cornerness(right: Plane, down: Plane) -> Plane:
    """The smaller eigenvalue (y, x) of the structure tensor of a gradient (y, x), in squared levels a pixel."""
    a, b, c = (cv2.blur(plane, (AROUND, AROUND)) for plane in (right * right, right * down, down * down))
    return np.asarray((a + c) / 2 - np.hypot((a - c) / 2, b), dtype=np.float32)


def plain(luma: Pixels) -> Marks:
    """The pixels (y, x) of a small luma (y, x) around which nothing can be followed, as in a sky."""
    return cornerness(*gradient(luma)) < _LEAST

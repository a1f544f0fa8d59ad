"""The brightness of frames: it tells what moves, and where edges are, in a third of the size of colours."""

from __future__ import annotations

import cv2
import numpy as np

from .frames import Pixels

_SHORT_SIDE = 160  # pixels: for flow, more cost more and serve no better
_HALVED = 6  # times that size: a larger frame is halved first. From closer the last step is too small to be exact


def luma(pixels: Pixels) -> Pixels:
    """The brightness (H, W) uint8 of a frame (H, W, 3) uint8 RGB, by the weights of ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def small_luma(frame: Pixels) -> Pixels:
    """The luma (y, x) uint8 of a frame (H, W, 3) uint8, shrunk to 160 pixels on the short side if it has more."""
    plane = luma(frame)
    height, width = plane.shape
    scale = min(1.0, _SHORT_SIDE / min(height, width))
    if scale == 1:
        return plane
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Halving is the one step that OpenCV takes quickly: all at once takes ten times as long on a frame in 4K.
    while min(plane.shape) >= _HALVED * _SHORT_SIDE and not (plane.shape[0] % 2 or plane.shape[1] % 2):
        half = (plane.shape[1] // 2, plane.shape[0] // 2)
        plane = np.asarray(cv2.resize(plane, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

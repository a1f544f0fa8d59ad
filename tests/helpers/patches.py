"""Pictures whose patches are known by their colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
COLOURS = ((230, 30, 30), (30, 230, 30), (30, 30, 230), (230, 230, 30), (230, 30, 230), (30, 230, 230))


def picture(order: list[int], top: int, left: int, size: tuple[int, int] = (96, 128)) -> Pixels:
    """Six patches of 8 pixels in colours of their own on nearly grey ground, each patch of which is a little other."""
    random = np.random.default_rng(top)
    ground = 128 + random.integers(-6, 7, (size[0] // 8, size[1] // 8, 3))
    pixels = ground.repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)
    for k, which in enumerate(order):
        y, x = top + 8 * (k // 3), left + 8 * (k % 3)
        pixels[y : y + 8, x : x + 8] = COLOURS[which]
    return pixels

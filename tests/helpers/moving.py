"""Pictures that move in a known way."""

from __future__ import annotations

import cv2
import numpy as np

from videoparts.frames import Pixels


def texture(seed: int, height: int = 160, width: int = 240) -> Pixels:
    """A picture with structure of all sizes, (height, width) uint8."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(
            random.random((height // step + 2, width // step + 2)), (width, height), interpolation=cv2.INTER_CUBIC
        )
        for step in (4, 10, 30)
    ]
    mixed = sum(layers)
    assert isinstance(mixed, np.ndarray)
    return np.asarray(np.clip(mixed / 3 * 320 - 32, 0, 255), dtype=np.uint8)


def moved(picture: Pixels, right: float, down: float) -> Pixels:
    matrix = np.array([[1, 0, right], [0, 1, down]], dtype=np.float32)
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REFLECT), dtype=np.uint8)


def coloured(luma: Pixels) -> Pixels:
    """A frame (H, W, 3) of that luma (H, W)."""
    return np.repeat(luma[..., None], 3, axis=2)

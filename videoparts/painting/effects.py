"""Effects on what a matte covers: pure functions of a frame, its matte and a setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ..errors import SettingsError
from ..frames import Pixels

Do = Literal["blur", "grey", "tint", "cutout"]

_BLUR = 1 / 24  # of the frame's short side: a face can no longer be told


@dataclass(frozen=True)
class Effect:
    """What is done to the pixels that a matte covers."""

    do: Do
    """blur: so much that nothing can be told; grey: without colour; tint: in a colour; cutout: everything else goes."""
    strength: float = 1.0
    """0 to 1: how far the pixels go from what they were to what the effect makes of them. Of blur its radius: 1 is a
    twenty-fourth of the frame's short side, and up to 4 is possible."""
    colour: tuple[int, int, int] = (0, 0, 0)
    """Red, green and blue of the tint, and of what is behind a cutout."""

    def __post_init__(self) -> None:
        most = 4.0 if self.do == "blur" else 1.0
        if not 0 < self.strength <= most:
            raise SettingsError(f"--strength of {self.do} must be above 0 and at most {most:g}, got {self.strength}")

    def __call__(self, pixels: Pixels, matte: Pixels) -> Pixels:
        """One frame with the effect.

        Args:
            pixels: (H, W, 3) uint8; left as they are.
            matte: (H, W) uint8, 0 to 255.

        Returns:
            (H, W, 3) uint8, new. Where the matte is 0, and for cutout where it is 255, it has every bit of the frame.
        """
        if self.do == "cutout":
            behind = np.empty_like(pixels)
            behind[:] = self.colour
            return _mixed(behind, pixels, matte)
        return _mixed(pixels, self._changed(pixels, matte), matte)

    def _changed(self, pixels: Pixels, matte: Pixels) -> Pixels:
        if self.do == "blur":
            return _blurred(pixels, matte, self.strength * min(matte.shape) * _BLUR)
        grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
        if self.do == "grey":
            target = np.repeat(grey[..., None], 3, axis=2)
        else:
            # Multiplied: black stays black, and white takes the colour.
            levels = np.arange(256)[:, None] * np.array(self.colour) / 255
            target = np.rint(levels).astype(np.uint8)[grey]
        changed = cv2.addWeighted(pixels, 1 - self.strength, target, self.strength, 0)
        return np.asarray(changed, dtype=np.uint8)


def _blurred(pixels: Pixels, matte: Pixels, radius: float) -> Pixels:
    """Blurred by a Gaussian of this standard deviation, in which only what the matte covers counts.

    What lies around does not bleed into the part. Worked out on a smaller frame where that makes no difference.
    """
    scale = min(1.0, 3 / radius)
    size = (max(1, round(matte.shape[1] * scale)), max(1, round(matte.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    weight = np.maximum(cv2.resize(matte, size, interpolation=cv2.INTER_AREA).astype(np.float32), 1e-3)
    sigma = radius * scale
    total = np.asarray(cv2.GaussianBlur(small * weight[..., None], (0, 0), sigma), dtype=np.float32)
    blurred = total / np.asarray(cv2.GaussianBlur(weight, (0, 0), sigma), dtype=np.float32)[..., None]
    back = cv2.resize(blurred, matte.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.rint(back).clip(0, 255), dtype=np.uint8)


def _mixed(below: Pixels, above: Pixels, matte: Pixels) -> Pixels:
    """``above`` over ``below``, as far as the matte covers; exact where it is 0 or 255."""
    mixed = below.copy()
    np.copyto(mixed, above, where=(matte == 255)[..., None])
    soft = np.flatnonzero((matte > 0) & (matte < 255))
    share = matte.ravel()[soft].astype(np.float32)[:, None] / np.float32(255)
    low, high = below.reshape(-1, 3)[soft], above.reshape(-1, 3)[soft]
    mixed.reshape(-1, 3)[soft] = np.rint(low + (high.astype(np.float32) - low) * share).astype(np.uint8)
    return np.asarray(mixed, dtype=np.uint8)

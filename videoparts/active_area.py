"""The active area of frames: the part of them that shows a picture, where black bars are beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .frames import FrameBatch, Pixels


@dataclass(frozen=True)
class ActiveArea:
    """A box of a frame, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def __str__(self) -> str:
        """As FFmpeg's ``crop`` filter takes it."""
        return f"{self.width}:{self.height}:{self.left}:{self.top}"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def of(self, pixels: Pixels) -> Pixels:
        """What of frames or of their labels (N, H, W, ...) lies in it, not copied."""
        return pixels[:, self.top : self.top + self.height, self.left : self.left + self.width]

    def cropped(self, batch: FrameBatch) -> FrameBatch:
        """Frames, cut to it."""
        return replace(batch, pixels=self.of(batch.pixels))

    def padded(self, planes: Pixels, size: tuple[int, int]) -> Pixels:
        """Planes (N, height, width) of it on frames (N, H, W) of a size, 0 beside it."""
        whole = np.zeros((len(planes), *size), planes.dtype)
        self.of(whole)[...] = planes
        return whole

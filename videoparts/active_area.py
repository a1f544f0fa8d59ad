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

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def of_frames(self, pixels: Pixels) -> Pixels:
        """What of frames (..., H, W, 3) lies in it, not copied."""
        return pixels[..., self._rows, self._columns, :]

    def of_planes(self, planes: Pixels) -> Pixels:
        """What of labels or mattes (..., H, W) lies in it, not copied."""
        return planes[..., self._rows, self._columns]

    def cropped(self, batch: FrameBatch) -> FrameBatch:
        """Frames, cut to it."""
        return replace(batch, pixels=self.of_frames(batch.pixels))

    def padded(self, planes: Pixels, size: tuple[int, int]) -> Pixels:
        """Planes (..., height, width) of it for frames of a size (H, W): 0 beside it."""
        whole = np.zeros((*planes.shape[:-2], *size), planes.dtype)
        self.of_planes(whole)[...] = planes
        return whole

    @property
    def _rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    @property
    def _columns(self) -> slice:
        return slice(self.left, self.left + self.width)

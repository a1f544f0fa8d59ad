"""Where a ViT's patches lie in a frame.

A patch of ``patch`` pixels starts every ``stride`` pixels, so that patch i is centred at ``patch / 2 + i * stride``
in the resized frame. With a stride below the patch size the centres do not fill the frame as cells of a picture
would: upsampling must know them, or every boundary shifts towards the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from .errors import SettingsError
from .frames import why_too_slim


@dataclass(frozen=True)
class Grid:
    """The patches of frames of one size. All numbers are pixels of the resized frame, but for the counts."""

    height: int  # of the resized frame
    width: int
    patch: int
    stride: int

    @property
    def rows(self) -> int:
        """h: patches from top to bottom."""
        return 1 + (self.height - self.patch) // self.stride

    @property
    def columns(self) -> int:
        """w: patches from left to right."""
        return 1 + (self.width - self.patch) // self.stride

    @classmethod
    def fit(cls, size: tuple[int, int], load_size: int, patch: int, stride: int) -> Grid:
        """The grid for frames of ``size``, resized to about ``load_size`` on the short side.

        Each side is rounded to the nearest length that patches cover exactly (at most half a stride away), so that
        no border of the frame is left without a descriptor.

        Raises:
            SettingsError: ``load_size`` is below one patch, or the stride does not divide the patch size.
        """
        if load_size < patch:
            raise SettingsError(f"--load-size {load_size} is below one patch of {patch} pixels; take at least {patch}")
        if patch % stride:
            divisors = ", ".join(str(s) for s in range(1, patch + 1) if patch % s == 0)
            raise SettingsError(f"--stride {stride} does not divide the patch size {patch}; take one of {divisors}")
        scale = load_size / min(size)

        def covered(length: int) -> int:
            steps = max(0, int((length * scale - patch) / stride + 0.5))
            return patch + steps * stride

        return cls(covered(size[0]), covered(size[1]), patch, stride)

    def centres(self, size: tuple[int, int]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Where the centres of rows (h,) and columns (w,) of patches lie in a frame of ``size``, in its pixels."""
        down, right = (self.patch / 2 + self.stride * np.arange(count) for count in (self.rows, self.columns))
        return down * size[0] / self.height, right * size[1] / self.width

    def row_weights(self, height: int, extent: float | None = None) -> torch.Tensor:
        """(height, h): bilinear weights that bring a column of patches to ``height`` pixels.

        ``extent`` is how many of those pixels the frame covers, where it is not all of them.
        """
        return _weights(self.rows, self.height, height, extent or height, self)

    def column_weights(self, width: int, extent: float | None = None) -> torch.Tensor:
        """(width, w): the same from left to right."""
        return _weights(self.columns, self.width, width, extent or width, self)


def why_unusable(size: tuple[int, int], patch: int) -> str | None:
    """Why a picture of ``size`` (height, width) cannot be used, as the rest of a sentence; None: it can."""
    height, width = size
    if min(size) < patch:
        return f"is {width}x{height}, smaller than one patch of {patch}x{patch}; leave it out"
    return why_too_slim(size)


def _weights(count: int, resized: int, pixels: int, extent: float, grid: Grid) -> torch.Tensor:
    centres = (torch.arange(pixels, dtype=torch.float64) + 0.5) * resized / extent
    position = ((centres - grid.patch / 2) / grid.stride).clamp(0, count - 1)
    lower = position.floor().clamp(max=max(count - 2, 0)).long()
    share = position - lower
    weights = torch.zeros(pixels, count, dtype=torch.float64)
    rows = torch.arange(pixels)
    weights[rows, lower] = 1 - share
    if count > 1:
        weights[rows, lower + 1] = share
    return weights.float()

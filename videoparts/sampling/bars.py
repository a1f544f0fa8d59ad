"""Black bars beside a picture, as a film has in a video of another shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..frames import Pixels

_BLACK = 24  # of 255: video that keeps to the limited range has its black at 16
_EVEN = 8  # levels by which black differs along a bar, and from frame to frame


@dataclass(frozen=True)
class Bars:
    """How much of a frame's height and width they take at each end, 0 to 1."""

    top: float
    bottom: float
    left: float
    right: float

    @property
    def share(self) -> float:
        """Of the frame's area."""
        return 1 - (1 - self.top - self.bottom) * (1 - self.left - self.right)

    def picture(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Width, height, left and top in pixels of the picture between them, all even, in a frame of that size."""
        top, left = _even(self.top * height), _even(self.left * width)
        across = (width - left - round(self.right * width)) // 2 * 2
        return across, (height - top - round(self.bottom * height)) // 2 * 2, left, top


def bars(lumas: Sequence[Pixels]) -> Bars | None:
    """The bars that all of some frames have; None where they have none, and where they are all black.

    Args:
        lumas: of frames from all over a clip, each (y, x) uint8.
    """
    if not lumas or len({luma.shape for luma in lumas}) > 1:
        return None
    low, high = lumas[0], lumas[0]
    for luma in lumas:
        low, high = np.minimum(low, luma), np.maximum(high, luma)
    ends = []
    for axis in (1, 0):  # rows, then columns
        darkest, brightest = low.min(axis=axis).astype(int), high.max(axis=axis).astype(int)
        black = (brightest <= _BLACK) & (brightest - darkest <= _EVEN)
        if black.all():
            return None
        ends += [_leading(black) / len(black), _leading(black[::-1]) / len(black)]
    return Bars(*ends) if any(ends) else None


def _leading(marks: npt.NDArray[np.bool_]) -> int:
    """How many are set before the first that is not; one is not."""
    return int(np.argmin(marks))


def _even(length: float) -> int:
    """The next even number of pixels."""
    return -(-round(length) // 2) * 2

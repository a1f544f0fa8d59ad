"""Where in a frame the object may be: what lies beyond is background without being worked out.

Most objects leave half of the frame or more to what is around them. Where all scores are low, neither colours nor the
pixels around can make an object of them: those of one colour with the object are in the filter's reach of it, which is
kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

# A chance of 0.05 that all colours speak for is one of 0.28 (`colours._MOST`), and where those around have no more, the
# mean field makes it less with every round.
_MAYBE = 0.05


@dataclass(frozen=True)
class Region:
    """Some frames, and a box of the working picture in them."""

    frames: slice
    rows: slice
    columns: slice

    def of_planes(self, planes: torch.Tensor) -> torch.Tensor:
        """What is there of (N, C, y, x): a view."""
        return planes[self.frames, :, self.rows, self.columns]

    def of_pixels(self, pixels: torch.Tensor, cell: int) -> torch.Tensor:
        """What is there of (N, H, W, ...), whose cells of so many pixels each are the working picture's: a view, up to
        where the last cells end in the frame."""
        rows, columns = (slice(s.start * cell, s.stop * cell) for s in (self.rows, self.columns))
        return pixels[self.frames, rows, columns]


def regions(scores: torch.Tensor, reach: int) -> Iterator[Region]:
    """Where the object may be, in each frame that it may be in at all.

    On a GPU that is everywhere, in all frames at once: what it has found there, the CPU would have to wait for.

    Args:
        scores: (N, C, y, x) float32 of the parts, on the working picture.
        reach: pixels of the working picture around it that tell of it.
    """
    if scores.device.type != "cpu":
        yield Region(*(slice(0, scores.shape[axis]) for axis in (0, 2, 3)))
        return
    for i, maybe in enumerate(scores.sum(1) > _MAYBE):
        lines = [maybe.any(axis).nonzero().flatten().tolist() for axis in (1, 0)]
        if lines[0]:
            yield Region(slice(i, i + 1), *(slice(max(0, at[0] - reach), at[-1] + 1 + reach) for at in lines))

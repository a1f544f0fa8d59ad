"""Black bars beside a picture, as a film has in a video of another shape: where the picture between them is."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ..active_area import ActiveArea
from ..frames import Pixels, why_too_slim
from ..luma import small_luma
from .selection import spread

_LOOKED_AT = 16  # frames of a clip in which bars are to be seen before they are taken for such
_BLACK = 24  # of 255: video that keeps to the limited range has its black at 16
_EVEN = 8  # levels by which black differs along a bar, and from frame to frame
_ALONG = 0.5  # share of a bar's length along which something shows beside it: darkness has no such edge
_UNLIKE = 3  # rows or columns of a small picture by which the two bars may differ: a player puts it in the middle
_MIXED = 4  # rows or columns at a bar's edge in which the picture begins: compression blurs it
_Marks = npt.NDArray[np.bool_]


def looked_at(selected: range) -> list[int]:
    """Positions of frames from all over a clip. The first is decoded soonest, and mostly enough."""
    return sorted({selected[0], *spread(selected, _LOOKED_AT)})


def active_area(frames: Iterable[Pixels]) -> ActiveArea | None:
    """Where the picture is, if all frames have black bars above and below it, or left and right of it, or both.

    What is dark by itself is not taken for a bar: bars are black all along and in all frames, end in a straight edge,
    and are as wide on one side as on the other. They are measured on small pictures, so that a line of a few pixels of
    them can be left.

    Args:
        frames: from all over a clip, each (H, W, 3) uint8, all of one size. Drawn only as long as bars are likely.

    Returns:
        None where there are no bars, and where all is black.
    """
    low = high = None
    size = 0, 0
    for frame in frames:
        luma, size = small_luma(frame), (frame.shape[0], frame.shape[1])
        low = luma if low is None else np.minimum(low, luma)
        high = luma if high is None else np.maximum(high, luma)
        rows, columns = _black(low, high)
        if not (rows[0] and rows[-1]) and not (columns[0] and columns[-1]):
            return None
    if low is None or high is None:
        return None
    rows, columns = _black(low, high)
    if rows.all():
        return None
    top, bottom = _between(rows, high)
    left, right = _between(columns, high[top:bottom].T)
    down, across = size[0] / len(rows), size[1] / len(columns)
    area = ActiveArea(
        top := int(top * down),
        left := int(left * across),
        min(math.ceil(bottom * down), size[0]) - top,  # a product of floats may be a little more
        min(math.ceil(right * across), size[1]) - left,
    )
    return None if area.size == size or why_too_slim(area.size) is not None else area


def told(area: ActiveArea) -> str:
    """What the user is told, as the rest of a sentence."""
    return (
        f"has black bars beside a picture of {area.width}x{area.height}; the object is looked for in the picture alone"
    )


def _black(low: Pixels, high: Pixels) -> tuple[_Marks, _Marks]:
    """Which rows and which columns of a clip's darkest and brightest pixels are black all along."""

    def along(axis: int) -> _Marks:
        darkest, brightest = low.min(axis=axis).astype(int), high.max(axis=axis).astype(int)
        return np.asarray((brightest <= _BLACK) & (brightest - darkest <= _EVEN))

    return along(1), along(0)


def _between(black: _Marks, high: Pixels) -> tuple[int, int]:
    """The first row between two bars, and the row at which the second begins; all rows where those are no bars.

    Args:
        black: which rows are black.
        high: (y, x) the brightest that each pixel is in any frame.
    """
    count = len(black)
    first, stop = int(np.argmin(black)), count - int(np.argmin(black[::-1]))
    edges = high[first : first + _MIXED], high[max(0, stop - _MIXED) : stop]
    straight = all((edge.max(axis=0) > _BLACK).mean() >= _ALONG for edge in edges)
    alike = first and stop < count and abs(first - (count - stop)) <= _UNLIKE
    return (first, stop) if alike and straight else (0, count)

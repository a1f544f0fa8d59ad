"""Painting: part colours blended over frames, a line around each part, a checkerboard behind cut-out parts.

Pure functions. They work on the part pixels alone, gathered and scattered by a Boolean mask over three-byte pixels
(numpy moves those several times faster than rows of three numbers): about 2 ms for a frame of 1280 x 720.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..frames import Pixels
from .palette import check_colours

CHECKERBOARD = ((204, 204, 204), (255, 255, 255))
"""The two greys of the checkerboard, the first at the top left."""
_LIGHTER = 0.45  # how far a line's colour goes from its part's colour to white

_Mask = npt.NDArray[np.bool_]


def paint(pixels: Pixels, labels: Pixels, colours: Pixels, alpha: float, outline: int) -> Pixels:
    """The frames with their parts painted on. Background pixels keep every bit.

    Args:
        pixels: (N, H, W, 3) uint8, left as they are.
        labels: (N, H, W) uint8, 0 background, 1..P parts.
        colours: (P+1, 3) uint8, the colour of each label; the background's is not used.
        alpha: opacity of the colours, 0 to 1; taken in steps of 1/256.
        outline: width in pixels of the line around each part, 0 for none. The line lies inside the part, in a
            lighter tone of its colour; between two parts it lies in the one of the higher number.

    Returns:
        (N, H, W, 3) uint8, new.

    Raises:
        ValueError: shapes or types do not fit, a label has no colour, or alpha or outline is out of range.
    """
    _check(pixels, labels, colours, alpha, outline)
    painted: Pixels = pixels.copy()  # in C order whatever the order of pixels, as the fast path needs it
    for frame, marks in zip(painted, labels, strict=True):
        _paint_parts(frame, marks, frame, colours, alpha, outline)
    return painted


def side_by_side(pixels: Pixels, labels: Pixels, colours: Pixels, alpha: float, outline: int) -> Pixels:
    """The frames on the left; on the right their parts, painted as `paint` does, on a checkerboard.

    Takes what `paint` takes. Returns (N, H, 2W, 3) uint8; the left half is ``pixels`` bit for bit.
    """
    _check(pixels, labels, colours, alpha, outline)
    n, height, width = labels.shape
    both = np.empty((n, height, 2 * width, 3), np.uint8)
    both[:, :, :width] = pixels
    board = checkerboard(height, width)
    for frame, marks in zip(both, labels, strict=True):
        left, right = frame[:, :width], frame[:, width:]
        right[:] = board
        _paint_parts(left, marks, right, colours, alpha, outline)
    return both


def inner_border(labels: Pixels, width: int) -> _Mask:
    """(H, W) bool: the part pixels within ``width`` pixels of a lower label (background is the lowest).

    So a part is lined along its own inside, and two parts that touch share one line. The distance is counted in
    steps to the four neighbours for every odd step and the eight neighbours for every even one, which keeps wide
    lines close to round. The picture's own edge is no border.
    """
    lowest = labels
    for step in range(width):
        spread = lowest.copy()
        np.minimum(spread[1:], lowest[:-1], out=spread[1:])
        np.minimum(spread[:-1], lowest[1:], out=spread[:-1])
        # Even steps widen the already widened rows, which reaches the corners too.
        source = spread.copy() if step % 2 else lowest
        np.minimum(spread[:, 1:], source[:, :-1], out=spread[:, 1:])
        np.minimum(spread[:, :-1], source[:, 1:], out=spread[:, :-1])
        lowest = spread
    border: _Mask = lowest < labels
    return border


def outline_colours(colours: Pixels) -> Pixels:
    """(P+1, 3) uint8: the colour of the line around each part, a lighter tone of its own."""
    lighter: Pixels = (colours + (255.0 - colours) * _LIGHTER).round().astype(np.uint8)
    return lighter


@lru_cache(maxsize=4)
def checkerboard(height: int, width: int) -> Pixels:
    """(H, W, 3) uint8, read-only: light squares, some 45 of them along the height of a frame."""
    side = max(2, round(height / 45))
    odd = (np.arange(height)[:, None] // side + np.arange(width)[None] // side) % 2
    board: Pixels = np.array(CHECKERBOARD, np.uint8)[odd]
    board.flags.writeable = False
    return board


def _paint_parts(before: Pixels, labels: Pixels, after: Pixels, colours: Pixels, alpha: float, outline: int) -> None:
    """Write the part pixels of one frame into ``after``, which may be ``before``; the others stay.

    Both are (H, W, 3) with the three numbers of a pixel side by side in memory.
    """
    rows, columns = _box(labels)
    labels = labels[rows, columns]
    if not labels.size:
        return
    part = labels != 0
    found = labels[part]
    if found.max() >= len(colours):
        raise ValueError(f"label {found.max()} has no colour: there are colours for {len(colours) - 1} parts")

    # colour * share + pixel * (256 - share), in 16 bits: at most 255 * 256 + 128.
    share = round(alpha * 256)
    inked = colours * np.uint16(share) + np.uint16(128)  # (P+1, 3), with the half that rounds
    blended = _whole(before[rows, columns])[part].view(np.uint8).reshape(-1, 3) * np.uint16(256 - share)
    blended += _whole(inked).take(found).view(np.uint16).reshape(-1, 3)
    blended >>= np.uint16(8)
    target = _whole(after[rows, columns])
    target[part] = _whole(blended.astype(np.uint8))

    if outline:
        line = inner_border(labels, outline)
        target[line] = _whole(outline_colours(colours)).take(labels[line])


def _box(labels: Pixels) -> tuple[slice, slice]:
    """The rows and columns that hold all parts, with a margin of one background pixel where there is one."""
    rows = np.flatnonzero(labels.any(1))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    top, bottom = max(int(rows[0]) - 1, 0), int(rows[-1]) + 2
    columns = np.flatnonzero(labels[top:bottom].any(0))
    return slice(top, bottom), slice(max(int(columns[0]) - 1, 0), int(columns[-1]) + 2)


def _whole(triples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(..., 3) numbers as (...) items of three, sharing memory, so that numpy moves each in one go."""
    return triples.view(f"V{3 * triples.itemsize}")[..., 0]


def _check(pixels: Pixels, labels: Pixels, colours: Pixels, alpha: float, outline: int) -> None:
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be (N, H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    if labels.shape != pixels.shape[:3] or labels.dtype != np.uint8:
        raise ValueError(f"labels must be {pixels.shape[:3]} uint8, got {labels.shape} {labels.dtype}")
    check_colours(colours)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    if outline < 0:
        raise ValueError(f"outline must not be negative, got {outline}")

"""Two pictures side by side, with dots of one number and colour where both show the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ...frames import Pixels
from ...painting.palette import MAX_PARTS, part_colour
from ...pairs.correspondences import Correspondence
from .dots import at_height, put_dot, shown_height

_GAP = 1 / 50  # between the two, of their height
_GROUND = (255, 255, 255)


def pair_picture(one: Pixels, other: Pixels, pairs: Sequence[Correspondence]) -> Pixels:
    """Both pictures at one height, with numbered dots.

    Args:
        one: (H, W, 3) uint8.
        other: the same of another size.
        pairs: in pixels of the pictures; number 1 is the first, and lies on top.

    Returns:
        (H, W, 3) uint8.
    """
    height = shown_height(one, other)
    board, starts = beside(at_height(one, height), at_height(other, height))
    for k, pair in reversed(list(enumerate(pairs, start=1))):
        colour = part_colour((k - 1) % MAX_PARTS + 1)
        for (x, y), picture, start in zip((pair.one, pair.other), (one, other), starts, strict=True):
            scale = height / picture.shape[0]
            width = max(1, round(picture.shape[1] * scale))
            put_dot(board, (start + x * width / picture.shape[1], y * scale), str(k), colour)
    return np.asarray(board)


def beside(left: Image.Image, right: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """Two pictures of one height with a gap between, and where each begins from the left."""
    start = left.width + round(left.height * _GAP)
    board = Image.new("RGB", (start + right.width, left.height), _GROUND)
    board.paste(left, (0, 0))
    board.paste(right, (start, 0))
    return board, (0, start)

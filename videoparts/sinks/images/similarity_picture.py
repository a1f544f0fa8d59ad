"""A picture with a point, beside another one coloured by how like that point it is."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from ...frames import Pixels
from ...pairs.described import Described
from ...pairs.similarity import SimilarityMap
from .dots import at_height, put_dot, shown_height
from .pair_picture import beside

_HEAT = 0.6  # opacity of the colours
_POINT = (255, 255, 255)
_MARK = (51, 221, 255)


def similarity_picture(
    one: Pixels, point: tuple[float, float], other: Pixels, described: Described, found: SimilarityMap
) -> Pixels:
    """The first picture with its point, and the second with the map over it, the nearest patches numbered.

    Args:
        one: (H, W, 3) uint8.
        point: x and y in its pixels.
        other: the picture that the map is of.
        described: the same, as the map was made from it.
        found: the map.

    Returns:
        (H, W, 3) uint8; the darkest colour is the least cosine of the map, the lightest the greatest.
    """
    height = shown_height(one, other)
    left, right = at_height(one, height), at_height(other, height)
    grid = described.grid
    low, high = found.cosines.min(), found.cosines.max()
    level = (found.cosines - low) / max(high - low, 1e-9)
    rows, columns = grid.row_weights(right.height).numpy(), grid.column_weights(right.width).numpy()
    heat = heat_colours()[np.rint((rows @ level @ columns.T) * 255).clip(0, 255).astype(np.uint8)]
    blended = np.rint(_HEAT * heat + (1 - _HEAT) * np.asarray(right)).astype(np.uint8)
    board, starts = beside(left, Image.fromarray(blended))
    put_dot(board, (point[0] * left.width / one.shape[1], point[1] * height / one.shape[0]), "", _POINT)
    for k, (x, y) in reversed(list(enumerate(found.nearest.tolist(), start=1))):
        at = (starts[1] + x * right.width / other.shape[1], y * height / other.shape[0])
        put_dot(board, at, str(k), _MARK)
    return np.asarray(board)


def heat_colours() -> Pixels:
    """(256, 3) uint8: from dark to light."""
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(table[:, 0, ::-1])

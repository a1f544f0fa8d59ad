"""Points in a picture's own pixels, and the patches that see them.

A point is (x, y), in pixels from the picture's top left corner, right and down: the pixel of column 0 and row 0 spans 0
to 1, and has its centre at 0.5, 0.5. A picture of W x H pixels holds the points from 0, 0 to W, H. So cutting off the
fraction gives the pixel that a point lies in, whatever size the picture is resized to.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import SettingsError
from ..grid import Grid

Points = npt.NDArray[np.float64]


def patch_points(grid: Grid, size: tuple[int, int]) -> Points:
    """The centres of all patches, row by row, in pixels of the picture: (h * w, 2) x and y.

    Args:
        grid: of the resized picture.
        size: (height, width) of the picture itself.
    """
    down, right = _ratios(grid, size)
    y, x = _centres(grid.rows, grid) * down, _centres(grid.columns, grid) * right
    return np.stack([np.tile(x, len(y)), np.repeat(y, len(x))], axis=-1)


def patches_at(grid: Grid, size: tuple[int, int], points: Points) -> npt.NDArray[np.int64]:
    """The patch, (k,) counted row by row, whose centre is nearest to each point (k, 2) of the picture.

    Of a point halfway between two it is the right or the lower one. Takes what `patch_points` takes.
    """
    down, right = _ratios(grid, size)
    row = _nearest(points[:, 1] / down, grid.rows, grid)
    column = _nearest(points[:, 0] / right, grid.columns, grid)
    return np.asarray(row * grid.columns + column)


def require_inside(points: Points, size: tuple[int, int], what: str) -> None:
    """Raise SettingsError for the first of points (k, 2) that lies outside a picture of ``size`` (height, width).

    ``what`` begins the message: it says which picture.
    """
    height, width = size
    for x, y in points.tolist():
        if not (0 <= x <= width and 0 <= y <= height):
            raise SettingsError(
                f"{what}: the point {x:g},{y:g} lies outside of it; x goes from 0 to {width}, y from 0 to {height}"
            )


def _centres(count: int, grid: Grid) -> Points:
    return grid.patch / 2 + grid.stride * np.arange(count, dtype=np.float64)


def _nearest(along: Points, count: int, grid: Grid) -> npt.NDArray[np.int64]:
    position = (along - grid.patch / 2) / grid.stride
    return np.asarray(np.floor(position + 0.5).clip(0, count - 1), dtype=np.int64)


def _ratios(grid: Grid, size: tuple[int, int]) -> tuple[float, float]:
    """Pixels of the picture a pixel of the resized one, down and right."""
    return size[0] / grid.height, size[1] / grid.width

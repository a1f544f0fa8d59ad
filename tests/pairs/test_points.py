"""Pixels of a picture to patches and back, against sums in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from videoparts.errors import SettingsError
from videoparts.grid import Grid
from videoparts.pairs.points import patch_points, patches_at, require_inside

SIZES = [(97, 131), (131, 97), (333, 777), (448, 448), (1279, 961), (15, 14), (2161, 3841)]
GRIDS = [(448, 14, 14), (448, 14, 7), (224, 8, 4), (57, 14, 2), (14, 14, 14)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("load", "patch", "stride"), GRIDS)
def test_centres_are_exact(size: tuple[int, int], load: int, patch: int, stride: int) -> None:
    grid = Grid.fit(size, load, patch, stride)
    points = patch_points(grid, size)
    assert len(points) == grid.rows * grid.columns
    for k in {0, len(points) // 2, len(points) // 3, len(points) - 1}:
        row, column = divmod(k, grid.columns)
        # the patch covers so many of the resized picture's pixels, and so many of its own
        x = Fraction(2 * column * stride + patch, 2) * size[1] / grid.width
        y = Fraction(2 * row * stride + patch, 2) * size[0] / grid.height
        assert points[k] == pytest.approx((float(x), float(y)), abs=1e-9)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("load", "patch", "stride"), GRIDS)
def test_there_and_back(size: tuple[int, int], load: int, patch: int, stride: int) -> None:
    grid = Grid.fit(size, load, patch, stride)
    points = patch_points(grid, size)
    assert np.array_equal(patches_at(grid, size, points), np.arange(len(points)))


def test_the_nearest_centre_is_taken() -> None:
    size = (333, 777)
    grid = Grid.fit(size, 100, 14, 7)
    points = patch_points(grid, size)
    given = np.random.default_rng(0).uniform((0, 0), size[::-1], (500, 2))
    given = np.concatenate([given, [(0, 0), (777, 333), (777, 0), (0, 333)]])
    off = np.linalg.norm(given[:, None] - points[None], axis=-1)
    assert np.allclose(off[np.arange(len(given)), patches_at(grid, size, given)], off.min(axis=1))


def test_a_mirrored_picture_has_mirrored_centres() -> None:
    """A half pixel lost on one side would show."""
    size = (211, 307)
    points = patch_points(grid := Grid.fit(size, 112, 14, 7), size).reshape(grid.rows, grid.columns, 2)
    assert np.allclose(points[::-1, ::-1], np.array(size[::-1]) - points)


@pytest.mark.parametrize("point", [(-0.5, 10), (10, 33.5), (41, 1), (float("nan"), 1), (float("inf"), 1)])
def test_outside(point: tuple[float, float]) -> None:
    with pytest.raises(SettingsError, match=r"a\.jpg: the point .* lies outside of it; x goes from 0 to 40, y .* 33"):
        require_inside(np.array([(0.0, 0.0), (40.0, 33.0), point]), (33, 40), "a.jpg")

"""Islands, holes and crumbs, on labels that are painted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from videoparts.frames import Pixels
from videoparts.refine.specks import without_specks


def body() -> Pixels:
    """Two parts, side by side, 1,000 and 600 pixels."""
    labels = np.zeros((60, 90), dtype=np.uint8)
    labels[10:50, 20:45] = 1
    labels[10:50, 45:60] = 2
    return labels


def cleaned(labels: Pixels, share: float) -> Pixels:
    """Where all that has a part is certain."""
    return without_specks(labels, np.ones(labels.shape, np.float32), share)


def test_small_islands_go_and_large_ones_stay() -> None:
    labels = body()
    labels[2:5, 2:7] = 2  # 15 of 1,600 pixels
    labels[30:34, 70:75] = 1  # 20
    wanted = body()
    wanted[30:34, 70:75] = 1
    assert np.array_equal(cleaned(labels, 0.0125), wanted)
    assert np.array_equal(cleaned(labels, 0.0126), body())


@pytest.mark.parametrize(("best", "stays"), [(0.5, True), (0.43, True), (0.41, False), (0.0, False)])
@pytest.mark.parametrize("cell", [1, 3, 4])
def test_an_island_stays_that_is_certain_somewhere(best: float, stays: bool, cell: int) -> None:
    labels = body()
    labels[28:40, 66:78] = 1
    chances = np.full((-(-60 // cell), -(-90 // cell)), 0.6, np.float32)  # as certain as anything in the frame
    around = slice(28 // cell, 39 // cell + 1), slice(66 // cell, 77 // cell + 1)
    chances[around] = 0.2
    chances[33 // cell, 72 // cell] = best
    assert np.array_equal(without_specks(labels, chances, 0.01), labels if stays else body())


def test_the_largest_piece_need_not_be_certain() -> None:
    labels = body()
    labels[28:40, 66:78] = 2
    chances = np.full(labels.shape, 0.3, np.float32)
    chances[28:40, 66:78] = 0.9
    assert np.array_equal(without_specks(labels, chances, 0.01), labels)


def test_what_lies_within_an_island_that_goes_is_judged_by_itself() -> None:
    labels = body()
    labels[16:24, 72:80] = 1
    wanted = labels.copy()
    labels[[10, 30], 66:87] = 2
    labels[10:31, [66, 86]] = 2
    chances = np.ones(labels.shape, np.float32)
    chances[labels == 2] = 0.6
    chances[10:50, 45:60] = 1
    assert np.array_equal(without_specks(labels, chances, 0.01), wanted)


def test_what_touches_at_a_corner_is_no_island() -> None:
    labels = body()
    labels[8:10, 18:20] = 1
    assert np.array_equal(cleaned(labels, 0.01), labels)


def test_small_holes_are_filled_with_the_part_around() -> None:
    labels = body()
    labels[20:23, 30:32] = 0  # in part 1
    labels[20:22, 55:57] = 0  # in part 2
    assert np.array_equal(cleaned(labels, 0.01), body())
    labels[40:43, 30:34] = 0  # 12 pixels: too large to be none
    wanted = body()
    wanted[40:43, 30:34] = 0
    assert np.array_equal(cleaned(labels, 0.01), wanted)


def test_a_bay_is_no_hole() -> None:
    labels = body()
    labels[10:14, 30:31] = 0
    assert np.array_equal(cleaned(labels, 0.01), labels)


def test_crumbs_of_a_part_go_to_the_part_around() -> None:
    labels = body()
    labels[20:22, 30:33] = 2
    labels[30, 59] = 1  # at the edge of the object
    assert np.array_equal(cleaned(labels, 0.01), body())


def test_a_part_that_is_small_as_a_whole_stays() -> None:
    labels = body()
    labels[20:22, 30:33] = 3
    assert np.array_equal(cleaned(labels, 0.01), labels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (40, 50)])
@pytest.mark.parametrize("value", [0, 1, 255])
def test_one_label_everywhere_is_left_alone(shape: tuple[int, int], value: int) -> None:
    labels = np.full(shape, value, dtype=np.uint8)
    assert np.array_equal(cleaned(labels, 0.01), labels)


def test_zero_keeps_everything_and_nothing_given_is_written_to() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (50, 70)).astype(np.uint8)
    before = labels.copy()
    assert np.array_equal(cleaned(labels, 0), before)
    assert cleaned(labels, 0.3).dtype == np.uint8
    assert np.array_equal(labels, before)


def test_noise_is_taken_off() -> None:
    random = np.random.default_rng(1)
    labels = body()
    noisy = random.random(labels.shape) < 0.02
    labels[noisy] = random.integers(0, 3, int(noisy.sum()))
    found = cleaned(labels, 0.01)
    assert set(np.unique(found)) <= {0, 1, 2}
    inner = body()[12:48, 22:43]
    assert (found[12:48, 22:43] == inner).mean() > 0.999

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from media import disc

from videoparts.refine.mattes import agreeing_matte, part_mattes

Pixels = npt.NDArray[np.uint8]


def halves(matte: Pixels, at: int = 150) -> Pixels:
    """Labels: part 1 on the left, part 2 on the right."""
    x = np.arange(matte.shape[1])
    return np.where(matte > 127, np.where(x < at, 1, 2), 0).astype(np.uint8)


def test_a_matte_that_agrees_is_left_alone() -> None:
    matte = disc()
    labels = halves(matte)
    assert np.array_equal(agreeing_matte(matte, labels, labels), matte)


def test_what_is_unsure_far_from_the_outline_is_sure() -> None:
    matte = disc()
    labels = halves(matte)
    unsure = matte.copy()
    unsure[110:130, 120:180] = 180  # deep inside
    unsure[5:15, 250:300] = 90  # far outside
    assert np.array_equal(agreeing_matte(unsure, labels, labels), matte)


def test_a_speck_leaves_no_fringe_and_a_filled_hole_no_shade() -> None:
    clean = disc()
    labels = halves(clean)
    before, matte = labels.copy(), clean.copy()
    speck = cv2.circle(np.zeros_like(clean), (226, 120), 3, 255, -1, cv2.LINE_AA)  # an island beside the object
    hole = cv2.circle(np.zeros_like(clean), (90, 120), 3, 255, -1, cv2.LINE_AA)  # a hole near its outline
    matte = np.minimum(np.maximum(matte, speck), 255 - hole)
    before[speck > 127], before[hole > 127] = 2, 0
    mended = agreeing_matte(matte, labels, before)
    far = (np.abs(clean.astype(int) - 127) > 126) | (cv2.dilate(speck | hole, np.ones((7, 7))) == 0)
    assert np.array_equal(mended[far], clean[far])
    assert ((mended > 127) == (labels > 0)).all()


def test_parts_add_up_to_the_object_exactly() -> None:
    random = np.random.default_rng(0)
    labels = cv2.resize(random.integers(0, 6, (12, 16), dtype=np.uint8), (320, 240), interpolation=cv2.INTER_NEAREST)
    labels[:, ::37] = np.where(labels[:, ::37] > 0, 3, 0)  # lines of one pixel
    hard = np.where(labels > 0, 255, 0).astype(np.uint8)
    matte = cv2.GaussianBlur(hard, (5, 5), 1.2)
    matte = agreeing_matte(matte, labels, labels)
    mattes = part_mattes(matte, labels, [1, 2, 3, 4, 5])
    assert np.array_equal(mattes.sum(0, dtype=np.int64), matte)
    assert np.array_equal(np.where(matte > 127, mattes.argmax(0) + 1, 0), labels)
    assert part_mattes(matte, labels, [4, 2]).tobytes() == mattes[[3, 1]].tobytes()


def test_a_part_is_whole_inside_and_passes_into_the_next_within_two_pixels() -> None:
    matte = disc()
    left, right = part_mattes(matte, halves(matte), [1, 2])
    row = left[120].astype(int)
    assert (row[82:148] == 255).all()
    assert (row[152:] == 0).all()
    assert (np.diff(row[147:154]) < 1).all()
    assert 0 < row[149] < 255
    assert row[149] + row[150] == pytest.approx(255, abs=1)  # the seam lies between them
    assert np.array_equal(left + right, matte)


def test_a_fringe_is_of_the_nearest_part() -> None:
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 10:30], labels[20:40, 30:50] = 7, 3
    matte = np.where(labels > 0, 255, 0).astype(np.uint8)
    matte[18:20, 10:50] = 60
    mattes = dict(zip((3, 7), part_mattes(matte, labels, [3, 7]), strict=True))
    assert (mattes[7][18:20, 10:27] == 60).all()
    assert (mattes[3][18:20, 33:50] == 60).all()


@pytest.mark.parametrize("labels", [np.zeros((9, 7), np.uint8), np.ones((9, 7), np.uint8)])
def test_nothing_and_everything(labels: Pixels) -> None:
    matte = agreeing_matte(labels * 255, labels, labels)
    assert np.array_equal(part_mattes(matte, labels, [1])[0], labels * 255)

from __future__ import annotations

import numpy as np

from videoparts.editing.divided import divided

WITHIN = (1, 2, 1)  # finer labels 1 and 3 lie in 1, 2 lies in 2


def test_finer_labels_never_leave_their_part() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, (20, 30), dtype=np.uint8).repeat(3, 0).repeat(3, 1)
    finer = random.integers(0, 4, labels.shape, dtype=np.uint8)
    result = divided(labels, finer, WITHIN)
    assert np.array_equal(np.array([0, *WITHIN])[result], labels)
    agree = np.array([0, *WITHIN])[finer] == labels
    assert np.array_equal(result[agree], finer[agree])


def test_where_they_differ_the_nearest_counts() -> None:
    labels = np.zeros((9, 20), np.uint8)
    labels[2:7, 2:18] = 1
    finer = np.zeros_like(labels)
    finer[3:6, 3:10], finer[3:6, 10:17] = 1, 3  # smaller by a pixel all around
    result = divided(labels, finer, WITHIN)
    assert (result[2:7, 2:9] == 1).all()
    assert (result[2:7, 11:18] == 3).all()
    assert np.array_equal(result > 0, labels > 0)


def test_a_part_that_finer_labels_do_not_know_has_the_first_of_its_own() -> None:
    labels = np.full((4, 4), 1, np.uint8)
    assert (divided(labels, np.full((4, 4), 2, np.uint8), WITHIN) == 1).all()
    assert (divided(labels * 0, labels, WITHIN) == 0).all()

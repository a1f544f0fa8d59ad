"""Scores against slow oracles, scikit-learn, and cases that can be worked out by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from videoparts.evaluation.metrics import (
    Mask,
    agreement_along,
    ari,
    boundary,
    boundary_f,
    box_positions,
    contingency,
    jaccard,
    nmi,
    part_agreement,
    temporal_agreement,
)
from videoparts.flow.dense import dense_flow
from videoparts.frames import Pixels

NOTHING, ALL = np.zeros((20, 30), bool), np.ones((20, 30), bool)


def blob(seed: int, shape: tuple[int, int] = (24, 31)) -> Mask:
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2) > 0.02)


def box(shape: tuple[int, int], rows: slice, columns: slice) -> Mask:
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


class TestJ:
    def test_by_hand(self) -> None:
        a, b = box((10, 10), slice(0, 4), slice(0, 4)), box((10, 10), slice(2, 6), slice(0, 4))
        assert jaccard(a, b) == 8 / 24
        assert jaccard(a, a) == 1

    def test_empty(self) -> None:
        assert jaccard(NOTHING, NOTHING) == 1
        assert jaccard(NOTHING, ALL) == 0
        assert jaccard(ALL, NOTHING) == 0


def slow_boundary(mask: Mask) -> Mask:
    height, width = mask.shape
    out = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            for v, u in ((y, x + 1), (y + 1, x), (y + 1, x + 1)):
                if v < height and u < width and mask[v, u] != mask[y, x]:
                    out[y, x] = True
    return out


def slow_f(predicted: Mask, truth: Mask, tolerance: float) -> float:
    ours, theirs = np.argwhere(slow_boundary(predicted)), np.argwhere(slow_boundary(truth))
    if len(ours) == 0 or len(theirs) == 0:
        return float(len(ours) == len(theirs))
    radius = math.ceil(tolerance * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2))
    near = ((ours[:, None] - theirs[None]) ** 2).sum(axis=2) <= radius**2
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    return 0.0 if precision + recall == 0 else float(2 * precision * recall / (precision + recall))


class TestF:
    @pytest.mark.parametrize("shape", [(24, 31), (1, 9), (9, 1), (1, 1), (2, 2)])
    def test_the_boundary_is_that_of_the_loop(self, shape: tuple[int, int]) -> None:
        for seed in range(5):
            mask = np.random.default_rng(seed).random(shape) < 0.5
            assert np.array_equal(boundary(mask), slow_boundary(mask))

    @pytest.mark.parametrize("tolerance", [0.008, 0.05, 0.1])
    def test_it_is_that_of_all_distances(self, tolerance: float) -> None:
        seen = set()
        for seed in range(12):
            a, b = blob(2 * seed), blob(2 * seed + 1)
            assert boundary_f(a, b, tolerance) == pytest.approx(slow_f(a, b, tolerance), abs=1e-12)
            seen.add(round(boundary_f(a, b, tolerance), 6))
        assert len(seen) > 6

    @pytest.mark.parametrize(("shift", "wanted"), [(0, 1.0), (8, 1.0), (9, 0.0)])
    def test_its_radius_at_480p_is_eight_pixels(self, shift: int, wanted: float) -> None:
        # ceil(0.008 * hypot(480, 854)) = ceil(7.84)
        truth, predicted = np.zeros((480, 854), bool), np.zeros((480, 854), bool)
        truth[:, :400] = True
        predicted[:, : 400 + shift] = True
        assert boundary_f(predicted, truth) == wanted

    def test_by_hand(self) -> None:
        # An edge of 20 pixels that is found, and a false one of as many far from it: P = 1/2, R = 1.
        truth, predicted = np.zeros((20, 100), bool), np.zeros((20, 100), bool)
        truth[:, :30] = True
        predicted[:, :30] = predicted[:, 70:] = True
        assert boundary_f(predicted, truth) == pytest.approx(2 * 0.5 / 1.5)
        assert boundary_f(truth, predicted) == pytest.approx(2 * 0.5 / 1.5)

    def test_without_boundary(self) -> None:
        some = box((20, 30), slice(5, 9), slice(5, 9))
        assert boundary_f(NOTHING, NOTHING) == 1
        assert boundary_f(NOTHING, some) == 0
        assert boundary_f(some, NOTHING) == 0
        assert boundary_f(ALL, some) == 0


def slow_agreement(a: Pixels, b: Pixels, counted: Mask) -> float | None:
    shared = union = 0
    for part in range(1, 256):
        shared += int(((a == part) & (b == part) & counted).sum())
        union += int((((a == part) | (b == part)) & counted).sum())
    return shared / union if union else None


class TestT:
    def scene(self) -> tuple[Pixels, Pixels, Pixels, Pixels]:
        """A texture that moves by (4, 3), and its four parts, before and after."""
        noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(160, 200)), (0, 0), 3)
        big = (128 + 50 * noise / noise.std()).clip(0, 255).astype(np.uint8)
        labels = np.zeros((160, 200), np.uint8)
        labels[40:80, 50:90], labels[40:80, 90:130] = 1, 2
        labels[80:120, 50:90], labels[80:120, 90:130] = 3, 4
        before, after = (slice(10, 150), slice(10, 190)), (slice(7, 147), slice(6, 186))
        return labels[before], labels[after], big[before], big[after]

    def test_parts_that_move_with_the_picture_agree(self) -> None:
        previous, labels, previous_luma, luma = self.scene()
        assert (previous != labels).mean() > 0.05
        assert temporal_agreement(previous, labels, previous_luma, luma) == pytest.approx(1, abs=0.03)

    def test_parts_that_stay_where_the_picture_moves_do_not(self) -> None:
        _, labels, previous_luma, luma = self.scene()
        stuck = temporal_agreement(labels, labels, previous_luma, luma)
        # Shifting 2 x 2 squares of 40 by (4, 3) against themselves, by hand:
        shared = 4 * 36 * 37
        assert stuck == pytest.approx(shared / (2 * 80 * 80 - shared), abs=0.03)

    def test_parts_that_change_their_numbers_do_not(self) -> None:
        previous, labels, previous_luma, luma = self.scene()
        swapped = np.array([0, 2, 1, 4, 3], np.uint8)[previous]
        assert temporal_agreement(swapped, labels, previous_luma, luma) == pytest.approx(0, abs=0.02)

    def test_pixels_whose_brightness_changes_do_not_count(self) -> None:
        still = np.full((60, 80), 100, np.uint8)
        previous, labels = np.ones((60, 80), np.uint8), np.ones((60, 80), np.uint8)
        labels[:, 40:] = 2
        brighter = still.copy()
        brighter[:, 40:] = 119
        assert temporal_agreement(previous, labels, still, brighter) == pytest.approx(1 / 3, abs=0.02)
        brighter[:, 40:] = 130
        assert temporal_agreement(previous, labels, still, brighter) == pytest.approx(1, abs=0.02)
        assert temporal_agreement(previous, labels, still, still + np.uint8(20)) is None

    def test_what_comes_in_over_the_edge_does_not_count(self) -> None:
        _, _, previous_luma, luma = self.scene()
        everywhere = np.ones_like(luma)
        assert temporal_agreement(everywhere, everywhere, previous_luma, luma) == 1

    def test_nothing_labelled_is_no_agreement(self) -> None:
        _, _, previous_luma, luma = self.scene()
        nothing = np.zeros_like(luma)
        assert temporal_agreement(nothing, nothing, previous_luma, luma) is None

    def test_a_flow_that_is_known_is_not_sought_again(self) -> None:
        previous, labels, previous_luma, luma = self.scene()
        flow = dense_flow(luma, previous_luma)
        t = temporal_agreement(previous, labels, previous_luma, luma)
        assert agreement_along(flow, previous, labels, previous_luma, luma) == t
        still = agreement_along(0 * flow, previous, labels, previous_luma, luma)
        assert still is not None
        assert t is not None
        assert still < t - 0.05

    def test_the_sum_over_parts_is_that_of_the_loop(self) -> None:
        random = np.random.default_rng(0)
        for parts in (1, 2, 5):
            a, b = random.integers(0, parts + 1, (2, 15, 20), dtype=np.uint8)
            for counted in (ALL[:15, :20], random.random((15, 20)) < 0.5, NOTHING[:15, :20]):
                assert part_agreement(a, b, counted) == slow_agreement(a, b, counted)


class TestParts:
    @pytest.mark.parametrize(("a", "b"), [(1, 3), (3, 1), (2, 2), (4, 6), (12, 5)])
    @pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
    def test_nmi_and_ari_are_those_of_scikit_learn(self, a: int, b: int, noise: float) -> None:
        random = np.random.default_rng(a * 100 + b)
        truth = random.integers(0, b, 500, dtype=np.uint8)
        predicted = np.where(random.random(500) < noise, random.integers(0, a, 500), truth % a).astype(np.uint8)
        table = contingency(predicted, truth)
        assert nmi(table) == pytest.approx(normalized_mutual_info_score(truth, predicted), abs=1e-12)
        assert ari(table) == pytest.approx(adjusted_rand_score(truth, predicted), abs=1e-12)

    def test_by_hand(self) -> None:
        # Four pixels of two parts each; one of them goes astray. Pairs: both 3 + 6, rows 3 + 10, columns 6 + 6, 28.
        table = np.array([[3, 0], [1, 4]])
        assert ari(table) == pytest.approx((9 - 13 * 12 / 28) / ((13 + 12) / 2 - 13 * 12 / 28))
        entropies = math.log(2) - 3 / 8 * math.log(3 / 8) - 5 / 8 * math.log(5 / 8)
        joint = -(3 / 8 * math.log(3 / 8) + 1 / 8 * math.log(1 / 8) + 1 / 2 * math.log(1 / 2))
        assert nmi(table) == pytest.approx(2 * (entropies - joint) / entropies)

    def test_the_names_of_labels_do_not_matter(self) -> None:
        random = np.random.default_rng(0)
        table = random.integers(0, 50, (5, 4))
        shuffled = table[random.permutation(5)][:, random.permutation(4)]
        assert nmi(shuffled) == pytest.approx(nmi(table))
        assert ari(shuffled) == pytest.approx(ari(table))
        assert nmi(np.diag([3, 9, 4])) == pytest.approx(1)
        assert ari(np.diag([3, 9, 4])) == 1

    def test_long_clips_do_not_overflow(self) -> None:
        table = np.array([[30, 2, 1], [4, 20, 8]], np.int64)
        assert ari(table * 10**11) == pytest.approx(ari(table * 10**4), abs=1e-3)
        assert nmi(table * 10**11) == pytest.approx(nmi(table))

    def test_nothing_to_compare(self) -> None:
        for score in (nmi, ari):
            with pytest.raises(ValueError, match="nothing to compare"):
                score(np.zeros((3, 3), np.int64))

    def test_the_table_counts_meetings(self) -> None:
        a, b = np.random.default_rng(0).integers(0, 256, (2, 40, 50), dtype=np.uint8)
        a[:5], b[:5] = 255, 255
        table = contingency(a, b)
        assert table.shape == (256, 256)
        assert table[255, 255] >= 250
        slow = np.zeros((256, 256), np.int64)
        for i, j in zip(a.ravel(), b.ravel(), strict=True):
            slow[i, j] += 1
        assert np.array_equal(table, slow)
        assert contingency(a[:0], b[:0]).sum() == 0


def test_positions_are_those_in_the_box_of_the_mask() -> None:
    mask = box((50, 60), slice(10, 12), slice(20, 24))
    mask[11, 21] = False
    x, y = box_positions(mask).T
    assert x.tolist() == [0.125, 0.375, 0.625, 0.875, 0.125, 0.625, 0.875]
    assert y.tolist() == [0.25] * 4 + [0.75] * 3
    moved = np.roll(mask, (7, -5), axis=(0, 1))
    assert np.array_equal(box_positions(moved), box_positions(mask))
    assert box_positions(NOTHING).shape == (0, 2)

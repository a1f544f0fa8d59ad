from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from videoparts.evaluation.metrics import agreement_along
from videoparts.flow.dense import warp
from videoparts.flow.links import link
from videoparts.luma import small_luma
from videoparts.reports.joints import Joint, JointCounter

Pixels = npt.NDArray[np.uint8]
SAME = np.arange(256, dtype=np.uint8)
MERGED = np.array([0, 2, 2, 3], np.uint8)


def frames(count: int) -> list[tuple[Pixels, Pixels]]:
    """A texture that moves to the right, with three bars as labels, and a label that is wrong here and there."""
    random = np.random.default_rng(0)
    texture = cv2.GaussianBlur(random.integers(0, 256, (160, 300, 3), dtype=np.uint8), (0, 0), 2)
    bars = np.zeros((160, 300), np.uint8)
    for k in (1, 2, 3):
        bars[30:130, 50 * k + 20 : 50 * k + 70] = k
    made = []
    for i in range(count):
        labels = bars[:, 40 - 2 * i : 260 - 2 * i].copy()
        wrong = random.random(labels.shape) < 0.1
        labels[wrong] = random.integers(0, 4, int(wrong.sum()), dtype=np.uint8)
        made.append((texture[:, 40 - 2 * i : 260 - 2 * i], labels))
    return made


def joints(clip: list[tuple[Pixels, Pixels]]) -> list[Joint]:
    counter = JointCounter()
    return [counter.add(*one) for one in clip]


@pytest.mark.parametrize("numbers", [SAME, MERGED])
def test_agreement_is_that_of_the_labels_as_they_are_called(numbers: Pixels) -> None:
    clip = frames(4)
    for (before, old), (here, new), joint in zip(clip, clip[1:], joints(clip)[1:], strict=False):
        lumas = small_luma(before), small_luma(here)
        wanted = agreement_along(link(*lumas).backward, numbers[old], numbers[new], *lumas)
        assert joint.agreement(numbers) == wanted
        assert wanted is not None
        assert 0.3 < wanted < 0.95


@pytest.mark.parametrize("numbers", [SAME, MERGED])
def test_flicker_is_that_of_three_frames(numbers: Pixels) -> None:
    clip = frames(3)
    luma = [small_luma(pixels) for pixels, _ in clip]
    first, second = link(luma[0], luma[1]), link(luma[1], luma[2])
    a, b = warp(numbers[clip[0][1]], first.backward), numbers[clip[1][1]]
    c = warp(numbers[clip[2][1]], second.forward)
    counted = (first.backward_trust > 0) & (second.forward_trust > 0)
    some = ((a > 0) | (b > 0) | (c > 0)) & counted
    wanted = ((a == c) & (b != a) & counted).sum() / some.sum()
    joint = joints(clip)[2]
    assert joint.flicker(numbers) == pytest.approx(wanted)
    assert 0.02 < wanted < 0.3


def test_the_first_frame_and_one_after_a_cut_have_nothing_before() -> None:
    clip = frames(3)
    other = (np.random.default_rng(9).integers(0, 256, clip[0][0].shape, dtype=np.uint8), clip[0][1])
    made = joints([*clip[:2], other, *clip[2:]])
    assert [joint.cut for joint in made] == [False, False, True, True]
    for joint in (made[0], made[2]):
        assert joint.agreement(SAME) is None
        assert joint.flicker(SAME) is None
    assert made[1].agreement(SAME) is not None


def test_a_counter_that_begins_two_frames_early_counts_the_same() -> None:
    clip = frames(5)
    late = joints(clip[1:])[2:]
    for joint, other in zip(joints(clip)[3:], late, strict=True):
        assert joint.cut == other.cut
        assert np.array_equal(joint.pairs, other.pairs)
        assert np.array_equal(joint.triples, other.triples)


def test_without_parts_there_is_nothing_to_count() -> None:
    clip = [(pixels, labels * 0) for pixels, labels in frames(3)]
    assert joints(clip)[2].agreement(SAME) is None
    assert joints(clip)[2].flicker(SAME) is None

"""Clips that teach each other, on scenes whose object is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scenes import Scene, Thing, box, overlap

from videoparts.foreground.joint_teaching import teach_together
from videoparts.sampling.sample import FrameSample, Sample

Mask = npt.NDArray[np.bool_]


def scene(seed: int) -> Scene:
    wanted = Thing(5, lambda i: box(6 + i % 3, 4 + 2 * i + seed, 6, 8), 3.0)
    poster = Thing(6, lambda _: box(3, 24, 7, 6), 3.0)
    return Scene([wanted, poster], frames=4, flowing=False, seed=seed)


def clips(found: Callable[[int, Scene], tuple[Mask, Mask]], count: int = 6) -> tuple[Sample, Mask]:
    """Scenes as clips, of each where it has evidence and marks; and where the object is."""
    frames: list[FrameSample] = []
    right = []
    for k in range(count):
        one = scene(k)
        sample = one.sample()
        evidence, marks = found(k, one)
        maps = zip(sample.frames, sample.maps(evidence.astype(np.float64)), sample.maps(marks), strict=True)
        frames += [replace(f, clip=k, evidence=e, mark=m) for f, e, m in maps]
        right.append(one.truth(1))
    return Sample(frames), np.concatenate(right)


def test_what_all_clips_have_marked_is_found() -> None:
    sample, right = clips(lambda k, one: (one.truth(1), one.truth(1)))
    certainty, probe = teach_together(sample)
    assert overlap(certainty > 0, right) > 0.97
    assert overlap(sample.tokens @ probe.weight.numpy() + probe.bias > 0, right) > 0.97


@pytest.mark.parametrize(("wrong", "count"), [(1, 6), (2, 12)])
def test_a_clip_that_marks_something_else_is_put_right_by_the_others(wrong: int, count: int) -> None:
    # Each has evidence of both things.
    sample, right = clips(lambda k, one: (one.truth(1, 2), one.truth(2 if k < wrong else 1)), count)
    certainty, _ = teach_together(sample)
    assert overlap(certainty > 0, right) > 0.95


def test_what_a_clip_has_no_evidence_of_is_not_marked_for_it() -> None:
    # What is the object in the others is there too; but this clip has evidence of something else only.
    sample, _ = clips(lambda k, one: (one.truth(2 if k == 0 else 1), one.truth(2 if k == 0 else 1)))
    certainty, _ = teach_together(sample)
    first = sample.frame < 4
    assert overlap((certainty > 0)[~first], clips(lambda k, one: (one.truth(1),) * 2)[1][~first]) > 0.95


def test_one_clip_keeps_its_marks() -> None:
    sample, right = clips(lambda k, one: (one.truth(1, 2), one.truth(1)), count=1)
    assert overlap(teach_together(sample)[0] > 0, right) > 0.97

"""What a batch says beforehand about how long it will take."""

from __future__ import annotations

from pathlib import Path

import pytest
from videoparts.pipelines.batches.clip import Clip
from videoparts.pipelines.batches.plan import Plan, Planned


def plan(*frames: int | None, size: tuple[int, int] = (480, 640)) -> Plan:
    clips = (Planned(Clip(Path(f"{k}.mp4"), str(k)), "to do", count, size) for k, count in enumerate(frames))
    return Plan(tuple(clips), ())


def seconds(given: Plan, keys: int = 1, sampled: int = 0, jobs: int = 1) -> float:
    found = given.seconds(0.2, given.clips[0], jobs, keys=keys, sampled=sampled)
    assert found is not None
    return found


def test_it_is_what_the_vit_takes_and_a_little_more() -> None:
    assert 200 < seconds(plan(1000)) < 300
    assert seconds(plan(1000, 1000)) == pytest.approx(2 * seconds(plan(1000)))
    assert seconds(plan(1000, 1000), jobs=2) == pytest.approx(seconds(plan(1000)))


def test_frames_that_the_vit_does_not_see_take_less() -> None:
    every, second, seventh = (seconds(plan(1000), keys=keys) for keys in (1, 2, 7))
    assert 0.5 * every < second < 0.8 * every
    assert seventh < 0.7 * second


def test_parts_that_are_known_need_no_fit() -> None:
    assert seconds(plan(1000), sampled=16) > seconds(plan(1000)) + 16 * 0.2
    assert seconds(plan(4), sampled=16) - seconds(plan(4)) < seconds(plan(1000), sampled=16) - seconds(plan(1000))


def test_a_wider_clip_has_more_patches() -> None:
    mixed = Plan((plan(100).clips[0], plan(100, size=(480, 1280)).clips[0]), ())
    assert seconds(mixed) == pytest.approx(3 * seconds(plan(100)))


def test_a_clip_whose_frames_are_not_counted_leaves_it_open() -> None:
    given = plan(100, None)
    assert given.seconds(0.2, given.clips[0], 1, keys=1, sampled=16) is None

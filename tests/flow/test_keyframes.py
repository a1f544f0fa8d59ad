"""Which frames are regular key frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from moving import texture

from videoparts.flow.keyframes import interval, stretches, surrounding
from videoparts.flow.links import Link, link
from videoparts.frames import FrameBatch, VideoInfo

Item = tuple[FrameBatch, Link | None]


@cache
def still() -> Link:
    return link(texture(0, 32, 32), texture(0, 32, 32))


def clip(indices: Sequence[int], cuts: Sequence[int] = ()) -> Iterator[Item]:
    """Frames with these indices; those in ``cuts`` come after a cut."""
    for k, index in enumerate(indices):
        at = np.array([index], dtype=np.int64)
        frame = FrameBatch(np.zeros((1, 2, 2, 3), np.uint8), at, at.copy(), Fraction(1, 25))
        yield frame, None if k == 0 else replace(still(), cut=index in cuts)


def indices(items: Iterator[Item], every: int, selected: range) -> list[list[int]]:
    return [[int(f.index[0]) for f in s.frames] for s in stretches(items, every, selected.index)]


def test_every_eighth_the_first_and_the_last() -> None:
    assert indices(clip(range(20)), 8, range(20)) == [[0], [*range(1, 9)], [*range(9, 17)], [17, 18, 19]]
    assert indices(clip(range(17)), 8, range(17)) == [[0], [*range(1, 9)], [*range(9, 17)]]
    assert indices(clip(range(1)), 8, range(1)) == [[0]]
    assert indices(iter(()), 8, range(1)) == []


def test_before_and_after_a_cut() -> None:
    assert indices(clip(range(12), [5]), 8, range(12)) == [[0], [1, 2, 3, 4], [5], [6, 7, 8], [9, 10, 11]]
    assert indices(clip(range(12), [8, 9]), 8, range(12)) == [[0], [*range(1, 8)], [8], [9], [10, 11]]
    alone = [s.is_alone for s in stretches(clip(range(12), [5]), 8, range(12).index)]
    assert alone == [True, False, True, False, False]


def test_it_is_the_place_among_the_selected_frames_that_counts() -> None:
    selected = range(3, 63, 3)
    assert indices(clip(selected), 8, selected) == [[3], [*range(6, 28, 3)], [*range(30, 52, 3)], [54, 57, 60]]


def test_where_a_key_frame_is_missing_the_next_one_takes_its_place() -> None:
    there = [i for i in range(20) if i not in (8, 9)]
    assert indices(clip(there), 8, range(20)) == [[0], [1, 2, 3, 4, 5, 6, 7, 10], [*range(11, 17)], [17, 18, 19]]


@pytest.mark.parametrize("first", [0, 8, 16])
def test_a_run_that_begins_at_a_regular_key_frame_has_the_same(first: int) -> None:
    whole = indices(clip(range(30), [13]), 8, range(30))
    late = indices(clip(range(first, 30), [13]), 8, range(30))
    assert late[0] == [first]
    assert late[1:] == whole[next(i for i, some in enumerate(whole) if some[-1] == first) + 1 :]


@pytest.mark.parametrize("every", [1, 3, 8])
@pytest.mark.parametrize(("first", "stop"), [(0, 1), (5, 9), (8, 17), (7, 30)])
def test_what_surrounds_frames_begins_and_ends_with_key_frames(first: int, stop: int, every: int) -> None:
    begin, end = surrounding(first, stop, every)
    assert end is not None
    assert begin <= first < stop <= end
    if every == 1:
        assert (begin, end) == (first, stop)
        return
    assert begin % every == 0 == (end - 1) % every
    assert begin == 0 or every <= first - begin < 2 * every
    assert every <= end - stop < 2 * every


def test_large_frames_have_them_closer_together() -> None:
    def info(height: int, width: int) -> VideoInfo:
        return VideoInfo("a.mp4", height, width, None, Fraction(1), Fraction(25))  # type: ignore[arg-type]

    assert [interval(8, info(h, 16 * h // 9)) for h in (720, 1080, 2160, 4320)] == [8, 8, 5, 1]

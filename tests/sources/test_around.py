"""Sampled frames with their neighbours: which, how often decoded, how many held."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Sequence
from fractions import Fraction

import numpy as np
import pytest

from videoparts.frames import FrameBatch
from videoparts.sources.around import Neighbourhood, neighbourhoods
from videoparts.sources.selection import spread


class Decoder:
    """Decodes a frame of one pixel that holds its position; counts, and looks which frames are still alive."""

    def __init__(self, broken: Sequence[int] = ()) -> None:
        self.broken = set(broken)
        self.decoded: list[int] = []
        self.most = 0
        self._alive: list[weakref.ref[FrameBatch]] = []

    def __call__(self, positions: Sequence[int], size: int) -> Generator[FrameBatch, None, None]:
        assert size == 1
        assert list(positions) == sorted(set(positions))
        for position in positions:
            if position in self.broken:
                continue
            self.decoded.append(position)
            at = np.array([position])
            batch = FrameBatch(np.full((1, 1, 1, 3), position, np.uint8), at, at, Fraction(1, 25))
            self._alive.append(weakref.ref(batch))
            self.most = max(self.most, sum(ref() is not None for ref in self._alive))
            yield batch


def numbers(found: Generator[Neighbourhood, None, None]) -> list[tuple[int | None, int, int | None]]:
    """What each shows: before, itself, after."""
    out = []
    for one in found:
        assert one.frame.pixels[0, 0, 0, 0] == one.frame.index[0]
        before = None if one.before is None else int(one.before[0, 0, 0])
        after = None if one.after is None else int(one.after[0, 0, 0])
        out.append((before, int(one.frame.index[0]), after))
    return out


@pytest.mark.parametrize("selected", [range(1), range(2), range(20), range(3, 50, 4), range(7, 8), range(0, 60, 2)])
@pytest.mark.parametrize("count", [1, 2, 5, 8, 100])
def test_the_frames_of_sample_with_those_around(selected: range, count: int) -> None:
    decoder = Decoder()
    found = numbers(neighbourhoods(decoder, selected, count))
    every, step = set(selected), selected.step
    wanted = [(p - step if p - step in every else None, p, p + step if p + step in every else None)
              for p in spread(selected, count)]  # fmt: skip
    assert found == wanted
    needed = {p for around in wanted for p in around if p is not None}
    assert decoder.decoded == sorted(needed)  # each once, and no other


@pytest.mark.parametrize("count", [1, 5, 100])
def test_nothing_else_is_decoded_where_nothing_is_wanted_beside(count: int) -> None:
    decoder = Decoder()
    found = numbers(neighbourhoods(decoder, range(0, 60, 2), count, 6, beside=False))
    wanted = sorted({*spread(range(0, 60, 2), count), 6})
    assert found == [(None, p, None) for p in wanted]
    assert decoder.decoded == wanted


@pytest.mark.parametrize("count", [5, 30, 60, 1000])  # far apart, every other one, all
def test_four_frames_at_most_are_held(count: int) -> None:
    decoder = Decoder()
    for _ in neighbourhoods(decoder, range(90), count):
        pass
    assert 2 <= decoder.most <= 4


def test_frames_that_cannot_be_decoded_are_left_out() -> None:
    # 2, 7, 12 and 17 are sampled
    found = numbers(neighbourhoods(Decoder(broken=[1, 7, 13, 18]), range(20), 4))
    assert found == [(None, 2, 3), (11, 12, None), (16, 17, None)]


def test_a_clip_of_which_every_other_frame_is_broken() -> None:
    found = numbers(neighbourhoods(Decoder(broken=range(1, 20, 2)), range(20), 20))
    assert found == [(None, p, None) for p in range(0, 20, 2)]


def test_a_clip_that_breaks_off() -> None:
    found = numbers(neighbourhoods(Decoder(broken=range(13, 20)), range(20), 4))
    assert found == [(1, 2, 3), (6, 7, 8), (11, 12, None)]


def test_what_comes_after_is_not_waited_for_longer_than_needed() -> None:
    decoder = Decoder()
    first = next(neighbourhoods(decoder, range(1000), 5))
    assert int(first.frame.index[0]) == 100
    assert decoder.decoded == [99, 100, 101]


@pytest.mark.parametrize("marked", [0, 2, 3, 6, 10, 19])
def test_the_marked_frame_comes_beside_the_others(marked: int) -> None:
    decoder = Decoder()
    found = list(neighbourhoods(decoder, range(20), 4, marked))
    positions = [int(one.frame.index[0]) for one in found]
    assert positions == sorted({2, 7, 12, 17, marked})
    assert [p for p, one in zip(positions, found, strict=True) if one.marked] == [marked]
    assert len(decoder.decoded) == len(set(decoder.decoded))
    assert numbers(iter(found))[positions.index(marked)] == (
        marked - 1 if marked else None,
        marked,
        marked + 1 if marked < 19 else None,
    )


def test_nothing_is_marked_unless_asked_for() -> None:
    assert not any(one.marked for one in neighbourhoods(Decoder(), range(20), 20))

"""Scores that are carried: against the frames' own, which are known."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from moving import coloured, texture

from videoparts.clock import StageClock
from videoparts.devices import MOST_AT_A_TIME
from videoparts.flow.carrying import carried
from videoparts.flow.keyframes import surrounding
from videoparts.flow.linked import linked
from videoparts.frames import FrameBatch, Pixels

HEIGHT, WIDTH, CELL, SIDE = 96, 144, 4, 32
TOLERANCE = 0.6


class Shots:
    """A textured square on a textured ground, and an extractor that knows where it is."""

    def __init__(self, places: list[tuple[int, int]], grounds: list[int] | None = None) -> None:
        self.places = places
        square = texture(9, SIDE, SIDE) // 2 + 128
        self.pixels = np.zeros((len(places), HEIGHT, WIDTH, 3), np.uint8)
        for i, (top, left) in enumerate(places):
            picture = texture(grounds[i] if grounds else 0, HEIGHT, WIDTH) // 2
            picture[top : top + SIDE, left : left + SIDE] = square
            self.pixels[i] = coloured(picture)
        self.seen: list[int] = []

    def truth(self, i: int) -> torch.Tensor:
        """(1, 2, y, x): the square's upper half and its lower half."""
        top, left = self.places[i]
        whole = torch.zeros(1, 2, HEIGHT, WIDTH)
        whole[:, 0, top : top + SIDE // 2, left : left + SIDE] = 1
        whole[:, 1, top + SIDE // 2 : top + SIDE, left : left + SIDE] = 1
        return torch.nn.functional.avg_pool2d(whole, CELL)

    def score(self, frame: FrameBatch) -> torch.Tensor:
        self.seen.append(int(frame.index[0]))
        return self.truth(self.seen[-1])

    def batches(self, size: int = 1, start: int = 0) -> Iterator[FrameBatch]:
        for at in range(start, len(self.places), size):
            some = np.arange(at, min(at + size, len(self.places)))
            yield FrameBatch(self.pixels[some], some, some.copy(), Fraction(1, 25))

    def carried(self, every: int, size: int = 1, start: int = 0, tolerance: float = TOLERANCE) -> torch.Tensor:
        self.seen.clear()
        items = linked(self.batches(size, start), lambda batch: batch)
        found = list(carried(items, every, tolerance, range(len(self.places)).index, self.score))
        assert [int(one.frames.index[0]) for one in found] == list(range(start, len(self.places)))
        return torch.cat([one.scores for one in found])

    def agreement(self, found: torch.Tensor) -> list[float]:
        """Intersection over union with the truth, of each frame's halves together."""
        result = []
        for i, one in enumerate(found):
            right = self.truth(i)[0]
            result.append(float(torch.minimum(one, right).sum() / torch.maximum(one, right).sum()))
        return result


def walk(frames: int, step: int = 3) -> Shots:
    return Shots([(20 + i, 8 + step * i) for i in range(frames)])


def test_what_moves_is_followed() -> None:
    shots = walk(17)
    found = shots.carried(8)
    assert sorted(shots.seen) == [0, 8, 16]
    scores = shots.agreement(found)
    assert min(scores) > 0.65
    held = [float(torch.minimum(shots.truth(i), shots.truth(0)).sum() / 64) for i in range(5)]
    assert held[4] < 0.7  # it would not do to leave them where they are


def test_a_frame_is_seen_where_the_key_frames_do_not_agree() -> None:
    """It jumps twice: nothing leads from one key frame to the other."""
    shots = Shots([(20, 8)] * 3 + [(50, 100)] * 3 + [(10, 60)] * 3)
    found = shots.carried(8)
    assert set(shots.seen) > {0, 8}
    assert np.mean(shots.agreement(found)) > 0.9
    assert min(shots.agreement(found)) > 0.6


def test_frames_go_when_they_are_done_without_a_search_for_garbage() -> None:
    shots, pixels = Shots([(20, 8)] * 3 + [(50, 100)] * 3 + [(10, 60)] * 3), list[weakref.ref[Pixels]]()

    def noted() -> Iterator[FrameBatch]:
        for batch in shots.batches():
            pixels.append(weakref.ref(batch.pixels))
            yield batch

    gc.disable()
    try:
        items = linked(noted(), lambda batch: batch)
        places = [int(one.frames.index[0]) for one in carried(items, 8, TOLERANCE, range(9).index, shots.score)]
        assert places == list(range(9))
        assert len(shots.seen) > 3  # between two key frames too
        assert [ref() for ref in pixels] == [None] * 9
    finally:
        gc.enable()


def test_the_less_is_tolerated_the_more_frames_are_seen() -> None:
    shots = walk(17)
    seen = []
    for tolerance in (1.0, 0.3, 0.15, 0.0):
        found = shots.carried(8, tolerance=tolerance)
        seen.append(len(shots.seen))
    assert seen[0] == 3
    assert seen == sorted(set(seen))
    assert seen[-1] == 17
    assert min(shots.agreement(found)) > 0.65


def test_both_sides_of_a_cut_are_seen() -> None:
    shots = Shots([(20, 8)] * 5 + [(40, 90)] * 5, grounds=[0] * 5 + [4] * 5)
    found = shots.carried(8)
    assert {0, 4, 5, 9} <= set(shots.seen)
    assert min(shots.agreement(found)) > 0.95


@pytest.mark.parametrize("size", [2, 5, 64])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_batch_size_and_threads_change_nothing(size: int, threads: int) -> None:
    shots = walk(20)
    one = shots.carried(8)
    torch.set_num_threads(threads)
    try:
        assert shots.carried(8, size).equal(one)
    finally:
        torch.set_num_threads(1)


def test_a_run_that_begins_at_a_regular_key_frame_gives_the_same() -> None:
    """One stretch later."""
    shots = walk(28, step=2)
    whole, late = shots.carried(8), shots.carried(8, start=8)
    assert late[8:].equal(whole[16:])
    assert not late[:8].equal(whole[8:16])


def test_what_comes_later_than_a_stretch_does_not_matter() -> None:
    shots = walk(28, step=2)
    begin, end = surrounding(5, 8, 8)
    assert (begin, end) == (0, 17)
    whole = shots.carried(8)
    shots.places = shots.places[:end]
    assert shots.carried(8)[:8].equal(whole[:8])


def test_looks_of_the_vit_are_averaged() -> None:
    """Key frames tell the truth but for noise, which is less afterwards."""
    shots = walk(33, step=2)
    random = torch.Generator().manual_seed(0)
    noise = {i: torch.randn(1, 2, HEIGHT // CELL, WIDTH // CELL, generator=random) * 0.05 for i in range(33)}

    def noisy(frame: FrameBatch) -> torch.Tensor:
        return shots.score(frame) + noise[int(frame.index[0])]

    items = linked(shots.batches(), lambda batch: batch)
    found = torch.cat([one.scores for one in carried(items, 8, TOLERANCE, range(33).index, noisy)])
    plain = shots.carried(8)
    left = (found - plain).std(dim=(1, 2, 3))
    assert left[[8, 16, 24]].max() < 0.05 * 0.8
    assert left[8:25].max() < 0.05 * 0.9


def test_no_object_needs_no_more_key_frames() -> None:
    shots = walk(17)

    def nothing(frame: FrameBatch) -> torch.Tensor:
        shots.seen.append(int(frame.index[0]))
        random = torch.Generator().manual_seed(len(shots.seen))
        return torch.rand(1, 2, HEIGHT // CELL, WIDTH // CELL, generator=random) * 0.2

    items = linked(shots.batches(), lambda batch: batch)
    assert len(list(carried(items, 8, TOLERANCE, range(17).index, nothing))) == 17
    assert sorted(shots.seen) == [0, 8, 16]


@pytest.mark.parametrize("parts", [1, 70])
def test_any_number_of_parts(parts: int) -> None:
    shots = walk(9)
    items = linked(shots.batches(), lambda batch: batch)
    scores = torch.rand(1, parts, HEIGHT // CELL, WIDTH // CELL) / parts
    found = list(carried(items, 8, TOLERANCE, range(9).index, lambda _: scores))
    assert all(one.scores.shape == scores.shape for one in found)


def test_each_frame_comes_with_its_link_and_the_time_is_counted() -> None:
    shots, clock = walk(9), StageClock()
    items = linked(shots.batches(3), lambda batch: batch)
    found = list(carried(items, 4, TOLERANCE, range(9).index, shots.score, clock))
    assert [len(one.links) for one in found] == [1] * 9
    assert [one.links[0] is None for one in found] == [True] + [False] * 8
    assert set(clock.seconds) == {"carry"}


def test_an_error_of_the_extractor_is_passed_on() -> None:
    def broken(frame: FrameBatch) -> torch.Tensor:
        raise OSError("no more")

    shots = walk(9)
    with pytest.raises(OSError, match="no more"):
        list(carried(linked(shots.batches(), lambda batch: batch), 8, TOLERANCE, range(9).index, broken))


def test_how_many_frames_are_held_does_not_hang_on_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    shots = Shots([(20, 8 + i) for i in range(100)])

    def held(cores: int) -> int:
        """The most frames that are drawn and not given yet."""
        drawn = given = most = 0

        def counted() -> Iterator[FrameBatch]:
            nonlocal drawn
            for batch in shots.batches():
                drawn += 1
                yield batch

        monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
        items = linked(counted(), lambda batch: batch)
        for _ in carried(items, 8, TOLERANCE, range(100).index, shots.score, most=2):
            most = max(most, drawn - given)
            given += 1
        assert given == 100
        return most

    few, many = held(2), held(16)
    assert few > 8
    assert many <= few + MOST_AT_A_TIME  # which are being linked

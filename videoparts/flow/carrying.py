"""Scores of every frame, many of them without a ViT pass: those of key frames, carried along the optical flow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch

from ..clock import StageClock
from ..devices import MOST_AT_A_TIME, on_all_cores
from ..frames import FrameBatch
from .keyframes import Stretch, stretches
from .links import Link, Links
from .scored import Scored
from .ways import Scores, Way

T = TypeVar("T")

_SOME = 0.5  # of an object: with less of it everywhere, there is nothing to agree on
_LEAST_TRUST = 0.02  # of what can be followed to no key frame: it takes what there is at the end of the way


def carried(
    items: Iterable[tuple[FrameBatch, Links]],
    every: int,
    tolerance: float,
    place: Callable[[int], int],
    score: Callable[[FrameBatch], torch.Tensor],
    clock: StageClock | None = None,
    most: int = MOST_AT_A_TIME,
) -> Generator[Scored, None, None]:
    """Scores of every frame, one at a time and in order.

    - Of two key frames that follow each other, what they tell of the frames between is compared. Where they differ too
      much, as when an object turns or the flow is wrong, the frame in the middle becomes a key frame, and so on.
    - A single look of the ViT is not sure: each key frame is averaged with the ones before and after it.
    - A frame between two key frames has the scores of both, each as far as it can be followed and as near as it is.

    What comes out for a frame depends on the frames between the regular key frames around it, and on one more such
    stretch on both sides, and on nothing else: see `keyframes.surrounding`.

    Args:
        items: frames in order, with their links.
        every: frames from one regular key frame to the next.
        tolerance: share of the object that two key frames may tell differently of a frame between them.
        place: of a frame among the selected ones, by its index.
        score: the scores (N, C, y, x) float32 of frames; called in several threads at once.
        clock: counts the time of carrying, as "carry".
        most: stretches that each of the three stages here works on at a time; see `keyframes.at_a_time`.
    """
    clock = clock or StageClock()
    cpu = torch.device("cpu")

    def see(frame: FrameBatch) -> Scores:
        return np.ascontiguousarray(score(frame).cpu().numpy()[0].transpose(1, 2, 0))

    def see_last(stretch: Stretch) -> tuple[Stretch, Scores]:
        return stretch, see(stretch.frames[-1])

    def see_between(given: tuple[Stretch, Scores, Scores]) -> _Seen:
        stretch, before, after = given
        seen = _Seen(stretch, before, {len(stretch.frames) - 1: after})
        if not stretch.is_alone:
            seen.look(see, tolerance, clock)
        return seen

    def fill(three: tuple[_Seen | None, _Seen, _Seen | None]) -> tuple[Stretch, list[Scores]]:
        with clock.stage("carry"):
            return three[1].stretch, _filled(*three)

    with ExitStack() as stack:
        cut = stack.enter_context(closing(stretches(_single(items), every, place)))
        ends = stack.enter_context(closing(on_all_cores(see_last, cut, cpu, most)))
        seen = stack.enter_context(closing(on_all_cores(see_between, _with_both_ends(ends), cpu, most)))
        for stretch, scores in stack.enter_context(closing(on_all_cores(fill, _in_threes(seen), cpu, most))):
            for frame, link, one in zip(stretch.frames, stretch.links, scores, strict=True):
                yield Scored(frame, (link,), torch.from_numpy(np.ascontiguousarray(one.transpose(2, 0, 1)[None])))


def _single(items: Iterable[tuple[FrameBatch, Links]]) -> Iterator[tuple[FrameBatch, Link | None]]:
    for frames, links in items:
        for i, link in enumerate(links):
            yield frames[i : i + 1], link


def _with_both_ends(ends: Iterable[tuple[Stretch, Scores]]) -> Iterator[tuple[Stretch, Scores, Scores]]:
    """Stretches, each with the scores of the key frame before it and of its own."""
    before: Scores | None = None
    for stretch, after in ends:
        yield stretch, after if before is None else before, after
        before = after


def _in_threes(items: Iterable[T]) -> Iterator[tuple[T | None, T, T | None]]:
    """Each item with the ones before and after it."""
    before: T | None = None
    here: T | None = None
    for after in items:
        if here is not None:
            yield before, here, after
        before, here = here, after
    if here is not None:
        yield before, here, None


@dataclass(frozen=True, repr=False)
class _Seen:
    """A stretch and what the ViT tells of its key frames. The key frame before it has the number -1."""

    stretch: Stretch
    before: Scores
    keys: dict[int, Scores]  # the last frame is one
    # Between two key frames that follow each other, by the later one: of `_back` and `_onward`.
    ways: dict[int, tuple[list[Way], list[Way]]] = field(default_factory=dict)

    @property
    def all_keys(self) -> dict[int, Scores]:
        """In order, with the one before."""
        return {-1: self.before} | dict(sorted(self.keys.items()))

    @property
    def is_alone(self) -> bool:
        """Whether nothing leads to what is before."""
        return self.stretch.is_alone

    def look(self, see: Callable[[FrameBatch], Scores], tolerance: float, clock: StageClock) -> None:
        """Find more key frames, where two that follow each other differ too much, and the ways between all of them."""
        ((last, after),) = self.keys.items()
        self._divide(-1, last, (self.before, after), see, tolerance, clock)

    # A method, since a local function that calls itself lives on, with all frames that it can see, until Python looks
    # for garbage.
    def _divide(
        self,
        first: int,
        last: int,
        told: tuple[Scores, Scores],
        see: Callable[[FrameBatch], Scores],
        tolerance: float,
        clock: StageClock,
    ) -> None:
        with clock.stage("carry"):
            back, onward = self._back(first, last), self._onward(first, last)
            between = zip(back[:-1], onward[1:], strict=True)
            agree = all(_difference(a.fetch(told[0]), b.fetch(told[1])) <= tolerance for a, b in between)
        if agree:
            self.ways[last] = back, onward
            return
        middle = (first + last) // 2
        scores = see(self.stretch.frames[middle])
        self._divide(first, middle, (told[0], scores), see, tolerance, clock)
        self.keys[middle] = scores
        self._divide(middle, last, (scores, told[1]), see, tolerance, clock)

    def _back(self, first: int, last: int) -> list[Way]:
        """The ways from the frames after ``first``, up to ``last``, to ``first``."""
        ways: list[Way] = []
        for i in range(first + 1, last + 1):
            step = Way.back(self._link(i), self._size)
            ways.append(step.then(ways[-1]) if ways else step)
        return ways

    def _onward(self, first: int, last: int) -> list[Way]:
        """The ways from the frames from ``first`` on, before ``last``, to ``last``."""
        ways: list[Way] = []
        for i in range(last, first, -1):
            step = Way.onward(self._link(i), self._size)
            ways.append(step.then(ways[-1]) if ways else step)
        return ways[::-1]

    def _link(self, i: int) -> Link:
        link = self.stretch.links[i]
        assert link is not None  # within a stretch there is no cut
        return link

    @property
    def _size(self) -> tuple[int, int]:
        return self.before.shape[0], self.before.shape[1]


def _filled(before: _Seen | None, here: _Seen, after: _Seen | None) -> list[Scores]:
    """The scores of each frame of a stretch, given the stretches before and after it."""
    keys = here.all_keys
    beside: dict[int, list[tuple[Way, Scores]]] = {key: [] for key in keys}  # what the key frames next to each tell
    if not here.is_alone:
        for first, last in pairwise(keys):
            back, onward = here.ways[last]
            beside[first].append((onward[0], keys[last]))
            beside[last].append((back[-1], keys[first]))
        if before is not None and not before.is_alone:
            *_, (_, told), (last, _) = before.all_keys.items()
            beside[-1].append((before.ways[last][0][-1], told))
    if after is not None and not after.is_alone:
        last = min(after.keys)
        beside[max(keys)].append((after.ways[last][1][0], after.keys[last]))
    steady = {key: _averaged(told, beside[key]) for key, told in keys.items()}
    if here.is_alone:
        return [steady[0]]
    scores: list[Scores] = []
    for first, last in pairwise(keys):
        back, onward = here.ways[last]
        for k, (way, other) in enumerate(zip(back[:-1], onward[1:], strict=True), start=1):
            scores.append(_mixed((way, steady[first]), (other, steady[last]), k / (last - first)))
        scores.append(steady[last])
    return scores


def _difference(one: Scores, other: Scores) -> float:
    """Share of the object that two scores (y, x, C) do not agree on: 1 - intersection over union, of probabilities."""
    a, b = one.sum(2), other.sum(2)
    union = np.maximum(a, b)
    return float(1 - np.minimum(a, b).sum() / union.sum()) if union.max(initial=0) > _SOME else 0.0


def _averaged(scores: Scores, beside: Iterable[tuple[Way, Scores]]) -> Scores:
    """A key frame's scores and those of the ones next to it, as far as they can be followed."""
    total, weight = scores, np.float32(1)
    for way, told in beside:
        share = way.trust[..., None]
        total, weight = total + share * way.fetch(told), weight + share
    return np.asarray(total / weight, dtype=np.float32)


def _mixed(one: tuple[Way, Scores], other: tuple[Way, Scores], at: float) -> Scores:
    """What two key frames tell of a frame that lies ``at`` of the way from one to the other, 0 to 1."""
    a = np.float32(1 - at) * (one[0].trust[..., None] + np.float32(_LEAST_TRUST))
    b = np.float32(at) * (other[0].trust[..., None] + np.float32(_LEAST_TRUST))
    return np.asarray((a * one[0].fetch(one[1]) + b * other[0].fetch(other[1])) / (a + b), dtype=np.float32)

"""Scores averaged over a few frames around each, along the optical flow: parts do not flicker.

The window is centred, so nothing lags behind. What another frame says counts only where the flow to it can be trusted,
so nothing leaves a ghost.

Which part something is of does not change while it moves: there all frames of the window count alike. Where the object
ends does, at limbs that are quicker than the flow can follow: there a frame counts less the further away it is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ..clock import StageClock
from ..devices import cores_each
from ..stream import close, ordered
from .scored import Scored
from .ways import Plane, Scores, Walk, Way, in_fours

T = TypeVar("T")
R = TypeVar("R")

Counts = npt.NDArray[np.int32]  # (2, B) of `Colours.counts`

_NEAR = 0.75  # of the window's reach: the deviation of the Gaussian by which other frames count for the object


@dataclass
class _Held:
    """A frame's scores, and the steps to the frames before and after it; None: there is a cut, or no frame."""

    fours: list[Scores]  # (y, x, 4) each, of `in_fours`
    back: Scores | None = None  # of `Way.step`
    onward: Scores | None = None
    colours: Counts | None = None


def windowed(items: Iterable[Scored], window: int, clock: StageClock | None = None) -> Generator[Scored, None, None]:
    """Average the scores of each frame with those of the frames around it, warped to it.

    The contract:

    - the parts' shares are those of the mean of all frames, and their sum, the object, is that of a Gaussian mean;
    - what is known of the object's colours, where they have been counted, is the sum of all frames;
    - what comes out for a frame depends on the ``window // 2`` frames before and after it and on nothing else. It is
      the same whatever the batches. A run that starts later gives the same from its ``window // 2``-th frame on: to
      go on with another, start so many frames early and drop those;
    - no frame beyond a cut takes part;
    - a batch is given as soon as ``window // 2`` frames after it are there: at most so many and one batch are held
      beyond it;
    - a window of 0 or 1 gives the items as they are;
    - closing this generator closes ``items``.

    Args:
        items: frames in order, with their links and scores.
        window: frames that are averaged, an odd number: the frame itself and as many before as after it.
        clock: counts the time of averaging, as "window".

    Raises:
        ValueError: ``window`` is even.
    """
    if window and window % 2 == 0:
        raise ValueError(f"a window has a frame in its middle: it is odd or 0, got {window}")
    return _windowed(items, window // 2, clock or StageClock())


def _windowed(items: Iterable[Scored], reach: int, clock: StageClock) -> Generator[Scored, None, None]:
    frames = _Frames(reach)
    try:
        for item in items:
            if not reach:
                yield item
                continue
            with clock.stage("window"):
                frames.add(item)
            while frames.ready():
                with clock.stage("window"):
                    item = frames.take()
                yield item
        while frames.waiting:
            with clock.stage("window"):
                item = frames.take()
            yield item
    finally:
        close(items)


class _Frames:
    """The frames that are held: those of the batches that wait, and ``reach`` before them."""

    def __init__(self, reach: int) -> None:
        self.waiting: deque[Scored] = deque()
        self._reach = reach
        self._held: deque[_Held] = deque()
        self._before = 0  # how many of those held come before the first batch that waits
        self._workers, _ = cores_each()

    def add(self, batch: Scored) -> None:
        """The next batch."""
        y, x = batch.scores.shape[2:]
        counts = [None] * len(batch.frames) if batch.colours is None else batch.colours.counts.numpy()
        for planes, link_before, colours in zip(batch.scores.cpu().numpy(), batch.links, counts, strict=True):
            here = _Held(in_fours(planes), colours=colours)
            if link_before is not None and not link_before.cut:
                self._held[-1].onward = Way.onward(link_before, (y, x)).step()
                here.back = Way.back(link_before, (y, x)).step()
            self._held.append(here)
        self.waiting.append(batch)

    def ready(self) -> bool:
        """Whether all is there that the first batch's frames depend on."""
        return bool(self.waiting) and self._before + len(self.waiting[0].frames) + self._reach <= len(self._held)

    def take(self) -> Scored:
        """The first batch that waits, averaged with what is there."""
        batch = self.waiting.popleft()
        held = list(self._held)
        end = self._before + len(batch.frames)
        averages = self._each(lambda at: _average(held, at, self._reach), range(self._before, end))
        colours = batch.colours
        if colours is not None:
            counts = [_counted(held, at, self._reach) for at in range(self._before, end)]
            colours = replace(colours, counts=torch.from_numpy(np.stack(counts)))
        for _ in range(end - self._reach):
            self._held.popleft()
        self._before = min(end, self._reach)
        some = np.stack(averages)[..., : batch.scores.shape[1]]
        planes = torch.from_numpy(np.ascontiguousarray(some.transpose(0, 3, 1, 2)))
        return replace(batch, scores=planes.to(batch.scores.device), colours=colours)

    def _each(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """``function`` of every item; of the many that a GPU is given, on several cores: OpenCV lets other threads run
        meanwhile."""
        if len(items) == 1:
            return [function(items[0])]
        return list(ordered(function, items, min(self._workers, len(items))))


def _average(held: list[_Held], at: int, reach: int) -> Scores:
    """The scores (y, x, C, and zeros) of the frame ``at``, and of up to ``reach`` on each side."""
    alike = [four.copy() for four in held[at].fours]  # the sum in which all frames count alike,
    nearer = [four.copy() for four in alike]  # and that in which they count the more the nearer they are
    size = alike[0].shape[0], alike[0].shape[1]
    weight = np.ones(size, np.float32)
    for side in (-1, 1):
        walk = Walk(size)
        for away in range(1, reach + 1):
            there = at + away * side
            if not 0 <= there < len(held):
                break
            before = held[there - side]
            step = before.back if side < 0 else before.onward
            if step is None:
                break
            walk.on(step)
            near = _nearness(away, reach)
            for four, one, other in zip(held[there].fours, alike, nearer, strict=True):
                told = walk.fetch(four)
                one += told
                cv2.scaleAdd(told, near, other, other)
            cv2.scaleAdd(walk.trust, near, weight, weight)
    whole = _whole(nearer) / weight / np.maximum(_whole(alike), np.finfo(np.float32).tiny)
    return np.asarray(np.concatenate(alike, axis=2) * whole[..., None], dtype=np.float32)


def _counted(held: list[_Held], at: int, reach: int) -> Counts:
    """The colours of the frame ``at`` and of up to ``reach`` on each side, to the next cut."""
    first = last = at
    while at - first < reach and held[first].back is not None:
        first -= 1
    while last - at < reach and held[last].onward is not None:
        last += 1
    counts = [one.colours for one in held[first : last + 1] if one.colours is not None]
    # Not by torch: for these few numbers its threads would start, and then wait at full speed beside everything else.
    return np.asarray(np.sum(counts, axis=0, dtype=np.int32))


def _nearness(away: int, reach: int) -> float:
    """What a frame so many frames away counts for the object."""
    return math.exp(-((away / (_NEAR * reach)) ** 2) / 2)


def _whole(fours: Sequence[Scores]) -> Plane:
    """The object's scores (y, x): those of all its parts, some of (y, x, 4), together."""
    y, x, planes = fours[0].shape
    # NumPy's own sum over so short an axis takes nine times as long.
    sums = [cv2.reduce(four.reshape(-1, planes), 1, cv2.REDUCE_SUM) for four in fours]
    return np.asarray(sum(sums), dtype=np.float32).reshape(y, x)

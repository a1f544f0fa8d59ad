"""When something is there in a clip: since when, until when, and what is too brief to be true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..evaluation.metrics import Mask
from ..frames import Integers
from .tracks import FrameEntry

BRIEF = 5  # frames: what lasts less is not told from noise


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame that is pointed at."""

    index: int  # in the whole source
    stem: str


@dataclass(frozen=True, slots=True)
class Blink:
    """Frames in which something is missing, or there, too briefly to be true."""

    index: int  # of the first, in the whole source
    stem: str
    frames: int


@dataclass(frozen=True)
class Presence:
    """How much of a clip something covers, and when.

    A run of frames with it, or without, is brief if it is shorter than 5 frames and another run stands on both sides of
    it in the same shot; what lasts to the end of a shot may have lasted longer. Brief runs between two others are
    flicker, one for each stretch of them. If those two differ, it appeared or vanished on the first frame of the
    second. A cut is neither.
    """

    share: float  # of the picture, mean over all frames
    present: float  # share of the frames that have a pixel of it
    appears: tuple[Moment, ...] = ()
    vanishes: tuple[Moment, ...] = ()  # the first frame without it
    flickers: tuple[Blink, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON has them."""
        return {
            "share": self.share,
            "present": self.present,
            "appears": [asdict(moment) for moment in self.appears],
            "vanishes": [asdict(moment) for moment in self.vanishes],
            "flickers": [asdict(blink) for blink in self.flickers],
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Presence:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError where it did not."""
        return cls(
            float(given["share"]),
            float(given["present"]),
            tuple(map(moment_of, given["appears"])),
            tuple(map(moment_of, given["vanishes"])),
            tuple(Blink(int(one["index"]), str(one["stem"]), int(one["frames"])) for one in given["flickers"]),
        )


class Timeline:
    """When things are there, within shots.

    Args:
        frames: N of them.
        cuts: (N,) whether a frame begins a new shot; the first one does not count.
    """

    def __init__(self, frames: Sequence[FrameEntry], cuts: Mask) -> None:
        self.cuts = cuts
        self._frames = frames
        edges = [0, *np.flatnonzero(cuts).tolist(), len(frames)]
        self.shots = [range(start, stop) for start, stop in pairwise(edges) if start < stop]

    def moment(self, i: int) -> Moment:
        """Frame ``i``."""
        return Moment(self._frames[i].index, self._frames[i].stem)

    def presence(self, area: Integers, pixels: int) -> Presence:
        """Of something that covers ``area`` (N,) of a frame's ``pixels``."""
        there = area > 0
        appears: list[Moment] = []
        vanishes: list[Moment] = []
        flickers: list[Blink] = []
        for shot in self.shots:
            for before, brief, after in _settled(runs_of(there, shot)):
                if brief is not None:
                    first = self._frames[brief.start]
                    flickers.append(Blink(first.index, first.stem, len(brief)))
                if there[before.start] != there[after.start]:
                    (appears if there[after.start] else vanishes).append(self.moment(after.start))
        share, present = (round(float(what.mean()), 6) if len(area) else 0.0 for what in (area / max(1, pixels), there))
        return Presence(share, present, tuple(appears), tuple(vanishes), tuple(flickers))


def runs_of(there: Mask, within: range) -> list[range]:
    """The stretches of equal values."""
    here = there[within.start : within.stop]
    edges = [within.start, *(np.flatnonzero(here[1:] != here[:-1]) + within.start + 1).tolist(), within.stop]
    return [range(start, stop) for start, stop in pairwise(edges)]


def _settled(runs: Sequence[range]) -> Iterator[tuple[range, range | None, range]]:
    """Two by two the runs that are not brief, with the stretch of brief ones between them, if there is one."""
    lasting = [run for i, run in enumerate(runs) if len(run) >= BRIEF or i in (0, len(runs) - 1)]
    for before, after in pairwise(lasting):
        yield before, range(before.stop, after.start) if before.stop < after.start else None, after


def moment_of(given: Mapping[str, Any]) -> Moment:
    """A moment from what JSON gave."""
    return Moment(int(given["index"]), str(given["stem"]))

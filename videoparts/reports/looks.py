"""Which frames are worth a look, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..frames import Integers
from .presence import BRIEF, Timeline, runs_of

_LEAST = 0.25  # severity from which a frame is worth a look: below, they are no worse than others of their clip
_MOST_LOOKS = 10


@dataclass(frozen=True, slots=True)
class Look:
    """A frame that is worth a look."""

    index: int  # in the whole source
    stem: str
    reason: str


class Severities:
    """Frames with how bad they are, 0 to 1, and why: what is told first should say most."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._found: dict[int, tuple[float, str]] = {}

    def add_missing_object(self, area: Integers) -> None:
        """Frames without the object, briefly, while the frames on both sides have it, be there a cut or not."""
        for run in runs_of(area > 0, range(len(area)))[1:-1]:
            if area[run.start] == 0 and len(run) < BRIEF:
                self._add(run.start, 1.0, f"no object{_for(run)}, but in the frames before and after")

    def add_jumps(self, area: Integers) -> None:
        """The object grows or shrinks from a frame to the next. Of the two that one is meant whose area is less like
        those around; by how much the area falls, or fell if time ran backwards, is how bad it is."""
        for shot in self._timeline.shots:
            for i in shot[1:]:
                low, high = sorted((int(area[i - 1]), int(area[i])))
                if low == 0 or 1 - low / high < _LEAST:
                    continue
                around = area[max(shot.start, i - BRIEF) : min(shot.stop, i + BRIEF)]
                usual = float(np.median(around[around > 0]))
                odd = max((i - 1, i), key=lambda k: abs(np.log(area[k] / usual)))
                what = "small" if area[odd] < area[2 * i - 1 - odd] else "large"
                other = "before" if odd == i else "after"
                self._add(
                    odd,
                    1 - low / high,
                    f"the object is {what}: {area[odd] / area[2 * i - 1 - odd]:.2f} of the frame {other}",
                )

    def add_agreement(self, t: npt.NDArray[np.float64]) -> None:
        """T (N,) is lower than the clip's median; by what share of it is how bad it is."""
        known = t[~np.isnan(t)]
        usual = float(np.median(known)) if len(known) else 0.0
        for i in np.flatnonzero(t < (1 - _LEAST) * usual).tolist():
            self._add(i, 1 - float(t[i]) / usual, f"T from the frame before is {t[i]:.2f}, where {usual:.2f} is usual")

    def add_blinks(self, name: str, area: Integers, whole: Integers) -> None:
        """A part is missing or there briefly; its share of the object where it is there is how bad it is."""
        there = area > 0
        for shot in self._timeline.shots:
            runs = runs_of(there, shot)
            for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
                if len(run) >= BRIEF:
                    continue
                shown = there[run.start]
                frames = list(run) if shown else [before[-1], after[0]]
                share = float(area[frames].sum() / whole[frames].sum())
                self._add(run.start, share, f"{name} is {'there' if shown else 'missing'}{_for(run)} only")

    def _add(self, i: int, severity: float, reason: str) -> None:
        if severity >= _LEAST:
            before, told = self._found.get(i, (0.0, reason))
            self._found[i] = max(before, severity), told

    def looks(self) -> tuple[Look, ...]:
        """The worst, none within `BRIEF` frames of a worse one."""
        chosen: list[int] = []
        for i in sorted(self._found, key=lambda i: (-self._found[i][0], i)):
            if len(chosen) < _MOST_LOOKS and all(abs(i - other) >= BRIEF for other in chosen):
                chosen.append(i)
        moments = map(self._timeline.moment, chosen)
        return tuple(Look(at.index, at.stem, self._found[i][1]) for i, at in zip(chosen, moments, strict=True))


def _for(run: range) -> str:
    return " for a frame" if len(run) == 1 else f" for {len(run)} frames"

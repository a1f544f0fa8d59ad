"""A quantity that was measured several times."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_DIGITS = 6


@dataclass(frozen=True)
class Figure:
    """What each run gave.

    >>> Figure((3.0, 1.0, 2.0)).median
    2.0
    """

    runs: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("a figure needs a run at least")

    @property
    def median(self) -> float:
        """The middle one; the mean of both in the middle, of an even number."""
        return statistics.median(self.runs)

    def each(self, function: Callable[[float], float]) -> Figure:
        """Of every run, what ``function`` makes of it."""
        return Figure(tuple(map(function, self.runs)))

    def over(self, other: Figure) -> Figure:
        """The ratio, run by run: what disturbs the machine during a run disturbs both."""
        return Figure(tuple(mine / its for mine, its in zip(self.runs, other.runs, strict=True)))

    def report(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "median": rounded(self.median),
            "min": rounded(min(self.runs)),
            "max": rounded(max(self.runs)),
            "runs": [rounded(run) for run in self.runs],
        }


def rounded(value: float) -> float:
    """To six digits: more is noise."""
    return float(f"{value:.{_DIGITS}g}")

"""Which frames are wanted: times to positions, and positions evenly spread."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from ..config import SourceSettings
from ..errors import SettingsError, SourceError

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)


def parse_time(text: str, option: str) -> Fraction:
    """Seconds, exactly, of ``2.5``, ``1:02.5`` or ``1:02:03.5``.

    >>> parse_time("1:02.5", "--start")
    Fraction(125, 2)

    Raises:
        SettingsError: ``text`` is not a time. ``option`` is named.
    """
    match = _TIME.fullmatch(str(text).strip())
    if match is None:
        raise SettingsError(f"{option} must be seconds (2.5) or h:mm:ss.s (0:01:02.5), got {text!r}")
    hours, minutes, seconds = (Fraction(part.rstrip(".")) if part else None for part in match.groups())
    assert seconds is not None
    if (minutes is not None and seconds >= 60) or (hours is not None and minutes is not None and minutes >= 60):
        raise SettingsError(f"{option}: minutes and seconds after a colon must be below 60, got {text!r}")
    return (hours or Fraction(0)) * 3600 + (minutes or Fraction(0)) * 60 + seconds


def select(pts: Sequence[int], time_base: Fraction, rate: Fraction, settings: SourceSettings, path: Path) -> range:
    """Positions in ``pts`` (increasing ticks) that start, end and every leave. Times count from the first frame.

    Raises:
        SettingsError: a time is nonsense, or the end does not lie after the start.
        SourceError: nothing is left.
    """
    start = parse_time(settings.start, "--start") if settings.start is not None else Fraction(0)
    end = parse_time(settings.end, "--end") if settings.end is not None else None
    if end is not None and end <= start:
        raise SettingsError(f"--end must lie after --start, got {settings.end!r} and {settings.start or '0'!r}")
    first = bisect_left(pts, pts[0] + start / time_base)
    stop = len(pts) if end is None else bisect_left(pts, pts[0] + end / time_base)
    if first >= stop:
        duration = (pts[-1] - pts[0]) * time_base + 1 / rate
        raise SourceError(
            f"{path}: no frame lies between --start {settings.start or '0'} and --end {settings.end or 'the end'}; "
            f"the clip lasts {float(duration):.2f} seconds and has {len(pts)} frames"
        )
    return range(first, stop, settings.every)


def spread(selected: range, count: int) -> list[int]:
    """At most ``count`` of ``selected``: the middles of equal stretches, in order.

    >>> spread(range(10), 2)
    [2, 7]
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    n = len(selected)
    return list(selected) if count >= n else [selected[(2 * i + 1) * n // (2 * count)] for i in range(count)]


def seen_at(pts: Sequence[int], time_base: Fraction, selected: range, seconds: float, path: Path) -> int:
    """The selected position whose frame is seen ``seconds`` after the first frame of the source.

    Raises:
        SourceError: that time lies before the first selected frame, or more than a second after the last one.
    """
    ticks = [(pts[position] - pts[0]) * time_base for position in (selected[0], selected[-1])]
    if not float(ticks[0]) - 1e-6 <= seconds <= float(ticks[1]) + 1:
        raise SourceError(
            f"{path}: no frame is seen at {seconds:g} seconds; the selected frames run from {float(ticks[0]):.2f} "
            f"to {float(ticks[1]):.2f}"
        )
    # A microsecond of tolerance: people write 0.04 for the frame at 0.0400000001.
    wanted = pts[0] + (seconds + 1e-6) / float(time_base)
    return selected[max(0, bisect_right(selected, wanted, key=pts.__getitem__) - 1)]


def require_size(size: int) -> None:
    """Check how many frames a batch shall hold.

    Raises:
        ValueError: less than one.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")

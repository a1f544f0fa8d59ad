"""Where the user says that the object is: a point or a box in the frame of some time."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..active_area import ActiveArea
from ..errors import SettingsError
from ..frames import VideoInfo
from ..sources.selection import parse_time

_NUMBER = r"\s*(-?\d+(?:\.\d*)?|-?\.\d+)\s*"
_POINT = re.compile(rf"{_NUMBER},{_NUMBER}(?:@(.+))?", re.ASCII)
_BOX = re.compile(rf"{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}(?:@(.+))?", re.ASCII)


@dataclass(frozen=True)
class Seed:
    """A point (left = right, top = bottom) or a box, in pixels of the frame, and the time of that frame."""

    left: float
    top: float
    right: float
    bottom: float
    seconds: float  # from the first frame of the source

    @property
    def is_point(self) -> bool:
        """Whether it is a point."""
        return self.left == self.right and self.top == self.bottom

    def require_inside(self, info: VideoInfo) -> None:
        """Check that it lies in the frames of a source.

        Raises:
            SettingsError: some of it is outside.
        """
        if not (0 <= self.left <= self.right <= info.width and 0 <= self.top <= self.bottom <= info.height):
            name, place = "box", f"({self.left:g}, {self.top:g}) to ({self.right:g}, {self.bottom:g})"
            if self.is_point:
                name, place = "object", f"({self.left:g}, {self.top:g})"
            raise SettingsError(
                f"--{name}: {info.path.name} is {info.width} x {info.height} pixels; {place} is not inside"
            )

    def within(self, area: ActiveArea) -> Seed:
        """The same in pixels of the frame's active area. What lies beside it gives the nearest patches there."""
        sides = self.left - area.left, self.top - area.top, self.right - area.left, self.bottom - area.top
        return Seed(*sides, self.seconds)

    def patches(self, down: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """The patches (h, w) whose centres, at ``down`` (h,) and ``right`` (w,) in pixels, are in the box, or else that
        which is nearest to it, as to a point."""
        rows = (down >= self.top) & (down <= self.bottom)
        columns = (right >= self.left) & (right <= self.right)
        rows[np.abs(down - (self.top + self.bottom) / 2).argmin()] = True
        columns[np.abs(right - (self.left + self.right) / 2).argmin()] = True
        return np.asarray(rows[:, None] & columns[None, :])


def parse_object(text: str) -> Seed:
    """The point of ``x,y@time``; without a time, that of the first frame.

    >>> parse_object("320,180@1.5")
    Seed(left=320.0, top=180.0, right=320.0, bottom=180.0, seconds=1.5)

    Raises:
        SettingsError: ``text`` is not such a point.
    """
    match = _POINT.fullmatch(text.strip())
    if match is None:
        raise SettingsError(f"--object must be x,y@time in pixels and seconds, as in 320,180@1.5, got {text!r}")
    x, y, time = match.groups()
    return Seed(float(x), float(y), float(x), float(y), float(parse_time(time or "0", "--object")))


def parse_box(text: str) -> Seed:
    """The box of ``left,top,right,bottom@time``; without a time, that of the first frame.

    >>> parse_box("10,20,200,120@0:02")
    Seed(left=10.0, top=20.0, right=200.0, bottom=120.0, seconds=2.0)

    Raises:
        SettingsError: ``text`` is not such a box.
    """
    match = _BOX.fullmatch(text.strip())
    if match is None:
        raise SettingsError(f"--box must be left,top,right,bottom@time, as in 10,20,200,120@1.5, got {text!r}")
    left, top, right, bottom = (float(group) for group in match.groups()[:4])
    if left >= right or top >= bottom:
        raise SettingsError(f"--box must have left < right and top < bottom, got {text!r}")
    return Seed(left, top, right, bottom, float(parse_time(match.group(5) or "0", "--box")))

"""Where each part is on each frame."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..frames import Integers, Pixels

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """One frame of a source."""

    index: int  # in the whole source
    stem: str  # of the files that are made from it
    pts: int


@dataclass(frozen=True, eq=False)
class Track:
    """Where a part is on each frame."""

    number: int  # of the part
    area: Integers  # (N,) pixels; 0: the part is absent, and box and centre say nothing
    box: npt.NDArray[np.int32]  # (N, 4) x and y of its leftmost and topmost pixel, width and height
    centre: npt.NDArray[np.float64]  # (N, 2) x and y, where (0, 0) is the middle of the first pixel

    def __post_init__(self) -> None:
        n = len(self.area)
        if self.area.shape != (n,) or self.box.shape != (n, 4) or self.centre.shape != (n, 2):
            raise ValueError(f"of {n} frames: box {self.box.shape} and centre {self.centre.shape} do not fit")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Track):
            return NotImplemented
        mine, theirs = ((one.area, one.box[one.area > 0], one.centre[one.area > 0].round(2)) for one in (self, other))
        return self.number == other.number and all(map(np.array_equal, mine, theirs))

    def __len__(self) -> int:
        return len(self.area)


class TrackRecorder:
    """Where parts are, and how large the object is, on frames as they stream by: some 40 bytes a frame and part.

    Args:
        numbers: of the parts. Other labels count as object only.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._tracks = {number: (array("q"), array("i"), array("d")) for number in numbers}
        self._object = array("q")  # its area

    def add(self, labels: Pixels) -> None:
        """The next frame, (H, W)."""
        left, top, width, height = cv2.boundingRect(labels)  # of all that is not 0
        window = labels[top : top + height, left : left + width]
        self._object.append(cv2.countNonZero(window) if width else 0)
        for number, (areas, boxes, centres) in self._tracks.items():
            area, (x, y, w, h), (u, v) = _place(window, number) if width else _NOWHERE
            areas.append(area)
            boxes.extend((x + left, y + top, w, h) if area else (0, 0, 0, 0))
            centres.extend((u + left, v + top) if area else (0.0, 0.0))

    @property
    def object_area(self) -> Integers:
        """(N,) pixels of any part."""
        return np.array(self._object, np.int64)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Where each part is on the frames so far."""
        return tuple(
            Track(
                number,
                np.array(area, np.int64),
                np.array(box, np.int32).reshape(-1, 4),
                np.array(centre, np.float64).reshape(-1, 2),
            )
            for number, (area, box, centre) in self._tracks.items()
        )


_Place = tuple[int, Box, tuple[float, float]]
_NOWHERE: _Place = (0, (0, 0, 0, 0), (0.0, 0.0))


def _place(labels: Pixels, number: int) -> _Place:
    """Area, box and centre of a label, as `Track` has them; `_NOWHERE` where it is absent."""
    mask = (labels == number).view(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return _NOWHERE
    mask = mask[y : y + height, x : x + width]
    columns, rows = (cv2.reduce(mask, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for axis in (0, 1))
    area = int(columns.sum(dtype=np.int64))
    right, down = (float(count @ np.arange(len(count), dtype=np.float64)) / area for count in (columns, rows))
    return area, (x, y, width, height), (x + right, y + down)

"""What decord and PyAV have in common once a video is open: selection, sampling, batches, notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..active_area import ActiveArea
from ..errors import SourceError
from ..frames import FrameBatch, Pixels, VideoInfo
from .around import Neighbourhood, neighbourhoods
from .black_bars import active_area, looked_at, told
from .index import VideoIndex
from .matrices import as_known, untrue
from .selection import require_size, seen_at, spread


class VideoFile(ABC):
    """A video file as a `Source`. A subclass decodes frames at given positions."""

    decoder: str

    def __init__(self, path: Path, info: VideoInfo, index: VideoIndex, selected: range) -> None:
        frames = len(selected) if index.broken is None else None
        self.path, self.index, self.selected = path, index, selected
        self.info = replace(info, frames=frames, colour=as_known(info.colour))
        self._notes: dict[str, str] = {}
        self._is_part = False
        self._opened = selected  # of all parts, which are copies, as are the notes and what is found
        self._found: list[ActiveArea | None] = []
        if index.broken is not None:
            self.note("broken", f"breaks off after {index.broken}; the frames before that are used")
        if (why := untrue(info.colour.matrix)) is not None:
            self.note("colours", why)

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read."""
        return tuple(self._notes.values())

    def note(self, topic: str, text: str) -> None:
        """Add a line about the file, or replace the one on the same topic."""
        self._notes[topic] = f"{self.path.name} {text}"

    @property
    def active_area(self) -> ActiveArea | None:
        """Where the picture is; see `Source.active_area`."""
        if not self._found:
            self._found.append(area := self.find_area())
            if area is not None:
                self.note("bars", told(area))
        return self._found[0]

    def batches(self, size: int) -> Generator[FrameBatch, None, None]:
        """Every selected frame in presentation order; see `Source.batches`."""
        require_size(size)
        return self._batches(self.selected, size)

    def part(self, first: int, stop: int | None = None) -> VideoFile:
        """Fewer of its frames; see `Source.part`."""
        part = copy(self)  # notes are those of both
        part.selected = self.selected[first:stop]
        part.info = replace(self.info, frames=None if self.info.frames is None else len(part.selected))
        part._is_part = True
        return part

    def frame(self, index: int) -> FrameBatch:
        """One frame; see `Source.frame`."""
        with closing(self._batches([index], 1)) as batches:
            batch = next(batches, None)
        if batch is None:
            raise SourceError(f"{self.path}: frame {index} cannot be decoded; choose another, or make the file again")
        return batch

    def sample(self, count: int, size: int) -> Generator[FrameBatch, None, None]:
        """At most ``count`` selected frames, evenly spread; see `Source.sample`."""
        require_size(size)
        return self._batches(spread(self.selected, count), size)

    def sample_around(
        self, count: int, at: float | None = None, *, beside: bool = True, among: int = 1
    ) -> Generator[Neighbourhood, None, None]:
        """Sampled frames with those before and after; see `Source.sample_around`."""
        base = self.index.time_base
        marked = None if at is None else seen_at(self.index.pts, base, self.selected, at, self.path)
        return neighbourhoods(self._batches, self.selected, count, marked, beside=beside, among=among)

    def find_area(self) -> ActiveArea | None:
        """Look for the active area in the frames that were selected when the file was opened."""
        with (
            closing(self._batches(looked_at(self._opened), 1)) as batches,
            suppress(SourceError),  # is told where frames are wanted
        ):
            return active_area(batch.pixels[0] for batch in batches)
        return None

    @abstractmethod
    def decode(self, positions: Sequence[int], size: int) -> Generator[tuple[int, Pixels], None, None]:
        """Upright (H, W, 3) uint8 frames at increasing positions, each with its position.

        ``size`` is how many the consumer takes together. Positions that cannot be decoded are left out.
        """

    def _batches(self, positions: Sequence[int], size: int) -> Generator[FrameBatch, None, None]:
        count = last = 0
        pixels, places = np.empty(0, np.uint8), list[int]()
        with closing(self.decode(positions, size)) as frames:
            for position, frame in frames:
                if size == 1:
                    pixels = np.ascontiguousarray(frame)[None]  # one in one piece is not copied
                else:
                    pixels = pixels if places else self._empty(size)
                    pixels[len(places)] = frame
                places.append(position)
                count, last = count + 1, position
                if len(places) == size:
                    yield self._batch(pixels, places)
                    places = []
        if places:
            yield self._batch(pixels[: len(places)], places)
        if count == 0 and not self._is_part:
            raise SourceError(f"{self.path}: none of its frames can be decoded; make or copy the file again")
        if 0 < count < len(positions):
            self._say_what_is_missing(positions, count, last)

    def _say_what_is_missing(self, positions: Sequence[int], count: int, last: int) -> None:
        if count == sum(1 for position in positions if position <= last):
            known = self.index.broken is None or self.index.announced is not None
            whole = f" of {self.index.announced or len(self.index)}" if known else ""
            self.note("broken", f"breaks off after {last + 1}{whole} frames; the frames before that are used")
        else:
            lost = len(positions) - count
            self.note("damaged", f"is damaged: {lost} of {len(positions)} frames cannot be decoded and are left out")

    def _empty(self, size: int) -> Pixels:
        size = min(size, len(self.selected))
        return np.empty((size, self.info.height, self.info.width, 3), np.uint8)

    def _batch(self, pixels: Pixels, places: list[int]) -> FrameBatch:
        return FrameBatch(
            pixels,
            index=np.array(places, np.int64),
            pts=np.array([self.index.pts[place] for place in places], np.int64),
            time_base=self.index.time_base,
        )

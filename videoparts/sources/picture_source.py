"""A set of pictures as a source: what goes through a clip frame by frame goes through it picture by picture."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import SettingsError
from ..frames import FrameBatch, Pixels, VideoInfo
from .around import Neighbourhood, neighbourhoods
from .picture_set import Picture
from .selection import require_size, spread

_ONE = Fraction(1)


class PictureSource:
    """Pictures as a `Source`. They have nothing to do with time, and none is next to another.

    They may be of different sizes: ``info`` has that of the first, and a batch holds pictures of one size, so that it
    may be shorter than asked for. Memory: one batch.

    Args:
        pictures: one at least; see `pictures_of`.
        selected: which of them.

    Raises:
        SourceError: the first cannot be decoded.
    """

    decoder = "imageio"
    notes: tuple[str, ...] = ()
    active_area = None  # bars are not looked for: each picture would have its own

    def __init__(self, pictures: Sequence[Picture], selected: range | None = None) -> None:
        self.pictures = pictures
        self.selected = range(len(pictures)) if selected is None else selected
        folder = Path(os.path.commonpath([picture.path.parent.absolute() for picture in pictures]))
        height, width, _ = pictures[0].pixels().shape
        self.info = VideoInfo(folder, height, width, len(self.selected), time_base=_ONE, rate=_ONE)

    def batches(self, size: int) -> Generator[FrameBatch, None, None]:
        """Every selected picture in order; see `Source.batches`."""
        return self._read(self.selected, size)

    def part(self, first: int, stop: int | None = None) -> PictureSource:
        """Fewer of its pictures; see `Source.part`."""
        return self.only(self.selected[first:stop])

    def only(self, selected: range) -> PictureSource:
        """These of its pictures."""
        part = PictureSource.__new__(PictureSource)
        part.pictures, part.selected = self.pictures, selected
        part.info = replace(self.info, frames=len(selected))
        return part

    def frame(self, index: int) -> FrameBatch:
        """One picture; see `Source.frame`."""
        return next(self._read([index], 1))

    def sample(self, count: int, size: int) -> Generator[FrameBatch, None, None]:
        """At most ``count`` selected pictures, evenly spread; see `Source.sample`."""
        return self._read(spread(self.selected, count), size)

    def sample_around(
        self, count: int, at: float | None = None, *, beside: bool = True, among: int = 1
    ) -> Generator[Neighbourhood, None, None]:
        """Sampled pictures, each alone.

        Raises:
            SettingsError: a time is given.
        """
        if at is not None:
            raise SettingsError("pictures have no times: a point or a box can be given in a clip only")
        return neighbourhoods(self._read, self.selected, count, beside=False)

    def _read(self, positions: Sequence[int], size: int) -> Generator[FrameBatch, None, None]:
        require_size(size)
        waiting: list[tuple[int, Pixels]] = []
        for position in positions:
            pixels = self.pictures[position].pixels()
            if waiting and (len(waiting) == size or waiting[0][1].shape != pixels.shape):
                yield self._batch(waiting)
                waiting = []
            waiting.append((position, pixels))
        if waiting:
            yield self._batch(waiting)

    def _batch(self, some: Sequence[tuple[int, Pixels]]) -> FrameBatch:
        index = np.array([position for position, _ in some], np.int64)
        names = tuple(self.pictures[position].name for position, _ in some)
        return FrameBatch(np.stack([pixels for _, pixels in some]), index, index.copy(), _ONE, names)

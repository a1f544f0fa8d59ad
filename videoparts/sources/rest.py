"""A source without its first frames: for a run that goes on where another one stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from ..frames import FrameBatch, VideoInfo
from .around import Neighbourhood
from .base import Source


class Rest:
    """The selected frames of ``source`` from the ``first`` on. The others are decoded and dropped: seeking is not
    exact in every file, and decoding costs little beside labelling."""

    def __init__(self, source: Source, first: int) -> None:
        self._source = source
        self._first = first

    @property
    def info(self) -> VideoInfo:
        """Of the source; fewer frames."""
        info = self._source.info
        return info if info.frames is None else replace(info, frames=max(0, info.frames - self._first))

    @property
    def decoder(self) -> str:
        """Of the source."""
        return self._source.decoder

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the source."""
        return self._source.notes

    def batches(self, size: int) -> Iterator[FrameBatch]:
        """`Source.batches`, of the frames that are left. The first batch may be shorter."""
        skip = self._first
        batches = self._source.batches(size)
        with closing(batches):  # type: ignore[type-var]  # every source gives a generator
            for batch in batches:
                if skip < len(batch):
                    yield batch[skip:] if skip else batch
                skip = max(0, skip - len(batch))

    def sample(self, count: int, size: int) -> Iterator[FrameBatch]:
        """`Source.sample`, of all frames."""
        return self._source.sample(count, size)

    def sample_around(self, count: int, at: float | None = None, *, beside: bool = True) -> Iterator[Neighbourhood]:
        """`Source.sample_around`, of all frames."""
        return self._source.sample_around(count, at, beside=beside)

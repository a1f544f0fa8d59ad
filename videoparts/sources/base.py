"""What every source can do. Decord, PyAV and a folder of frames all pass one conformance suite."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from ..active_area import ActiveArea
from ..frames import FrameBatch, VideoInfo
from .around import Neighbourhood


def picture_size(source: Source) -> tuple[int, int]:
    """(height, width) of what is looked at of each of its frames: their active area."""
    area = source.active_area
    return (source.info.height, source.info.width) if area is None else area.size


class Source(Protocol):
    """A clip that can be read from the start any number of times, and sampled.

    Start, end and every are applied already: "selected frames" are those that they leave.
    """

    @property
    def info(self) -> VideoInfo:
        """Size, times and tags."""
        ...

    @property
    def decoder(self) -> str:
        """What decodes: decord, pyav or imageio."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read, such as why PyAV took over, or that the file is truncated.

        What is only found while frames are read, or as the active area is asked for, is there after that.
        """
        ...

    @property
    def selected(self) -> range:
        """The selected frames' positions in the whole source. Of a damaged file, some may not come."""
        ...

    @property
    def active_area(self) -> ActiveArea | None:
        """Where the picture is, if all its frames have black bars beside it; see `black_bars.active_area`.

        Looked for when it is first asked for, in the selected frames of the source that was opened: parts of it have
        the same. None where there are no bars, and of pictures that have nothing to do with each other.
        """
        ...

    def batches(self, size: int) -> Generator[FrameBatch, None, None]:
        """Every selected frame in presentation order, ``size`` frames a batch, the last one shorter.

        Memory stays bounded however slowly the batches are taken. Closing the iterator frees what it holds.

        Raises:
            SourceError: no frame can be decoded. A file that breaks off gives the frames before, then ends,
                and says so in `notes`.
        """
        ...

    def frame(self, index: int) -> FrameBatch:
        """One frame, by its position in the whole source: bit for bit the one that `batches` gives.

        Decodes what lies between it and the key frame before, and no more where the file can be sought in.

        Raises:
            SourceError: it cannot be decoded.
        """
        ...

    def part(self, first: int, stop: int | None = None) -> Source:
        """The same source with fewer selected frames, bit for bit the same: from ``first`` on and before ``stop``.

        Where the file can be sought in, what lies before is not decoded. None left: `batches` gives none.
        """
        ...

    def sample(self, count: int, size: int) -> Generator[FrameBatch, None, None]:
        """At most ``count`` selected frames, evenly spread (the middles of equal stretches), in order.

        The same frames, bit for bit, as `batches` gives under these indices.
        """
        ...

    def sample_around(
        self, count: int, at: float | None = None, *, beside: bool = True, among: int = 1
    ) -> Generator[Neighbourhood, None, None]:
        """The frames that `sample` gives, one at a time, each with the selected frames before and after it.

        Args:
            count: how many.
            at: seconds from the first frame of the source: the selected frame that is seen then comes too, marked.
            beside: whether the frames before and after are wanted; without, they are not decoded.
            among: every so many of the selected frames are those to choose from.

        Raises:
            SourceError: no selected frame is seen then.
        """
        ...

"""What a video file is made of: how the things that are written to it become frames of its encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import av
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane

from ...frames import ColourTags, Pixels, VideoInfo
from .colour import FrameMaker, apply_tags, tags_for

if TYPE_CHECKING:  # generic in PyAV's stubs only
    Packet = av.Packet[av.VideoStream]

T = TypeVar("T")
Sample = TypeVar("Sample", np.uint8, np.uint16)
_LIMITED, _FULL = 1, 2
_TEN_BITS = np.round(np.arange(256) * (1023 / 255)).astype(np.uint16)  # full range, as alpha always is


class Content(ABC, Generic[T]):
    """Turns what is written, a ``T`` a frame, into frames. One serves one file."""

    metadata: ClassVar[Mapping[str, str]] = {}  # of the stream

    def tags(self, like: VideoInfo, pixel_format: str, codec: str) -> ColourTags:
        """How the numbers of the file mean colours; the source's way, unless a kind of content says otherwise."""
        return tags_for(like, pixel_format, codec)

    def begin(self, size: tuple[int, int], pixel_format: str, tags: ColourTags) -> None:
        """The encoder is open and wants such frames."""
        self._size, self._format, self._tags = size, pixel_format, tags

    @abstractmethod
    def frame(self, given: T) -> av.VideoFrame:
        """The frame to encode, without a time. ValueError: ``given`` is of another size."""

    def packet(self, encoded: Packet) -> Packet:
        """What goes into the file for a frame that was encoded; called in the order of the frames."""
        return encoded

    def _check(self, pixels: Pixels, *channels: int) -> None:
        wanted = (*self._size, *channels)
        if pixels.shape != wanted:
            raise ValueError(f"frames must be {wanted}, got {pixels.shape}")


class RGB(Content[Pixels]):
    """Colours: (H, W, 3) uint8, C-contiguous; not to be changed afterwards."""

    def begin(self, size: tuple[int, int], pixel_format: str, tags: ColourTags) -> None:
        """See `Content.begin`."""
        super().begin(size, pixel_format, tags)
        self._maker = FrameMaker(pixel_format, tags)

    def frame(self, given: Pixels) -> av.VideoFrame:
        """See `Content.frame`."""
        self._check(given, 3)
        return self._maker(given)


class Numbers(Content[Pixels]):
    """Numbers that are no colours: (H, W) uint8, for an encoder of ``gray``.

    Tagged full range and nothing else: a matrix, primaries or a transfer curve would invite readers to convert.
    """

    def tags(self, like: VideoInfo, pixel_format: str, codec: str) -> ColourTags:
        """See `Content.tags`."""
        return ColourTags(range=_FULL)

    def frame(self, given: Pixels) -> av.VideoFrame:
        """See `Content.frame`."""
        self._check(given)
        frame = av.VideoFrame.from_ndarray(given, "gray")
        apply_tags(frame, self._tags)
        return frame


class ColoursAndAlpha(Content[tuple[av.VideoFrame, Pixels]]):
    """Colours in ``yuv444p10le``, converted already so that several files may share them, and (H, W) uint8 of alpha.

    Args:
        tags: what the colours mean; of limited range, the only one that ProRes knows.
    """

    def __init__(self, tags: ColourTags) -> None:
        self._own = tags

    def tags(self, like: VideoInfo, pixel_format: str, codec: str) -> ColourTags:
        """See `Content.tags`."""
        return self._own

    def frame(self, given: tuple[av.VideoFrame, Pixels]) -> av.VideoFrame:
        """See `Content.frame`."""
        colours, alpha = given
        self._check(alpha)
        frame = av.VideoFrame(colours.width, colours.height, self._format)
        for to, plane in zip(frame.planes, colours.planes, strict=False):
            samples(to, np.uint16)[:] = samples(plane, np.uint16)
        np.take(_TEN_BITS, alpha, out=samples(frame.planes[3], np.uint16), mode="clip")
        apply_tags(frame, self._tags)
        return frame


def limited(tags: ColourTags) -> ColourTags:
    """``tags`` for a codec whose decoders take every file for limited range."""
    return replace(tags, range=_LIMITED)


def samples(plane: VideoPlane, dtype: type[Sample]) -> npt.NDArray[Sample]:
    """(H, W) view of a plane's numbers, writable."""
    whole = np.frombuffer(memoryview(plane), dtype)
    return whole.reshape(plane.height, -1)[:, : plane.width]

"""PyAV as a source: any file that FFmpeg reads, frame by frame."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import SourceError
from ..files.ffmpeg_name import ffmpeg_name
from ..frames import ColourTags, Pixels, VideoInfo
from .index import VideoIndex
from .matrices import known
from .reading import VideoFile

# A seek throws away what the decoder's threads have begun, about this many frames.
_WORTH_A_SEEK = 16


class PyAVVideo(VideoFile):
    """Decodes with PyAV. Memory: one frame, and what FFmpeg's decoder threads hold."""

    decoder = "pyav"

    def decode(self, positions: Sequence[int], size: int) -> Generator[tuple[int, Pixels], None, None]:
        """See `VideoFile.decode`."""
        # Opened again for each pass, so that two passes never disturb each other.
        try:
            with av.open(ffmpeg_name(self.path), metadata_errors="replace") as container:
                stream = next(s for s in container.streams.video if s.index == self._stream)
                stream.thread_type = "AUTO"
                yield from self._walk(container, stream, positions)
        except av.FFmpegError as error:
            raise SourceError(f"{self.path}: {str(error).splitlines()[0]}; make or copy the file again") from None

    def __init__(self, path: Path, info: VideoInfo, index: VideoIndex, selected: range, stream: int) -> None:
        super().__init__(path, info, index, selected)
        self._stream = stream

    def _walk(
        self, container: InputContainer, stream: VideoStream, positions: Sequence[int]
    ) -> Iterator[tuple[int, Pixels]]:
        frames = self._numbered(container, stream)
        at, frame = -1, None  # the newest frame decoded
        for wanted in positions:
            key = self.index.key_before(wanted)
            if self.index.stamp is not None and key - at > _WORTH_A_SEEK:
                frames = self._seek(container, stream, wanted)
                at, frame = -1, None
            while at < wanted:
                found = next(frames, None)
                if found is None:
                    return
                if found[0] > at:  # else a repeated time: the first frame of that time counts
                    at, frame = found
            if at == wanted and frame is not None:
                yield at, self._rgb(frame)

    def _seek(self, container: InputContainer, stream: VideoStream, wanted: int) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from a key frame at or before ``wanted`` on."""
        # Some formats land after the time that was asked for: then ask for earlier and earlier key frames.
        key, step = bisect_right(self.index.keys, wanted) - 1, 1
        while True:
            container.seek(self.index.pts[self.index.keys[max(key, 0)]], stream=stream)
            frames = self._numbered(container, stream)
            first = next(frames, None)
            if first is not None and first[0] <= wanted:
                return chain([first], frames)
            if key <= 0:
                return frames if first is None else chain([first], frames)
            key, step = max(key - step, 0), step * 2

    def _numbered(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, VideoFrame]]:
        """Decoded frames with their positions. What cannot be decoded is passed over."""
        count = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                packet = None
            if packet is not None and self._is_cut(packet):
                continue
            try:
                # Nothing in place of a packet draws what the decoder still holds.
                decoded = stream.codec_context.decode(packet)
            except av.FFmpegError:
                if packet is None:
                    return
                continue
            for frame in decoded:
                position = count if self.index.stamp is None else self._position(frame)
                if position is not None:
                    yield position, frame
                count += 1
            if packet is None or packet.size == 0:
                return

    def _is_cut(self, packet: av.Packet[VideoStream]) -> bool:
        # The last packet of a file that breaks off is not in the index.
        return packet.is_corrupt and self.index.stamp is not None and self._position(packet) is None

    def _position(self, stamped: VideoFrame | av.Packet[VideoStream]) -> int | None:
        return self.index.position(stamped.dts if self.index.stamp == "dts" else stamped.pts)

    def _rgb(self, frame: VideoFrame) -> Pixels:
        return upright(_rgb(frame, self.info), self.info)


def _rgb(frame: VideoFrame, info: VideoInfo) -> Pixels:
    frame.colorspace = known(int(frame.colorspace))  # FFmpeg refuses a frame with another
    turned = info.rotation in (90, 270)
    height, width = (info.width, info.height) if turned else (info.height, info.width)
    # The size only matters for the rare stream that changes it: its frames are scaled to the first one's.
    return cast("Pixels", frame.to_ndarray(format="rgb24", height=height, width=width))


def upright(pixels: Pixels, info: VideoInfo) -> Pixels:
    """A stored frame as players show it."""
    if info.mirrored:
        pixels = pixels[:, ::-1]
    return np.rot90(pixels, -info.rotation // 90) if info.rotation else pixels


def describe(container: InputContainer, stream: VideoStream, index: VideoIndex, path: Path) -> VideoInfo:
    """The facts of an open video; decodes its first frame. Moves the container.

    Raises:
        SourceError: no frame can be decoded.
    """
    frame = _first_frame(container, stream)
    if frame is None:
        raise SourceError(f"{path}: none of its frames can be decoded; make or copy the file again")
    rotation, mirrored = _orientation(frame)
    height, width = frame.height, frame.width
    aspect = Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    aspect = aspect if aspect > 0 else Fraction(1)
    if rotation in (90, 270):
        height, width, aspect = width, height, 1 / aspect
    return VideoInfo(
        path=path,
        height=height,
        width=width,
        frames=None,
        time_base=index.time_base,
        rate=_rate(stream, index),
        rotation=rotation,
        pixel_aspect=aspect,
        colour=ColourTags(
            int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), int(frame.color_range)
        ),
        has_audio=bool(container.streams.audio),
        mirrored=mirrored,
    )


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """By how many degrees clockwise a frame is to be turned, and whether it is to be mirrored before that."""
    given = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))
    if given is None:
        return 0, False
    # Where a stored point is shown: x' = a x + c y, y' = b x + d y, with y downwards. PyAV tells of the turn alone.
    a, b, _, c, d, *_ = np.frombuffer(bytes(given), np.int32).tolist()
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360, mirrored


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            continue
        if decoded:
            return decoded[0]
    return None


def _rate(stream: VideoStream, index: VideoIndex) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    if rate:
        return Fraction(rate)
    lasts = (index.pts[-1] - index.pts[0]) * index.time_base
    return Fraction(len(index) - 1) / lasts if lasts > 0 else Fraction(25)

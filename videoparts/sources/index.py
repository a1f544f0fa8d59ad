"""The times and key frames of a video, found by reading its packets without decoding them."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from ..errors import SourceError
from ..files.ffmpeg_name import ffmpeg_name

Stamp = Literal["pts", "dts"]

# More than so many frames of one time, on average, make times useless. Two there may be: the fields of a picture.
_FEW_TIMES = 3


@dataclass(frozen=True)
class VideoIndex:
    """Where the frames of a video lie in time. Positions count in presentation order, from 0."""

    pts: array[int]  # int64 ticks of time_base, strictly increasing, one a frame that is shown
    keys: array[int]  # positions of key frames, increasing
    clean_keys: array[int]  # those with no frame shown before them that comes after them in the file
    time_base: Fraction
    stamp: Stamp | None  # which time of a decoded frame is its pts here; None: the i-th decoded is the i-th of pts
    announced: int | None  # frames that the file says it has, where that is more than it has
    broken: str | None  # how much of the file is missing, in words; None: nothing

    def __len__(self) -> int:
        return len(self.pts)

    def position(self, time: int | None) -> int | None:
        """The position of the frame at exactly that time; None: there is none."""
        position = len(self.pts) if time is None else bisect_left(self.pts, time)
        return position if position < len(self.pts) and self.pts[position] == time else None

    def key_before(self, position: int) -> int:
        """The nearest key frame at or before ``position``; 0 if there is none."""
        return _at_or_before(self.keys, position)

    def clean_key_before(self, position: int) -> int:
        """The same among key frames that every decoder can start from."""
        return _at_or_before(self.clean_keys, position)

    def longest_stretch(self) -> int:
        """Frames between the clean key frames that lie farthest apart."""
        marks = [0, *self.clean_keys, len(self.pts)]
        return max(b - a for a, b in pairwise(marks))


def _at_or_before(keys: array[int], position: int) -> int:
    i = bisect_right(keys, position) - 1
    return keys[i] if i >= 0 else 0


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A container and its first video stream that is not a cover picture; closed at the end.

    Raises:
        SourceError: the file cannot be read, or holds no video.
    """
    try:
        container = av.open(ffmpeg_name(path), metadata_errors="replace")
    except PermissionError:
        raise SourceError(f"{path}: no permission to read it; change its mode or copy it") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path}: {_why(path, error)}") from None
    try:
        kind = container.format.name
        if kind == "tty":
            raise SourceError(f"{path}: this is text, not a video; give a video file or a folder of pictures")
        if kind.endswith("_pipe") or kind == "image2":
            raise SourceError(f"{path}: this is a single picture; give a video file, or a folder with the frames alone")
        streams = [s for s in container.streams.video if not _is_cover(s)]
        if not streams:
            what = "sound but no video" if container.streams.audio else "no video"
            raise SourceError(f"{path}: the file has {what}; give a file with pictures in it")
        if streams[0].codec_context is None:
            raise SourceError(f"{path}: FFmpeg has no decoder for its video; convert it, for example to H.264")
        yield container, streams[0]
    finally:
        container.close()


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _why(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError:
        head = b""
    if head[4:] == b"ftyp" and isinstance(error, av.InvalidDataError):
        return "its index (moov) is missing, so it has broken off or was never finished; make or copy it again"
    text = str(getattr(error, "strerror", None) or error).splitlines()[0]
    return f"not readable as a video ({text}); check that it is a complete video file"


def scan(container: InputContainer, stream: VideoStream, path: Path) -> VideoIndex:
    """Read every packet of ``stream`` once. Memory: at most 50 bytes a frame.

    Raises:
        SourceError: there is no frame.
    """
    times, decode_times, keys = array("q"), array("q"), bytearray()
    codec = stream.codec_context.name
    # AVI keeps no presentation times. PyAV lets FFmpeg guess them, which gives H.264 the time of the next frame.
    guessed = container.format.name == "avi"
    missing_pts = missing_dts = corrupt = False
    packets = 0
    broke = False
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            packets += 1
            if packet.is_discard or (codec == "vp8" and not bytes(memoryview(packet)[:1])[0] & 0x10):
                continue  # cut off by an edit list, or VP8's reference frame that is never shown
            corrupt = packet.is_corrupt
            pts, dts = packet.pts, packet.dts
            missing_pts |= pts is None
            missing_dts |= dts is None
            times.append(pts if pts is not None else 0)
            decode_times.append(dts if dts is not None else 0)
            keys.append(packet.is_keyframe)
    except av.FFmpegError:
        broke = True
    if corrupt and len(times) > 1:
        # The last packet was cut: a decoder would make half a picture of it.
        for column in (times, decode_times, keys):
            column.pop()
    if not times:
        raise SourceError(f"{path}: the file announces video but holds no frame; make or copy it again")
    time_base = Fraction(stream.time_base or Fraction(1, 90_000))
    stamp: Stamp | None = "dts" if guessed and times != decode_times else "pts"
    if missing_pts or (guessed and stream.codec_context.has_b_frames):
        stamp = None
    if len(np.unique(times)) * _FEW_TIMES < len(times):
        stamp = None  # who wrote the file gave them no thought
    if stamp != "pts":
        if missing_dts or len(np.unique(decode_times)) < len(decode_times):
            stamp, time_base = None, 1 / Fraction(stream.average_rate or stream.guessed_rate or 25)
            decode_times = array("q", range(len(times)))
        times = decode_times
    shown = array("q", np.unique(times).tobytes())  # sorted
    marks = _key_positions(shown, times, keys)
    # AVI counts the empty places between frames, and after the last, too. FFmpeg passes over them; times tell of them.
    numbered = guessed and stamp is not None and len(shown) > 1
    places = max(packets, 2 * shown[-1] - shown[-2]) if numbered else packets
    missing = _missing(container, stream, places, shown, time_base, broke or corrupt)
    announced = stream.frames if missing is not None and stream.frames > places else None
    return VideoIndex(shown, *marks, time_base, stamp, announced, missing)


def _key_positions(shown: array[int], times: array[int], keys: bytearray) -> tuple[array[int], array[int]]:
    every, clean = array("q"), array("q")
    # Packets after a key frame that are shown before it would need frames before the key frame.
    earliest_after: int | None = None
    for i in range(len(times) - 1, -1, -1):
        if keys[i]:
            position = bisect_left(shown, times[i])
            every.append(position)
            if (earliest_after is None or earliest_after > times[i]) and position == i:
                clean.append(position)
        earliest_after = times[i] if earliest_after is None else min(earliest_after, times[i])
    return array("q", sorted(every)), array("q", sorted(clean))


def _missing(
    container: InputContainer, stream: VideoStream, packets: int, shown: array[int], time_base: Fraction, cut: bool
) -> str | None:
    if stream.frames > packets and (cut or stream.frames > packets * 1.01):
        return f"{len(shown)} of {stream.frames} frames"
    first, last = shown[0] * time_base, shown[-1] * time_base
    lasts, announced = last - first, _announced_duration(container, stream)
    # FFmpeg counts from zero to the end of the track, mkvmerge from its first picture.
    if announced is not None and announced > last and "_STATISTICS_WRITING_APP" not in stream.metadata:
        announced -= max(first, Fraction(0))
    if announced is not None and announced - lasts > max(Fraction(1, 2), announced / 50):
        return f"{len(shown)} frames, {float(lasts):.2f} of {float(announced):.2f} seconds"
    return f"{len(shown)} frames" if cut else None


def _announced_duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    # Only Matroska writes the duration at the head and may then lack the rest; others are estimated from what is
    # there. With several streams the file's duration may be that of the sound.
    if "matroska" not in container.format.name:
        return None
    tag = stream.metadata.get("DURATION", "")
    parts = tag.split(":")
    if len(parts) == 3:
        try:
            return Fraction(parts[0]) * 3600 + Fraction(parts[1]) * 60 + Fraction(parts[2])
        except ValueError:
            return None
    if len(container.streams) == 1 and container.duration:
        return Fraction(container.duration, 1_000_000)
    return None

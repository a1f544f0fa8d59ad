"""A small copy of the clip that a browser plays and seeks in quickly."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING

import av
import cv2
import numpy as np
from av.container import OutputContainer

from ...frames import Pixels, VideoInfo
from ..encoding.colour import FrameMaker, apply_tags, tags_for
from ..encoding.encoder import FRAME_DURATION, encoding_errors

if TYPE_CHECKING:  # generic in PyAV's stubs only
    _Packet = av.Packet[av.VideoStream]

LONG_SIDE = 854  # pixels: 480p of a wide picture
GROUP = 12  # frames between key frames: what a seek decodes at most

_MILLISECOND = Fraction(1, 1000)  # what WebM counts its times in
_OPTIONS = {
    "deadline": "realtime",
    "cpu-used": "8",
    "row-mt": "0",  # with it the bytes would tell one thread from several; a tile for each of two is as fast
    "tile-columns": "1",
    "lag-in-frames": "0",
    "crf": "34",
    "b": "0",
    "g": str(GROUP),
}


def proxy_size(like: VideoInfo) -> tuple[int, int]:
    """(height, width) of the proxy of a source: even, square pixels, at most `LONG_SIDE`, never enlarged.

    >>> proxy_size(VideoInfo(Path("x"), 720, 1280, None, Fraction(1, 25), Fraction(25)))
    (480, 854)
    """
    height, width = like.square_size
    scale = min(Fraction(1), Fraction(LONG_SIDE) / max(height, width))
    return _even(height * scale), _even(width * scale)


class ProxyTimes:
    """When a proxy shows each frame: milliseconds after the first one.

    Args:
        like: the source: time base.
    """

    def __init__(self, like: VideoInfo) -> None:
        self._base = like.time_base
        self._first: int | None = None
        self._last = 0

    def add(self, pts: int) -> int:
        """The time of the next frame, of its ``pts`` in the source."""
        if self._first is None:
            self._first = pts
            return 0
        ms = round((pts - self._first) * self._base / _MILLISECOND)
        self._last = max(ms, self._last + 1)  # frames less than a millisecond apart are still frames of their own
        return self._last


class Proxy:
    """Encodes frames as VP9 in WebM, without sound. `start`, `write` each frame, then `finish` or `abort`.

    Args:
        file: where the bytes go; seekable.
        path: of the output, for messages.
        like: the source: time base, rate, colour tags.
        size: (height, width), from `proxy_size`.
    """

    def __init__(self, file: IO[bytes], path: Path, like: VideoInfo, size: tuple[int, int]) -> None:
        self._file = _Target(file)
        self._path = path
        self._like = like
        self._size = size
        self._output: OutputContainer | None = None
        self._times = ProxyTimes(like)
        self._held: av.VideoFrame | None = None  # the newest frame, until the next tells how long it is shown
        self._interval = max(1, round(1 / like.rate / _MILLISECOND))  # how long the frame before it was shown

    def start(self) -> None:
        """Open the encoder and write the header."""
        with encoding_errors(self._path):
            options = {"fflags": "+bitexact"}  # no random identifiers: the same run gives the same bytes
            self._output = av.open(self._file, "w", format="webm", container_options=options)
            stream = self._output.add_stream("libvpx-vp9", rate=self._like.rate.limit_denominator(100_000))
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width = self._size
            stream.pix_fmt = "yuv420p"
            stream.time_base = stream.codec_context.time_base = _MILLISECOND
            tags = tags_for(self._like, "yuv420p", "libvpx-vp9")
            apply_tags(stream, tags)
            stream.codec_context.flags |= FRAME_DURATION
            stream.codec_context.thread_type = "AUTO"
            stream.codec_context.options = dict(_OPTIONS)
            stream.codec_context.open()
            self._stream = stream
            self._frame = FrameMaker("yuv420p", tags)
            self._output.start_encoding()

    def write(self, pixels: Pixels, pts: int) -> int:
        """Encode one frame.

        Args:
            pixels: (H, W, 3) uint8.
            pts: its time in ticks of the source's time base, later than the one before.

        Returns:
            When the proxy shows it: milliseconds after the first frame.
        """
        pixels = self._small(pixels)
        with encoding_errors(self._path):
            frame, ms = self._frame(pixels), self._times.add(pts)
            if self._held is not None:
                self._interval = ms - (self._held.pts or 0)
                self._encode_held()
            frame.time_base, frame.pts = _MILLISECOND, ms
            self._held = frame
        return ms

    def finish(self) -> None:
        """Write the last frame, which lasts as long as the one before it, and the index."""
        with encoding_errors(self._path):
            self._encode_held()
            self._mux(self._stream.encode(None))
            assert self._output is not None
            self._output.close()
        self._output = None

    def abort(self) -> None:
        """Close the encoder. Never raises."""
        self._held = None
        self._file.shut = True
        if self._output is not None:
            with suppress(Exception):
                self._output.close()
            self._output = None

    def _small(self, pixels: Pixels) -> Pixels:
        height, width = self._size
        if pixels.shape[:2] != self._size:
            # Down to a half, two pixels each way are all that lie below one: averaging areas takes three times as long.
            mode = cv2.INTER_AREA if max(pixels.shape[0] / height, pixels.shape[1] / width) > 2 else cv2.INTER_LINEAR
            pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=mode), dtype=np.uint8)
        return np.ascontiguousarray(pixels)

    def _encode_held(self) -> None:
        assert self._held is not None
        # Chromium, seeking, stops at the first frame that lasts until the time sought: the file must say the truth.
        self._held.duration = self._interval
        self._mux(self._stream.encode(self._held))

    def _mux(self, packets: list[_Packet]) -> None:
        assert self._output is not None
        for packet in packets:
            self._output.mux(packet)


class _Target:
    """The file that PyAV writes. From a call that fails on, nothing reaches it: what a second one raised, PyAV would
    print."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.shut = False

    def write(self, data: bytes) -> int:
        return self._try(lambda: self._file.write(data), len(data))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._try(lambda: self._file.seek(offset, whence), 0)

    def tell(self) -> int:
        return self._try(self._file.tell, 0)

    def _try(self, call: Callable[[], int], otherwise: int) -> int:
        if self.shut:
            return otherwise
        self.shut = True
        done = call()
        self.shut = False
        return done


def _even(length: Fraction | float) -> int:
    return max(2, 2 * round(Fraction(length) / 2))

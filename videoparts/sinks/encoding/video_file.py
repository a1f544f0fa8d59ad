"""A video file made frame by frame, with the source's times, colours and sound. It appears when complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Generic

import av
from av.container import OutputContainer

from ...errors import OutputError
from ...files.atomic import AtomicFile, ensure_not_input
from ...files.ffmpeg_name import ffmpeg_name
from ...frames import VideoInfo
from . import matroska_aspect
from .containers import container_of
from .content import Content, T
from .encoder import Encoding, add_video_stream, encoding_errors
from .sound import SoundTrack

# Places between a frame and its time. Rounding is half a one, and a source's own times may be rounded too.
_OFF_AND_NOT_TOLD = 0.75


class VideoFile(Generic[T]):
    """Encodes frames to a file. `start`, `write` each frame, then `finish` or `abort`.

    Times: a clip that begins with its source's first frame keeps the source's times; one that begins later, and
    one whose times begin below zero, begins at zero, sound and picture shifted alike. How exactly times are kept
    is the container's matter, see `Container.time_base`.

    Args:
        path: the file to make; its suffix chooses the container.
        like: the source: time base, rate, colour tags, pixel aspect, sound.
        size: (height, width) of the frames.
        content: what is written, and how it becomes frames. It serves this file alone.
        encoding: the encoder and what is asked of it.
        audio: whether to keep the sound.
        inputs: files that must not be written over, besides the source.

    Raises:
        OutputError, SettingsError: at birth or at `start`: the file cannot be written, or not so.
    """

    def __init__(
        self,
        path: Path,
        like: VideoInfo,
        size: tuple[int, int],
        content: Content[T],
        encoding: Encoding | None = None,
        *,
        audio: bool = True,
        inputs: Iterable[Path] = (),
    ) -> None:
        self.path = path
        self._like = like
        self._size = size
        self._content = content
        self._encoding = encoding or Encoding()
        self._audio = audio and like.has_audio
        self._container = container_of(path)
        ensure_not_input(path, [like.path, *inputs])
        self._file = AtomicFile(path)
        self._sound: SoundTrack | None = None
        self._output: OutputContainer | None = None
        self._notes: list[str] = []
        self._held: av.VideoFrame | None = None  # the newest frame, until the next tells how long it is shown
        self._last: int | None = None  # pts of the newest frame
        self._interval = 1 / like.rate  # how long the frame before it was shown, seconds
        self._shift = 0  # ticks of the source taken off every time
        self._off = 0.0  # how far at most a frame is written from its time, in ticks of the file
        self._base = self._container.time_base(like)
        self._aspect_is_added = self._container.adds_aspect and like.pixel_aspect != 1

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read, such as why the sound was left out."""
        return (*self._notes, *(self._sound.notes if self._sound else ()))

    def start(self) -> None:
        """Open the encoder and write the header."""
        self._file.start()
        try:
            with encoding_errors(self.path):
                self._open(self._audio)
        except BaseException:
            self.abort()
            raise

    def write(self, given: T, pts: int, index: int) -> None:
        """Encode one frame.

        Args:
            given: what the content takes, such as pixels; not to be changed afterwards.
            pts: its time in ticks of the source's time base, later than the one before.
            index: its position in the whole source; only the first frame's counts.

        Raises:
            OutputError: the disk is full, the encoder fails, ...
            ValueError: it was not started, or times do not rise.
        """
        if self._output is None:
            raise ValueError(f"{self.path}: is not open; write to it inside of a with block, or call start() before")
        with encoding_errors(self.path):
            if self._last is None:
                self._begin(pts, index)
            elif pts <= self._last:
                raise ValueError(f"times must rise, got {pts} after {self._last}")
            else:
                self._interval = (pts - self._last) * self._like.time_base
            frame = self._content.frame(given)
            frame.time_base = self._base
            exact = (pts - self._shift) * self._like.time_base / self._base
            frame.pts = round(exact)
            if self._held is not None:
                # Only rounding (AVI's numbers, times finer than FFmpeg's rationals) can bring two to one place.
                frame.pts = max(frame.pts, (self._held.pts or 0) + 1)
                self._encode_held(frame.pts - (self._held.pts or 0))
            self._off = max(self._off, abs(float(frame.pts - exact)))
            self._held, self._last = frame, pts

    def finish(self) -> None:
        """`end` and `commit`."""
        self.end()
        self.commit()

    def end(self) -> None:
        """Write the last frame, the rest of the sound and the index.

        Raises:
            OutputError: no frame was written, or writing failed. Nothing is left behind then.
        """
        try:
            if self._last is None:
                raise OutputError(f"{self.path}: there is no frame to write; look at --start and --end")
            with encoding_errors(self.path):
                self._encode_held(max(1, round(self._interval / self._base)))
                self._encode(None)
                if self._sound is not None:
                    self._sound.finish(self._last * self._like.time_base + self._interval, self._interval)
                    self._sound.close()
                assert self._output is not None
                self._output.close()
                if self._aspect_is_added:
                    matroska_aspect.write_aspect(self._file.temporary, self._size, self._like.pixel_aspect)
        except BaseException:
            self.abort()
            raise
        self._output = None
        if self._container.fixed_rate and self._off > _OFF_AND_NOT_TOLD:
            self._notes.append(
                f"times: {self.path.suffix} numbers its frames at an even rate, which these do not keep: some are seen "
                f"up to {self._off * float(self._base):.2f} seconds off; choose .mp4 or .mkv to keep their times"
            )

    def commit(self) -> None:
        """Give the file that came to its end its name. Raises OutputError, leaving nothing behind, if that fails."""
        self._file.commit()

    def abort(self) -> None:
        """Remove what was written. Never raises."""
        self._held = None
        if self._sound is not None:
            self._sound.close()
        # Closing writes an index; of a file that is gone already, that is quick. Where an open file cannot be
        # removed, the second call does it.
        self._file.discard()
        if self._output is not None:
            with suppress(Exception):
                self._output.close()
            self._output = None
        self._file.discard()

    def _open(self, with_sound: bool) -> None:
        self._output = av.open(
            ffmpeg_name(self._file.temporary),
            "w",
            format=self._container.muxer,
            container_options=self._container.options(self._base),
        )
        self._stream = add_video_stream(
            self._output, self._container, self._like, self._size, self._encoding, self._content.tags
        )
        self._stream.metadata.update(self._content.metadata)
        if self._aspect_is_added:
            self._stream.metadata["title"] = matroska_aspect.ROOM
        pixel_format = self._stream.pix_fmt or "yuv420p"
        encoder = self._stream.codec_context.codec
        self._content.begin(self._size, pixel_format, self._content.tags(self._like, pixel_format, encoder.name))
        self._notes = list(self._remarks(encoder.canonical_name, pixel_format))
        try:
            if with_sound:
                self._sound = SoundTrack(self._like.path, self._output, self._container)
            self._output.start_encoding()
        except OSError:
            raise
        except (av.FFmpegError, ValueError) as error:
            if not with_sound:
                raise
            # A half-made sound stream cannot be taken out again: begin anew without.
            if self._sound is not None:
                self._sound.close()
            self._sound = None
            self._open(False)
            self._notes.append(f"sound: left out, for it cannot be copied ({error})")

    def _remarks(self, codec: str, pixel_format: str) -> Iterator[str]:
        aspect, (height, width) = self._like.pixel_aspect, self._size
        if aspect != 1 and not self._container.keeps_aspect(codec):
            yield (
                f"pixel aspect {aspect}: {codec} in {self.path.suffix} cannot say it, so players show square pixels; "
                "choose .mp4 to keep it"
            )
        if (height % 2 or width % 2) and codec in ("h264", "hevc") and pixel_format != "yuv420p":
            yield (
                f"odd size {width} x {height}: kept by encoding {codec} in {pixel_format}, which browsers may not "
                "show; choose .webm for them"
            )

    def _begin(self, pts: int, index: int) -> None:
        whole = index == 0
        self._shift = pts if pts < 0 or not whole else 0
        if self._sound is not None:
            base = self._like.time_base
            self._sound.begin(None if whole else pts * base, self._shift * base)

    def _encode_held(self, duration: int) -> None:
        assert self._held is not None
        self._held.duration = duration
        self._encode(self._held)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        """Write what the encoder gives for ``frame``; None: all that it still holds."""
        assert self._output is not None
        for packet in map(self._content.packet, self._stream.encode(frame)):
            packet.stream = self._stream
            if self._sound is not None and packet.dts is not None:
                shift = self._shift * self._like.time_base
                self._sound.write_until(packet.dts * packet.time_base + shift)
            self._output.mux(packet)

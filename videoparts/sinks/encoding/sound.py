"""The sound of a source on its way into an output, a little at a time, as the picture goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.container import OutputContainer
from av.stream import Stream

from ...files.ffmpeg_name import ffmpeg_name
from .containers import Container

if TYPE_CHECKING:  # generic in PyAV's stubs only
    _Packet = av.Packet[Stream]

_PATIENCE = 10  # seconds of sound after the last picture, with no picture among them, that prove the picture over
_SEEK_MARGIN = 2  # seconds
_BITS_A_CHANNEL = 80_000
_ROUNDED = 2  # ticks of the source by which a frame may be late without being one after a gap


class SoundTrack:
    """Copies the packets of a file's sound into an output; encodes anew what the output's container cannot hold.

    Times are seconds of the source. Make it before the output's header is written, say where the clip starts with
    `begin`, then call `write_until` as the picture goes, `finish`, and `close` in any case. What goes wrong with
    the sound is told in `notes` and never raised: it must not cost the picture.

    Raises:
        av.FFmpegError, ValueError: at birth: there is no sound that can be read, or none that can be written.
    """

    def __init__(self, path: Path, output: OutputContainer, container: Container) -> None:
        self.notes: list[str] = []
        self._output = output
        try:
            self._input = av.open(ffmpeg_name(path), metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:  # not an OSError: that would speak of the output
            raise ValueError(f"{path} cannot be opened: {error.strerror}") from error
        try:
            tracks = self._input.streams.audio
            if not tracks:
                raise ValueError("it has no sound track")
            if len(tracks) > 1:
                self.notes.append(f"sound: the first of {len(tracks)} tracks is kept")
            self._track = tracks[0]
            if self._track.codec_context is None:
                raise ValueError("FFmpeg has no decoder for it")
            self._picture = self._input.streams.best("video")
            self._copied = self._add_stream(container)
        except BaseException:
            self._input.close()
            raise
        self._packets: Iterator[_Packet] = iter(())
        self._pending: _Packet | None = None
        self._last_dts: int | None = None
        self._next: int | None = None  # time of the next frame to encode, in samples; None: there was none
        self._damaged = False  # whether a packet could not be decoded
        # Matroska counts milliseconds, and in one of them may begin more packets than one.
        self._least_step = 0 if container.muxer in ("matroska", "webm") else 1
        self._last_picture = Fraction(-(10**9))  # latest time of a picture met in the file
        self._shift = 0  # in ticks of the track

    def begin(self, start: Fraction | None, shift: Fraction) -> None:
        """Choose where to begin.

        Args:
            start: sound before this time is left out. None: nothing is.
            shift: seconds taken off every time.
        """
        base = self._base
        self._shift = round(shift / base)
        if start is not None and start > _SEEK_MARGIN:
            with suppress(av.FFmpegError):  # cannot seek: read from where we are, the beginning
                self._input.seek(int((start - _SEEK_MARGIN) * av.time_base))
        self._packets = (
            packet
            for packet in self._read()
            if packet.stream_index != self._track.index or start is None or self._time(packet) >= start
        )

    def write_until(self, time: Fraction) -> None:
        """Write the sound before ``time``."""
        while True:
            packet = self._pending or self._next_sound()
            self._pending = None
            if packet is None:
                return
            if self._time(packet) >= time:
                self._pending = packet
                return
            self._write(packet)

    def finish(self, end: Fraction, interval: Fraction) -> None:
        """Write the rest: up to ``end`` where the source has pictures after it, else all.

        Args:
            end: when the last picture that was written stops being shown.
            interval: how long it is shown.
        """
        self.write_until(end)
        after = end - interval / 2  # a picture from here on was left out, so its sound is too
        held = [self._pending] if self._pending else []
        self._pending = None
        while self._picture is not None and self._last_picture < after:
            packet = next(self._packets, None)
            if packet is None:
                break
            if packet.stream_index != self._track.index:
                continue
            held.append(packet)
            if self._time(packet) > end + _PATIENCE:
                break
        if self._last_picture < after:
            for packet in held:
                self._write(packet)
            while (packet := self._next_sound()) is not None:
                self._write(packet)
        if not self._copied:
            self._encode(None)
            if self._damaged and self._next is None:
                self.notes.append("sound: left out, for none of it can be decoded")

    def close(self) -> None:
        """Let go of the source."""
        self._packets = iter(())
        self._input.close()

    def _add_stream(self, container: Container) -> bool:
        """Add the output's stream; return whether packets are copied."""
        codec = self._track.codec_context
        name = codec.codec.canonical_name
        if container.sound_copied is None or name in container.sound_copied:
            try:
                self._stream: av.AudioStream = self._output.add_stream_from_template(self._track)
                return True
            except (ValueError, av.FFmpegError):
                pass
        added = self._output.add_stream(container.sound_encoder, rate=_rate(container.sound_encoder, codec.sample_rate))
        assert isinstance(added, av.AudioStream)
        self._stream = added
        # By number, as the layout of raw sound is often not named.
        self._stream.codec_context.layout = {1: "mono", 6: "5.1"}.get(codec.layout.nb_channels, "stereo")
        self._stream.codec_context.bit_rate = _BITS_A_CHANNEL * self._stream.codec_context.layout.nb_channels
        self.notes.append(
            f"sound: .{container.muxer} cannot hold {name}, so it was encoded anew as {container.sound_encoder}"
        )
        return False

    def _read(self) -> Iterator[_Packet]:
        """Packets of the sound and the picture in the file's order, until the end or the first damage."""
        wanted = [self._track] if self._picture is None else [self._track, self._picture]
        try:
            for packet in self._input.demux(wanted):
                if packet.dts is None and packet.pts is None:  # only says that the stream is over
                    continue
                if packet.stream_index != self._track.index and packet.pts is not None:
                    self._last_picture = max(self._last_picture, packet.pts * packet.time_base)
                yield packet
        except (av.FFmpegError, OSError) as error:
            self.notes.append(f"sound: the source breaks off ({error.strerror}); the sound ends there")

    def _next_sound(self) -> _Packet | None:
        return next((packet for packet in self._packets if packet.stream_index == self._track.index), None)

    @property
    def _base(self) -> Fraction:
        return self._track.time_base or Fraction(1, self._track.codec_context.sample_rate)

    def _time(self, packet: _Packet) -> Fraction:
        ticks = packet.pts if packet.pts is not None else packet.dts
        return (ticks or 0) * self._base

    def _write(self, packet: _Packet) -> None:
        if not self._copied:
            self._encode(packet)
            return
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None or (self._last_dts is not None and dts < self._last_dts + self._least_step):
            return  # a muxer takes rising times only; such packets are found in damaged files
        self._last_dts = dts
        packet.dts = dts - self._shift
        packet.pts = (packet.pts if packet.pts is not None else dts) - self._shift
        packet.stream = self._stream
        self._mux([packet])

    def _encode(self, packet: _Packet | None) -> None:
        """Decode ``packet``, encode and write what it holds; None: what the encoder still holds."""
        try:
            frames = self._track.decode(packet) if packet is not None else [*self._track.decode(None), None]
        except av.FFmpegError:
            self._damaged = True
            return  # a damaged packet: silence of some milliseconds
        for frame in frames:
            if frame is not None:
                self._set_time(frame)
            try:
                packets = self._stream.encode(frame)
            except (av.FFmpegError, ValueError) as error:
                self._give_up(error)
                return
            self._mux(packets)

    def _set_time(self, frame: av.AudioFrame) -> None:
        """Count a frame's time in samples, so that those that follow each other do so to the sample.

        A source's own times may be rounded, to milliseconds or worse. Its frames would overlap by them, and an encoder
        makes packets of that which some muxers refuse.
        """
        rate = frame.sample_rate
        at = self._next
        if frame.pts is not None:
            time = (frame.pts - self._shift) * self._base
            if at is None or time - Fraction(at, rate) > _ROUNDED * self._base:  # the first, or one after a gap
                at = round(time * rate)
        if at is not None:
            frame.pts, frame.time_base = at, Fraction(1, rate)
            self._next = at + frame.samples

    def _mux(self, packets: list[_Packet]) -> None:
        try:
            self._output.mux(packets)
        except OSError:
            raise  # the disk, not the sound
        except (av.FFmpegError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.notes.append(f"sound: it ends early, for it cannot be written on ({error})")
        self._packets, self._pending = iter(()), None
        self._copied = True  # nothing is left to flush


def _rate(encoder: str, rate: int) -> int:
    """The rate, in samples a second, that an encoder takes instead of ``rate``: the next higher one, up to 48,000."""
    if encoder == "libopus":  # which works at that one, whatever it is given
        return 48_000
    known = av.Codec(encoder, "w").audio_rates or [min(rate, 48_000)]
    known = sorted(one for one in known if one <= 48_000)
    return next((one for one in known if one >= rate), known[-1])

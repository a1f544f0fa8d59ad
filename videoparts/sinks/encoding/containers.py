"""What a video file of each kind holds: its default encoder, the sound it takes, how exact its times are."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ...errors import OutputError
from ...frames import VideoInfo

_LARGEST = 2**31 - 1  # FFmpeg's rationals are pairs of 32-bit integers


@dataclass(frozen=True)
class Container:
    """One kind of video file, as FFmpeg's muxer of that name writes it."""

    muxer: str
    encoder: str  # of the picture, unless the user names one
    sound_copied: frozenset[str] | None  # codecs whose packets players take in this container; None: any
    sound_encoder: str  # for the sound that cannot be copied
    fixed_rate: bool = False  # frames have no times of their own, only a number

    def options(self, time_base: Fraction) -> dict[str, str]:
        """Options of the muxer for a track that counts its times in ``time_base``."""
        # bitexact: no random track identifiers and no version strings, so that the same run gives the same bytes.
        options = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
        if self.muxer in ("mp4", "mov"):
            # faststart: the index in front, so that browsers play before the whole file has come. The offset of a
            # track that starts late is counted in the movie's own units: milliseconds, unless told.
            options |= {"movflags": "+faststart", "movie_timescale": str(time_base.denominator)}
        return options

    @property
    def adds_aspect(self) -> bool:
        """Whether the aspect of the pixels comes into the complete file, for PyAV cannot tell the muxer."""
        return self.muxer in ("matroska", "webm")

    def keeps_aspect(self, codec: str) -> bool:
        """Whether pixels that are not square stay so, in ``codec`` (its name as a format, not its encoder's)."""
        # PyAV cannot tell AVI's muxer the aspect: there the pictures themselves must say it.
        return self.muxer != "avi" or codec in ("h264", "hevc", "mpeg4", "mpeg2video")

    def time_base(self, like: VideoInfo) -> Fraction:
        """Seconds a tick in which the frames' times are given to the encoder.

        The source's own, which mp4 and mov keep exactly. Matroska and WebM round each time to the nearest
        millisecond. AVI numbers its frames, so that each takes the nearest place at the average rate. Finer places, as
        of milliseconds, with empty frames between, would say when frames of uneven times are seen. But such a file
        claims 1000 frames a second, decord knows no time of its H.264, and PyAV gives each frame that of the next.
        """
        if self.fixed_rate:
            return 1 / (like.rate.limit_denominator(1001) or like.rate)  # one frame in an hour would be none
        base = like.time_base
        return base if max(base.numerator, base.denominator) <= _LARGEST else Fraction(1, 90_000)


_MPEG_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_KINDS = {
    ".mp4": Container("mp4", "libx264", _MPEG_SOUND | {"opus", "flac"}, "aac"),
    ".mov": Container("mov", "libx264", _MPEG_SOUND | {"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"}, "aac"),
    ".mkv": Container("matroska", "libx264", None, "libopus"),
    ".webm": Container("webm", "libvpx-vp9", frozenset({"opus", "vorbis"}), "libopus"),
    ".avi": Container("avi", "libx264", frozenset({"mp3", "mp2", "ac3", "pcm_s16le", "pcm_u8"}), "ac3", True),
}


def container_of(path: Path) -> Container:
    """The kind of video file that ``path`` names by its suffix.

    Raises:
        OutputError: no such kind.
    """
    try:
        return _KINDS[path.suffix.lower()]
    except KeyError:
        raise OutputError(f"{path} is no video that can be written: end its name in {', '.join(_KINDS)}") from None

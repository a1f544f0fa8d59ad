"""Choosing and opening the encoder of the picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext

from ...errors import OutputError, SettingsError
from ...files.atomic import output_errors
from ...frames import ColourTags, VideoInfo
from .colour import apply_tags
from .containers import Container

# Enough for any encoder here; each thread of one that works on several frames holds one more of them in memory.
_ENOUGH = 4
# Of encoders that are known to write the same bytes with any number of threads.
THREADS = min(_ENOUGH, os.cpu_count() or 1)


@dataclass(frozen=True)
class Encoding:
    """What is asked of an encoder; the rest is its habits here."""

    codec: str | None = None  # FFmpeg's name of an encoder; None: the container's own
    quality: int | None = None  # CRF; None: a good one for that encoder
    # The encoder's preset; for libvpx-vp9 ``realtime``, ``good``, ``best``, or a number for ``cpu-used``.
    speed: str | None = None
    pixel_format: str | None = None  # None: what plays everywhere and keeps the size
    options: Mapping[str, str] = field(default_factory=dict)  # of the encoder, over its habits
    threads: int = _ENOUGH  # the same on every machine: with another number x264 and x265 write other bytes


@dataclass(frozen=True)
class _Habits:
    """What an encoder is given unless the user says otherwise."""

    quality: int
    worst: int  # the highest CRF that it knows: x264 takes what is higher for it, and says nothing
    speed: tuple[str, str]  # option and value
    others: tuple[tuple[str, str], ...] = ()
    at_that_speed: tuple[tuple[str, str], ...] = ()  # in their place, unless the user names another


# x264's lookahead of its own thread, and where it uses AVX-512 its macroblock tree even in one thread, gave several
# different files of the same frames on a busy machine. Without the tree 480p is 6 % larger, as good and as fast.
_X264 = "sync-lookahead=0:no-mbtree=1"

# Measured on 1280 x 720 of film, CPU time a frame: libx264 veryfast 14 ms, superfast 8 ms with files 60 % larger.
# Without small partitions between frames, which superfast leaves out too, veryfast takes a quarter less time, and on
# four clips its files are as large (99 to 104 %) and as good (within 0.05 dB). libvpx-vp9 realtime 11 ms, good 90 ms
# with files 20 % smaller and no better picture.
_HABITS = {
    "libx264": _Habits(
        18,
        51,
        ("preset", "veryfast"),
        (("x264-params", _X264),),
        (("x264-params", f"{_X264}:partitions=i8x8,i4x4"),),
    ),
    "libx265": _Habits(20, 51, ("preset", "veryfast"), (("x265-params", "log-level=error"),)),  # else it talks
    # With row-mt the bytes would tell one thread from several; tiles are enough for them.
    "libvpx-vp9": _Habits(
        30, 63, ("deadline", "realtime"), (("cpu-used", "8"), ("row-mt", "0"), ("tile-columns", "2"), ("b", "0"))
    ),
    # At a cpu-used above 0 VP8's encoder chooses its speed by the clock. Two threads take five times the CPU time.
    "libvpx": _Habits(10, 63, ("deadline", "realtime"), (("cpu-used", "-4"), ("b", "8M"), ("threads", "1"))),
    "libsvtav1": _Habits(30, 63, ("preset", "9")),
    "libaom-av1": _Habits(30, 63, ("cpu-used", "8"), (("row-mt", "1"), ("usage", "realtime"))),
}
_OF_X264 = ("libx264", "libx264rgb", "libx265")
_FAST = ("ultrafast", "superfast", "veryfast", "faster", "fast")
_X264_SPEEDS = (*_FAST, "medium", "slow", "slower", "veryslow", "placebo", *"0123456789")
FRAME_DURATION = 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION: packets last as long as their frames
_BITS_A_PIXEL = 0.3  # for encoders that know no constant quality: plenty, so that the picture stays good

# What plays everywhere first. Only the last few are for encoders that know nothing else.
_FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "gbrp", "rgb24", "bgr0")
_FORMATS_OF_ODD_SIZES = ("yuv444p", "yuv444p10le", "gbrp", "rgb24", "bgr0", "yuv420p", "yuv420p10le")
_ODD_420 = ("libvpx-vp9", "libvpx", "libaom-av1")  # halve odd sizes themselves; 4:2:0 plays everywhere


@contextmanager
def encoding_errors(path: Path) -> Iterator[None]:
    """Turn what an encoder or the operating system raises into one line about ``path``."""
    with output_errors(path):
        try:
            yield
        except OSError:
            raise
        except av.FFmpegError as error:
            raise OutputError(f"cannot write {path}: the encoder fails ({error})") from error


def add_video_stream(
    output: OutputContainer,
    container: Container,
    like: VideoInfo,
    size: tuple[int, int],
    encoding: Encoding,
    tags: Callable[[VideoInfo, str, str], ColourTags],
) -> av.VideoStream:
    """Add a stream with an open encoder to ``output``: times in `Container.time_base`, tags and aspect of ``like``.

    Args:
        size: (height, width) of the frames to come. An odd one is kept: where 4:2:0 cannot hold it, 4:4:4 does.
        tags: the colour tags for ``like``, a pixel format and an encoder.

    Raises:
        SettingsError: no such encoder, the container cannot hold what it makes, or it refuses quality or speed.
    """
    codec = encoding.codec or container.encoder
    try:
        found = av.Codec(codec, "w")
    except ValueError:  # av's UnknownCodecError
        raise SettingsError(
            f"--codec {codec}: FFmpeg here has no such encoder; leave it out for {container.encoder}"
        ) from None
    if found.type != "video":
        raise SettingsError(f"--codec {codec} encodes {found.type}, not video; leave it out for {container.encoder}")

    try:
        added = output.add_stream(codec, rate=_rate(like))
    except ValueError:
        raise SettingsError(f"--codec {codec}: .{container.muxer} cannot hold it; leave it out or use .mkv") from None
    assert isinstance(added, av.VideoStream)
    stream = added
    stream.time_base = container.time_base(like)
    if container.fixed_rate:  # such files store no presentation order
        stream.codec_context.max_b_frames = 0
    _open(stream.codec_context, like, size, stream.time_base, encoding, tags)
    return stream


def lone_encoder(
    like: VideoInfo,
    size: tuple[int, int],
    encoding: Encoding,
    tags: Callable[[VideoInfo, str, str], ColourTags],
) -> VideoCodecContext:
    """An open encoder whose packets several files share. It counts frames: their times are numbers from 0.

    Raises:
        SettingsError: it refuses frames of that size.
    """
    assert encoding.codec is not None
    context = av.CodecContext.create(encoding.codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.framerate = _rate(like)
    _open(context, like, size, 1 / _rate(like), encoding, tags)
    return context


def _open(
    context: VideoCodecContext,
    like: VideoInfo,
    size: tuple[int, int],
    time_base: Fraction,
    encoding: Encoding,
    tags: Callable[[VideoInfo, str, str], ColourTags],
) -> None:
    codec = context.codec.name
    context.height, context.width = size
    context.pix_fmt = encoding.pixel_format or _pixel_format(context.codec, size)
    context.time_base = time_base
    if like.pixel_aspect != 1:
        context.sample_aspect_ratio = like.pixel_aspect
    apply_tags(context, tags(like, context.pix_fmt, codec))
    context.flags |= FRAME_DURATION
    # PyAV asks for threads within a frame, which costs x264 quality; AUTO lets it work on several frames.
    context.thread_type = "AUTO"
    context.thread_count = encoding.threads

    habits = _HABITS.get(codec)
    if habits is None:
        context.bit_rate = int(size[0] * size[1] * min(float(like.rate), 120.0) * _BITS_A_PIXEL)
    asked = _asked(codec, encoding.quality, encoding.speed)
    own = {} if habits is None else dict((habits.speed, *habits.others))
    if habits is not None and encoding.speed is None:
        own |= dict(habits.at_that_speed)
    context.options = own | dict(encoding.options) | asked
    if habits and "crf" not in asked:
        context.options["crf"] = str(habits.quality)
    _try_open(context, asked)


def _try_open(context: VideoCodecContext, asked: dict[str, str]) -> None:
    codec, told = context.codec.name, ", ".join(f"{name} {value}" for name, value in asked.items())
    try:
        context.open()
    except av.FFmpegError as error:
        wrong = f"refuses {told}" if asked else f"refuses frames of {context.width} x {context.height}"
        remedy = f"leave {_options(asked)} out" if asked else "choose another"
        raise SettingsError(f"--codec {codec} {wrong} ({error.strerror}): {remedy}") from error
    unknown = [name for name in context.options if name in asked]
    if unknown:
        raise SettingsError(f"--codec {codec} knows no {' and no '.join(unknown)}: leave {_options(unknown)} out")


def _options(asked: Iterable[str]) -> str:
    """Ours, of an encoder's."""
    return " and ".join("--quality" if name == "crf" else "--speed" for name in asked)


def _asked(codec: str, quality: int | None, speed: str | None) -> dict[str, str]:
    """The user's own wishes as options of the encoder."""
    asked, habits = {}, _HABITS.get(codec)
    if quality is not None:
        if habits is not None and not 0 <= quality <= habits.worst:
            raise SettingsError(f"--quality of {codec} runs from 0 to {habits.worst}, got {quality}")
        asked["crf"] = str(quality)
    if speed is not None:
        if codec in _OF_X264 and speed not in _X264_SPEEDS:  # it would say so itself, on the terminal
            raise SettingsError(f"--speed of {codec} is ultrafast, veryfast, medium, slow and so on, got {speed!r}")
        name = habits.speed[0] if habits is not None else "preset"
        asked["cpu-used" if name == "deadline" and speed.isdecimal() else name] = speed
    return asked


def _rate(like: VideoInfo) -> Fraction:
    return like.rate.limit_denominator(100_000)


def _pixel_format(codec: av.Codec, size: tuple[int, int]) -> str:
    known = [known.name for known in codec.video_formats or ()]
    odd = size[0] % 2 or size[1] % 2
    wanted = _FORMATS_OF_ODD_SIZES if odd and codec.name not in _ODD_420 else _FORMATS
    if not known:
        return wanted[0]
    return next((name for name in wanted if name in known), known[0])

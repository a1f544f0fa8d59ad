"""Small clips for the tests of the sinks, and how what became of them is read back."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from videoparts.frames import ColourTags, FrameBatch, VideoInfo
from videoparts.masks import PartMasks


@dataclass
class Clip:
    """What the tests know of a source without reading it through the library."""

    info: VideoInfo
    pixels: np.ndarray  # (N, H, W, 3)
    pts: list[int]

    def masks(self, batch=4, only=slice(None), parts=3):
        """The clip as batches of masks: vertical stripes that move with the frame's number."""
        numbers = list(range(len(self.pts)))[only]
        height, width = self.info.height, self.info.width
        for first in range(0, len(numbers), batch):
            some = numbers[first : first + batch]
            labels = np.stack([stripes(height, width, n, parts) for n in some])
            frames = FrameBatch(
                self.pixels[some], np.array(some), np.array([self.pts[n] for n in some]), self.info.time_base
            )
            yield PartMasks(frames, labels)


def stripes(height, width, shift, parts):
    row = ((np.arange(width) + shift) * (parts + 1) // width % (parts + 1)).astype(np.uint8)
    return np.broadcast_to(row, (height, width)).copy()


def gradient(count, height, width):
    """(N, H, W, 3): smooth, as codecs like it, and different in every frame."""
    y, x = np.mgrid[:height, :width]
    n = np.arange(count)[:, None, None]
    red = y * 200 // height + 2 * n % 50
    green = x * 255 // width + 0 * n
    blue = (y * 255 // height + x * 255 // width) // 2 + 0 * n
    return np.stack([red, green, blue], -1).astype(np.uint8)


def times(kind, count):
    """(time base, rate, pts) of a clip of ``count`` frames."""
    if kind == "25":
        return Fraction(1, 12800), Fraction(25), [512 * n for n in range(count)]
    if kind == "29.97":
        return Fraction(1001, 30000), Fraction(30000, 1001), list(range(count))
    if kind == "variable":
        steps = [1, 3, 2, 7, 1, 1, 5]
        pts = np.cumsum([0] + [401 * steps[n % 7] for n in range(count - 1)]).tolist()
        return Fraction(1, 12800), Fraction(12800 * count, pts[-1] + 401), pts
    raise ValueError(kind)


def clip(path, kind="25", count=12, size=(48, 64), offset=0, colour=None, aspect=1, audio=False):
    """A clip that need not exist as a file; with_sound makes one that does."""
    base, rate, pts = times(kind, count)
    pts = [p + offset for p in pts]
    info = VideoInfo(
        Path(path),
        *size,
        count,
        base,
        rate,
        pixel_aspect=Fraction(aspect),
        colour=colour or ColourTags(),
        has_audio=audio,
    )
    return Clip(info, gradient(count, *size), pts)


def with_sound(path, codec="aac", count=50, seconds=2.0, offset=0, *, rate=48000, packet=960, **more):
    """A file with picture and sound (a sweep that never repeats), and the clip that it is."""
    made = clip(path, count=count, offset=offset, audio=True, **more)
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4" if path.suffix != ".webm" else "libvpx", rate=made.info.rate)
        video.height, video.width = made.info.height, made.info.width
        video.pix_fmt = "yuv420p"
        video.time_base = video.codec_context.time_base = made.info.time_base
        sound = output.add_stream(codec, rate=rate)
        sound.codec_context.layout = "mono"
        if codec.startswith("wma"):
            sound.codec_context.bit_rate = 64_000  # it has none of its own
        samples = sweep(seconds)
        for first in range(0, samples.shape[1], packet):
            piece = av.AudioFrame.from_ndarray(samples[:, first : first + packet], "fltp", "mono")
            piece.sample_rate, piece.pts, piece.time_base = 48000, first, Fraction(1, 48000)
            output.mux(sound.encode(piece))
        output.mux(sound.encode(None))
        for pixels, pts in zip(made.pixels, made.pts, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = pts, made.info.time_base
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    with av.open(str(path)) as source:  # containers have their own ideas of time
        made.info = replace(made.info, time_base=source.streams.video[0].time_base)
        made.pts = [frame.pts for frame in source.decode(video=0)]
    return made


def sweep(seconds):
    t = np.arange(int(48000 * seconds)) / 48000
    return (0.4 * np.sin(2 * np.pi * (200 * t + 400 * t**2))).astype(np.float32)[None]


@dataclass
class Read:
    """What a file holds, as FFmpeg reads it."""

    size: tuple[int, int]
    pts: list[int]
    base: Fraction
    frames: np.ndarray
    codec: str
    format: str
    aspect: Fraction
    tags: ColourTags
    end: Fraction | None  # mp4 and mov
    sound: list[bytes]
    sound_times: list[Fraction]
    sound_codec: str | None

    @property
    def times(self):
        return [p * self.base for p in self.pts]


def read(path):
    with av.open(str(path)) as source:
        video = source.streams.video[0]
        context = video.codec_context
        frames = list(source.decode(video))
        for frame in frames:  # PyAV 17 would change the transfer and the primaries too
            frame.color_trc = frame.color_primaries = 2
        tags = ColourTags(context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        facts = {
            "size": (video.height, video.width),
            "pts": [frame.pts for frame in frames],
            "base": video.time_base,
            "frames": np.stack([frame.to_ndarray(format="rgb24") for frame in frames]),
            "codec": context.name,
            "format": frames[0].format.name,
            "aspect": video.sample_aspect_ratio or Fraction(1),
            "tags": tags,
            "end": end_of_movie(path),
        }
    packets = sound_packets(path)
    return Read(
        **facts,
        sound=[bytes(packet) for packet in packets],
        sound_times=[packet.pts * packet.time_base for packet in packets],
        sound_codec=sound_codec(path),
    )


def end_of_movie(path):
    """What an mp4 says of itself; FFmpeg reads less where the last frame is not the last in the file."""
    content = Path(path).read_bytes()
    if Path(path).suffix not in (".mp4", ".mov"):
        return None
    place = content.index(b"mvhd")
    scale, ticks = struct.unpack(">2I", content[place + 16 : place + 24])
    return Fraction(ticks, scale)


def sound_packets(path):
    with av.open(str(path)) as source:
        return [p for p in source.demux(audio=0) if p.dts is not None] if source.streams.audio else []


def sound_codec(path):
    with av.open(str(path)) as source:
        return source.streams.audio[0].codec_context.codec.canonical_name if source.streams.audio else None


TAGGED = {
    "bt709": ColourTags(1, 1, 1, 1),
    "bt601": ColourTags(6, 6, 6, 1),
    "pal": ColourTags(5, 6, 5, 1),
    "hdr": ColourTags(9, 16, 9, 1),
    "full": ColourTags(1, 1, 1, 2),
    "untagged": ColourTags(),
}


def milliseconds(made, pts):
    """Times as Matroska rounds them: halves upwards."""
    return [Fraction(math.floor(p * made.info.time_base * 1000 + Fraction(1, 2)), 1000) for p in pts]

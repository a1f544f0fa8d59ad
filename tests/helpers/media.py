"""Small clips and folders of frames, made with PyAV and Pillow when a test asks for them.

Every frame carries its number: a bright square wanders over a coloured gradient, and the lowest rows hold the number
as eight black or white blocks, which survive any codec here. `number` reads it back from RGB pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
BITS = 8
SIZES = [(64, 96), (64, 96), (96, 64), (50, 71)]  # of pictures of several shapes


def picture_files(folder: Path, sizes: Sequence[tuple[int, int]]) -> Path:
    """A new folder of frames 0, 1, ... of such sizes (height, width), as p0.png, p1.png, ..."""
    folder.mkdir()
    for i, size in enumerate(sizes):
        Image.fromarray(picture(i, *size)).save(folder / f"p{i}.png")
    return folder


def picture(i: int, height: int = 96, width: int = 128) -> Pixels:
    """Frame ``i``: (height, width, 3) uint8 RGB."""
    y, x = np.mgrid[0:height, 0:width]
    out = np.stack([x * 200 // width + 20, y * 200 // height + 20, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    side = height // 4
    top, left = (i * 3) % (height // 2), (i * 5) % (width - side)
    out[top : top + side, left : left + side] = (230, 60 + 40 * (i % 4), 40)
    bar = height // 6
    for bit in range(BITS):
        lit = (i >> bit) & 1
        out[height - bar :, bit * width // BITS : (bit + 1) * width // BITS] = 235 if lit else 16
    return out


def number(pixels: Pixels) -> int:
    """The number that `picture` wrote into a frame."""
    height, width = pixels.shape[:2]
    bar = height // 6
    row = pixels[height - bar // 2].astype(int).mean(axis=-1)
    return sum(int(row[int((bit + 0.5) * width / BITS)] > 128) << bit for bit in range(BITS))


@dataclass
class Clip:
    """What to make. ``times``: presentation times in ticks of ``time_base``, one a frame; default: constant rate."""

    frames: int = 30
    height: int = 96
    width: int = 128
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    rate: Fraction = Fraction(25)
    time_base: Fraction | None = None
    times: Sequence[int] | None = None
    gop: int = 12
    options: dict[str, str] = field(default_factory=dict)
    container: dict[str, str] = field(default_factory=dict)
    sound: bool = False
    rotation: int = 0  # degrees clockwise that a player turns the stored picture
    mirrored: bool = False  # whether it shows left for right after that
    pixel_aspect: Fraction | None = None
    colour: tuple[int, int] | None = None  # (matrix, range), FFmpeg's numbers
    paint: Callable[[int, int, int], Pixels] = picture
    format: str | None = None

    def write(self, path: Path) -> Path:
        """Make the file and return its path."""
        with av.open(str(path), "w", format=self.format, container_options=self.container) as out:
            stream = out.add_stream(self.codec, rate=self.rate)
            stream.width, stream.height, stream.pix_fmt = self.width, self.height, self.pix_fmt
            stream.gop_size = self.gop
            stream.thread_count = 1
            stream.options = {**_FAST.get(self.codec, {}), **self.options}
            base = self.time_base or 1 / self.rate
            stream.codec_context.time_base = base
            stream.time_base = base
            if self.pixel_aspect:
                stream.codec_context.sample_aspect_ratio = self.pixel_aspect
            if self.colour:
                stream.codec_context.colorspace, stream.codec_context.color_range = self.colour
            if self.rotation or self.mirrored:
                stream.set_display_rotation(-self.rotation, hflip=self.mirrored)
            audio = out.add_stream("aac", rate=44100, layout="mono") if self.sound else None
            for i in range(self.frames):
                frame = self._frame(i)
                frame.pts = self.times[i] if self.times else i
                frame.time_base = base
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
            if audio is not None:
                _tone(out, audio, float(self.frames / self.rate))
        return path

    def _frame(self, i: int) -> av.VideoFrame:
        rgb = np.ascontiguousarray(self.paint(i, self.height, self.width))
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24" if rgb.shape[-1] == 3 else "rgba")
        matrix, range_ = self.colour or (2, 0)
        return frame.reformat(
            format=self.pix_fmt,
            dst_colorspace={1: 1, 9: 9, 10: 9}.get(matrix, 5),
            dst_color_range=2 if range_ == 2 else (0 if self.pix_fmt.startswith(("rgb", "bgr", "gbr")) else 1),
        )


_FAST = {
    "libx264": {"preset": "veryfast", "crf": "15"},
    "libx265": {"preset": "ultrafast", "crf": "15", "x265-params": "log-level=none:pools=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "b": "2M"},
    "libsvtav1": {"preset": "12", "crf": "20", "svtav1-params": "lp=1"},
}


def _tone(out: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    rate = 44100
    for start in range(0, int(seconds * rate), 1024):
        t = np.arange(start, start + 1024, dtype=np.float32) / rate
        frame = av.AudioFrame.from_ndarray(np.sin(2 * np.pi * 440 * t)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def audio_only(path: Path) -> Path:
    """Half a second of a tone."""
    with av.open(str(path), "w") as out:
        _tone(out, out.add_stream("aac", rate=44100, layout="mono"), 0.5)
    return path


def cut(path: Path, share: float, to: Path) -> Path:
    """The first ``share`` of a file's bytes: what a broken download leaves."""
    to.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return to


def folder(path: Path, names: Sequence[str], height: int = 48, width: int = 64) -> Path:
    """Pictures numbered in the order of ``names``."""
    path.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.fromarray(picture(i, height, width)).save(path / name)
    return path


VFR_TIMES = tuple(int(t) for t in np.cumsum([0, 33, 33, 17, 120, 41, 1, 66, 33, 400, 33, 34] + [33, 40, 7] * 6))


def children() -> set[int]:
    """Process ids of this process's children, from /proc; empty where there is none."""
    mine = os.getpid()
    out = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == mine and fields[0] != "Z":
            out.add(int(entry.name))
    return out


def disc(height: int = 240, width: int = 320, centre: tuple[float, float] = (120, 150), radius: float = 70) -> Pixels:
    """An antialiased matte of a disc."""
    y, x = np.mgrid[:height, :width]
    return np.rint(255 * np.clip(radius - np.hypot(y - centre[0], x - centre[1]) + 0.5, 0, 1)).astype(np.uint8)

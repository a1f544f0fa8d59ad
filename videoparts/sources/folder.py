"""A folder of pictures as a source: one picture a frame, in natural order."""

from __future__ import annotations

import re
import struct
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from ..active_area import ActiveArea
from ..config import SourceSettings
from ..counted import counted
from ..errors import SourceError
from ..files.ffmpeg_name import ffmpeg_name
from ..frames import FrameBatch, Pixels, VideoInfo
from .around import Neighbourhood, neighbourhoods
from .black_bars import active_area, looked_at, told
from .broken_picture import NO_PICTURE, broken_picture
from .selection import require_size, seen_at, select, spread

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
# Pictures too, but of kinds that are not read.
_OTHERS = (
    ".avif", ".cr2", ".dng", ".dpx", ".exr", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".nef", ".pbm", ".pgm", ".ppm",
    ".psd", ".tga",
)  # fmt: skip
_ORIENTATION = 274  # EXIF tag
_TURNED = (5, 6, 7, 8)  # its values that swap height and width
# What Pillow raises of damaged files.
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, struct.error)


def open_folder(path: Path, settings: SourceSettings) -> FrameFolder:
    """See `open_source`. Reads the head of every picture.

    Raises:
        SourceError: no pictures; pictures of different sizes or with the same stem; a picture that is none.
    """
    try:
        entries = list(path.iterdir())
        files = sorted(filter(is_frame, entries), key=lambda f: natural_key(f.name))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the folder's permissions") from None
    if not files:
        raise SourceError(f"{path}: the folder holds no pictures; give one with {', '.join(SUFFIXES)} files")
    _require_own_stems(path, files)
    heads = [_head(file) for file in files]
    height, width = _require_one_size(path, files, [size for size, _ in heads])
    rate = exact_rate(settings.fps)
    selected = select(range(len(files)), 1 / rate, rate, settings, path)
    info = VideoInfo(path, height, width, frames=len(selected), time_base=1 / rate, rate=rate)
    notes = passed_over(path, entries) + alpha_dropped(path.name, sum(alpha for _, alpha in heads))
    return FrameFolder(files, info, selected, notes)


class FrameFolder:
    """The pictures ``files`` as a `Source`. Memory: one batch."""

    decoder = "imageio"

    def __init__(self, files: Sequence[Path], info: VideoInfo, selected: range, notes: Sequence[str] = ()) -> None:
        self.info, self._notes = info, tuple(notes)
        self._files, self.selected = files, selected
        self._opened = selected  # of all parts, which are copies, as is what is found
        self._found: list[ActiveArea | None] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read."""
        return (*self._notes, *(f"{self.info.path.name} {told(area)}" for area in self._found if area is not None))

    @property
    def active_area(self) -> ActiveArea | None:
        """Where the picture is; see `Source.active_area`."""
        if not self._found:
            self._found.append(self._find_area())
        return self._found[0]

    def batches(self, size: int) -> Generator[FrameBatch, None, None]:
        """Every selected picture in order; see `Source.batches`."""
        return self._read(self.selected, size)

    def part(self, first: int, stop: int | None = None) -> FrameFolder:
        """Fewer of its pictures; see `Source.part`."""
        part = copy(self)
        part.selected = self.selected[first:stop]
        part.info = replace(self.info, frames=len(part.selected))
        return part

    def frame(self, index: int) -> FrameBatch:
        """One picture; see `Source.frame`."""
        return self._batch([index])

    def sample(self, count: int, size: int) -> Generator[FrameBatch, None, None]:
        """At most ``count`` selected pictures, evenly spread; see `Source.sample`."""
        return self._read(spread(self.selected, count), size)

    def sample_around(
        self, count: int, at: float | None = None, *, beside: bool = True, among: int = 1
    ) -> Generator[Neighbourhood, None, None]:
        """Sampled pictures with those before and after; see `Source.sample_around`."""
        pts = range(len(self._files))
        marked = None if at is None else seen_at(pts, self.info.time_base, self.selected, at, self.info.path)
        return neighbourhoods(self._read, self.selected, count, marked, beside=beside, among=among)

    def _find_area(self) -> ActiveArea | None:
        with suppress(SourceError):  # is told where pictures are wanted
            return active_area(read_picture(self._files[position]) for position in looked_at(self._opened))
        return None

    def _read(self, positions: Sequence[int], size: int) -> Generator[FrameBatch, None, None]:
        require_size(size)
        return (self._batch(positions[i : i + size]) for i in range(0, len(positions), size))

    def _batch(self, positions: Sequence[int]) -> FrameBatch:
        files = [self._files[position] for position in positions]
        index = np.array(positions, np.int64)
        pixels = np.empty((len(files), self.info.height, self.info.width, 3), np.uint8)
        for i, file in enumerate(files):
            pixels[i] = read_picture(file)
        return FrameBatch(pixels, index, index.copy(), self.info.time_base, tuple(file.stem for file in files))


def exact_rate(fps: float) -> Fraction:
    """The rate that is meant: 29.97 is how people write 30000/1001.

    >>> exact_rate(23.976), exact_rate(12.5), exact_rate(1.002), exact_rate(0.002)
    (Fraction(24000, 1001), Fraction(25, 2), Fraction(501, 500), Fraction(1, 500))
    """
    broadcast = Fraction(round(fps * 1.001) * 1000, 1001)
    if broadcast and abs(float(broadcast) - fps) < 2e-4 * fps and fps != round(fps):
        return broadcast
    return Fraction(fps).limit_denominator(1001) or Fraction(str(fps))


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Orders frame2 before frame10, and does not mind case.

    >>> sorted(["f10.png", "f2.png", "F1.png"], key=natural_key)
    ['F1.png', 'f2.png', 'f10.png']
    """
    parts = re.split(r"([0-9]+)", name.lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def read_picture(file: Path) -> Pixels:
    """(H, W, 3) uint8 RGB, upright. Alpha is dropped, 16 bits are scaled to 8.

    Raises:
        SourceError: it cannot be decoded.
    """
    try:
        # Of what has a name, Pillow 13 maps some TIFFs into memory, and then turns them wrongly.
        with file.open("rb") as content, Image.open(content) as image:
            image.load()  # which turns a TIFF, and takes its orientation off
            ImageOps.exif_transpose(image, in_place=True)
            deep = image.mode in ("1", "F") or image.mode.startswith("I")
            return _eight_bits(np.asarray(image)) if deep else np.array(image.convert("RGB"))
    except UnidentifiedImageError:
        return _with_ffmpeg(file)
    except Image.DecompressionBombError:
        raise _too_large(file) from None
    except _BROKEN as error:
        raise broken_picture(file, "the picture cannot be decoded", error) from None


def _eight_bits(samples: npt.NDArray[np.generic]) -> Pixels:
    if samples.dtype == np.bool_:
        grey = samples.astype(np.uint8) * np.uint8(255)
    elif np.issubdtype(samples.dtype, np.integer):
        # 65535 becomes 255 exactly, and each of the 256 levels takes its share. Pillow gives some 16-bit files as
        # int32.
        grey = ((samples.astype(np.int64).clip(0, 65535) + 128) // 257).astype(np.uint8)
    else:
        raise ValueError(f"its samples are {samples.dtype}, not integers of 8 or 16 bits")
    return np.repeat(grey[..., None], 3, axis=-1) if grey.ndim == 2 else grey[..., :3]


def is_frame(file: Path) -> bool:
    """Whether a file of a folder is one of its pictures: by its suffix, and hidden ones are not."""
    return _is_of(SUFFIXES, file)


def _is_of(suffixes: Sequence[str], file: Path) -> bool:
    return file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file()


def passed_over(path: Path, entries: Iterable[Path]) -> list[str]:
    """What to say of pictures among a folder's entries that are of other kinds than are read: one line, or none."""
    others = [file for file in entries if _is_of(_OTHERS, file)]
    if not others:
        return []
    kinds = ", ".join(sorted({file.suffix.lower() for file in others}))
    more = counted(len(others), "picture")
    return [f"{path.name} holds {more} more, of kinds that are not read ({kinds}); make .png files of them"]


def alpha_dropped(name: str, count: int) -> list[str]:
    """What to say where so many pictures of a folder or a set have an alpha channel: one line, or none."""
    if not count:
        return []
    have = "has" if count == 1 else "have"
    return [
        f"of the pictures in {name}, {count} {have} an alpha channel, which is not looked at; where that matters, put "
        "them on a background"
    ]


def has_alpha(file: Path) -> bool:
    """Whether a picture has an alpha channel, or a transparent colour, as its head tells.

    Raises:
        SourceError: it cannot be opened.
    """
    return _head(file)[1]


def _require_own_stems(path: Path, files: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        other = seen.setdefault(file.stem.casefold(), file)  # for file systems to which a.png is A.png
        if other is not file:
            raise SourceError(
                f"{path}: {other.name} and {file.name} would give the same names to results; keep one of them"
            )


def _require_one_size(path: Path, files: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    counts: dict[tuple[int, int], int] = {}
    for size in sizes:
        counts[size] = counts.get(size, 0) + 1
    # The size that most pictures have is right, so that the odd one is named and not the rest.
    usual = max(counts, key=counts.__getitem__)
    for file, size in zip(files, sizes, strict=True):
        if size != usual:
            raise SourceError(
                f"{path}: {file.name} is {size[1]}x{size[0]} where the other pictures are {usual[1]}x{usual[0]} "
                "(width x height); resize or remove it"
            )
    return usual


def _head(file: Path) -> tuple[tuple[int, int], bool]:
    """(height, width), upright, and whether there is an alpha channel, from the picture's head."""
    try:
        with Image.open(file) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION, 1) in _TURNED:
                # Of a TIFF, some versions of Pillow have turned the size already.
                height, width = read_picture(file).shape[:2] if image.format == "TIFF" else (width, height)
            return (height, width), image.has_transparency_data
    except UnidentifiedImageError:
        height, width = _with_ffmpeg(file).shape[:2]
        return (height, width), False
    except Image.DecompressionBombError:
        raise _too_large(file) from None
    except _BROKEN as error:
        raise broken_picture(file, "the picture cannot be opened", error) from None


def _with_ffmpeg(file: Path) -> Pixels:
    # Pillow reads no TIFF of 16 bits a colour.
    try:
        with av.open(ffmpeg_name(file)) as container:
            frame = next(container.decode(video=0))
            return cast("Pixels", frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, OSError, ValueError, IndexError, StopIteration):
        empty = file.is_file() and not file.stat().st_size
        raise broken_picture(file, "the file is empty" if empty else NO_PICTURE) from None


def _too_large(file: Path) -> SourceError:
    return SourceError(f"{file}: the picture has more pixels than Pillow opens; make it smaller")

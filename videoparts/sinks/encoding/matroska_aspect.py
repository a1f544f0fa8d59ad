"""The shape of the pixels in a Matroska or WebM file, which FFmpeg's muxer writes but PyAV cannot tell it.

The muxer is given a title for the track, of `ROOM`. When the file is complete, the description of the tracks is
written anew without that title and with the size of the picture on a screen. It stays as long as it was, so that
nothing after it moves. (RFC 8794, "EBML"; RFC 9559, "Matroska".)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

ROOM = "-" * 24
"""The title to give the video track: longer than what takes its place."""

_Element = tuple[bytes, bytes]  # identifier and contents

_SEGMENT, _CLUSTER = bytes.fromhex("18538067"), bytes.fromhex("1f43b675")
_TRACKS, _TRACK, _NAME = bytes.fromhex("1654ae6b"), b"\xae", bytes.fromhex("536e")
_VIDEO, _PIXEL_HEIGHT = b"\xe0", b"\xba"
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = bytes.fromhex("54b0"), bytes.fromhex("54ba"), bytes.fromhex("54b2")
_CHECKSUM, _VOID = b"\xbf", b"\xec"


def display_size(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """(height, width) on a screen of square pixels, for a picture of ``size`` whose pixels have that aspect.

    The height grows as far as it must for the aspect to be exact. Where that were more than twice, the aspect is the
    nearest that needs no more.

    >>> display_size((576, 720), Fraction(64, 45))
    (576, 1024)
    >>> display_size((576, 720), Fraction(12, 11))
    (583, 795)
    """
    height, width = size
    shape = (aspect * width / height).limit_denominator(2 * height)
    shown = -(-height // shape.denominator) * shape.denominator
    return shown, max(1, int(shown * shape))


def write_aspect(path: Path, size: tuple[int, int], aspect: Fraction) -> None:
    """Tell players the aspect of the pixels of a complete file, whose track of the picture is called `ROOM`.

    Args:
        path: the file. Some bytes in its head change, and no other.
        size: (height, width) of its frames.
        aspect: width over height of a pixel.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it is no such file.
    """
    with path.open("r+b") as file:
        start, length = _find_tracks(file)
        file.seek(start)
        tracks = _with_display(file.read(length), display_size(size, aspect))
        file.seek(start)
        file.write(tracks)


def _find_tracks(file: BinaryIO) -> tuple[int, int]:
    """Where the contents of the description of the tracks begin, and how long they are."""
    while True:
        name, length = _read_header(file)
        if name == _TRACKS:
            return file.tell(), length
        if name in (b"", _CLUSTER):
            raise ValueError("no description of the tracks lies before the pictures")
        if name != _SEGMENT:  # it holds the others
            file.seek(length, 1)


def _read_header(file: BinaryIO) -> tuple[bytes, int]:
    """The identifier of the element that comes, empty at the end of the file, and the length of its contents."""
    name = file.read(1)
    name += file.read(_width(name) - 1)
    length = file.read(1)
    length += file.read(_width(length) - 1)
    return name, _number(length)


def _with_display(tracks: bytes, display: tuple[int, int]) -> bytes:
    """The contents of the description of the tracks, as long as before."""
    changed, done = [], False
    for name, contents in _elements(tracks):
        ours = name == _TRACK and (_NAME, ROOM.encode()) in _elements(contents)
        done = done or ours
        if name != _CHECKSUM:
            changed.append((name, _track(contents, display) if ours else contents))
    if not done:
        raise ValueError("no track has the title that makes room")
    checked = tracks.startswith(_CHECKSUM)
    sealed = len(_element(_CHECKSUM, bytes(4))) if checked else 0
    body = b"".join(_element(*one) for one in changed)
    body += _filling(len(tracks) - sealed - len(body))
    return (_element(_CHECKSUM, zlib.crc32(body).to_bytes(4, "little")) if checked else b"") + body


def _track(contents: bytes, display: tuple[int, int]) -> bytes:
    kept = [one for one in _elements(contents) if one[0] != _NAME]
    return b"".join(_element(name, _video(inner, display) if name == _VIDEO else inner) for name, inner in kept)


def _video(contents: bytes, display: tuple[int, int]) -> bytes:
    height, width = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in display)
    out = b""
    for name, inner in _elements(contents):
        if name in (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT):  # left out, the unit is the pixel
            continue
        out += _element(name, inner)
        if name == _PIXEL_HEIGHT:
            out += _element(_DISPLAY_WIDTH, width) + _element(_DISPLAY_HEIGHT, height)
    return out


def _elements(data: bytes) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        sized = at + _width(data[at : at + 1])
        start = sized + _width(data[sized : sized + 1])
        end = start + _number(data[sized:start])
        yield data[at:sized], data[start:end]
        at = end


def _element(name: bytes, contents: bytes) -> bytes:
    width = next(width for width in range(1, 9) if len(contents) < (1 << 7 * width) - 1)
    return name + (len(contents) | 1 << 7 * width).to_bytes(width, "big") + contents


def _filling(length: int) -> bytes:
    """An element of ``length`` bytes that says nothing."""
    if length < 9:
        raise ValueError(f"{length} bytes are no room")
    return _VOID + (1 << 56 | length - 9).to_bytes(8, "big") + bytes(length - 9)


def _width(first: bytes) -> int:
    """How many bytes a number has that begins so: a zero bit less than one for each more."""
    return 9 - first[0].bit_length() if first else 0


def _number(coded: bytes) -> int:
    return int.from_bytes(coded, "big") & ((1 << 7 * len(coded)) - 1)

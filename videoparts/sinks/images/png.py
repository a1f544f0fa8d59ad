"""Grey and palette PNGs of masks, which are flat: twice as quick as a writer for photographs, and half the size."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from ...frames import Pixels

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_MARK = b"Software\0videoparts"  # a text chunk in every image, by which a later run knows that it may be replaced


def png(pixels: Pixels, palette: bytes | None = None) -> bytes:
    """A PNG file of one byte a pixel. The same pixels give the same bytes.

    Runs of equal bytes are all that is looked for, and rows are not filtered. Measured on masks of 1280 x 720: 1.6 ms
    and 9 kB; zlib's usual search at level 3 takes as long for 17 kB, and a filter chosen for each row twice as long.

    Args:
        pixels: (H, W) uint8: grey values, or numbers of colours in ``palette``.
        palette: red, green, blue of up to 256 colours; None: a grey picture.
    """
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # a row begins with the number of its filter: none
    rows[:, 1:] = pixels
    coder = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    kind = _GREY if palette is None else _PALETTE
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
            _chunk(b"tEXt", _MARK),
            b"" if palette is None else _chunk(b"PLTE", palette),
            _chunk(b"IDAT", coder.compress(rows.data) + coder.flush()),
            _chunk(b"IEND", b""),
        )
    )


def is_our_png(path: Path) -> bool:
    """Whether `png` made a file."""
    if path.suffix != ".png":
        return False
    with path.open("rb") as file:
        return _MARK in file.read(2048)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

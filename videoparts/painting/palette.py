"""The colours of the parts: part k has the same colour in every picture, file and run.

How the table was made (`tests/painting/test_palette.py` makes it again and compares):

- A colour is measured in OKLab as people with normal sight, protanopes and deuteranopes see it (Machado et al.
  2009, severity 1). The distance of two colours is the least of the three.
- Candidates are the sRGB colours in steps of 17 that show on natural footage: vivid (OKLab chroma at least 0.135)
  and neither dark nor pale (lightness 0.5 to 0.93).
- The first eight are the set whose least distance is greatest, found by local search from 400 random starts:
  0.166, where the well-known palette of Okabe and Ito without its black reaches 0.076. Their order puts the most
  distinct first: the first four are 0.249 apart.
- Each later colour is the candidate farthest from all before it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..frames import Pixels

MAX_PARTS = 64

_TABLE = (
    "0044ff ddaa00 bb1111 33ddff aaffaa dd6688 aa0099 5599ff "
    "cc6600 11ddaa ffdd00 cc44bb bb4477 55ffff 22bbee 9900cc "
    "ee7755 5577ee ff66bb bb5544 99dd77 55eecc ffbb22 aa3355 "
    "cc5599 bb3399 66cc77 aa2277 bb77dd eeee77 44aa55 ff88dd "
    "ee7788 bb44dd cc5577 44eeff dd7700 ee55bb 99ee99 22ccff "
    "9944bb 66ffcc 55aaff 5588ff cc4400 77dd44 55ff44 008844 "
    "ee8822 0066ff bb11aa 44cc99 2299dd ee0044 00bb99 ff99cc "
    "aa11dd 99bb55 ee44cc cc0033 227722 ee6666 dd0066 ee2266"
)


def part_colour(k: int) -> tuple[int, int, int]:
    """The (red, green, blue) of part ``k``, 0 to 255 each. Part 0 is the background: black.

    >>> part_colour(2)
    (221, 170, 0)

    Raises:
        ValueError: ``k`` is not 0 to `MAX_PARTS`.
    """
    if not 0 <= k <= MAX_PARTS:
        raise ValueError(f"there are colours for parts 1 to {MAX_PARTS} (0 is background), got {k}")
    red, green, blue = _table()[k].tolist()
    return red, green, blue


def palette(parts: int = MAX_PARTS) -> Pixels:
    """(P+1, 3) uint8: the colour of each label, row 0 the black background.

    Raises:
        ValueError: ``parts`` is not 0 to `MAX_PARTS`.
    """
    if not 0 <= parts <= MAX_PARTS:
        raise ValueError(f"there are colours for 1 to {MAX_PARTS} parts, got {parts}")
    colours: Pixels = _table()[: parts + 1].copy()
    return colours


def palette_png(colours: Pixels) -> bytes:
    """``colours`` (P+1, 3) as the 768 bytes that a palette image takes; labels without a part are grey.

    Grey, not black, so that a label that should not be there shows.
    """
    check_colours(colours)
    entries = np.full((256, 3), 128, np.uint8)
    entries[: len(colours)] = colours
    return entries.tobytes()


def check_colours(colours: Pixels) -> None:
    """Raise ValueError unless ``colours`` is (P+1, 3) uint8 with at least the background's row."""
    if colours.ndim != 2 or colours.shape[1] != 3 or colours.dtype != np.uint8 or not 1 <= len(colours) <= 256:
        raise ValueError(f"colours must be (P+1, 3) uint8, got {colours.shape} {colours.dtype}")


@lru_cache(maxsize=1)
def _table() -> Pixels:
    rows = np.frombuffer(bytes.fromhex(_TABLE), np.uint8).reshape(MAX_PARTS, 3)
    return np.concatenate([np.zeros((1, 3), np.uint8), rows])

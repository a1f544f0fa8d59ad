"""Colour matrices that the conversion to RGB knows, and what is done where a video names another.

PyAV's FFmpeg refuses such frames; decord's takes another matrix and says nothing.
"""

from __future__ import annotations

from dataclasses import replace

from ..frames import ColourTags

_UNSPECIFIED, _BT2020, _BT2020_CONSTANT = 2, 9, 10
_KNOWN = frozenset({0, 1, _UNSPECIFIED, 4, 5, 6, 7, _BT2020})  # RGB, BT.709, FCC, the two of BT.601, SMPTE 240M
_NAMES = {
    8: "YCgCo",
    _BT2020_CONSTANT: "BT.2020 with constant luminance",
    11: "SMPTE 2085",
    12: "one derived from its primaries",
    13: "one derived from its primaries, with constant luminance",
    14: "ICtCp",
}


def known(matrix: int) -> int:
    """The matrix that is taken for one: itself, or what stands in for it where the conversion does not know it."""
    if matrix in _KNOWN:
        return matrix
    return _BT2020 if matrix == _BT2020_CONSTANT else _UNSPECIFIED  # the two differ little


def as_known(tags: ColourTags) -> ColourTags:
    """Tags that say how frames were decoded, and so what is made of them shows the same."""
    return replace(tags, matrix=known(tags.matrix))


def untrue(matrix: int) -> str | None:
    """What the user is told of a matrix, as the rest of a sentence; None: nothing, for it is known."""
    if matrix in _KNOWN:
        return None
    name = _NAMES.get(matrix, "none that there is")
    taken = "BT.2020" if known(matrix) == _BT2020 else "BT.601"
    return (
        f"has colours by matrix {matrix} ({name}), which cannot be decoded; {taken} was taken, so that they may be "
        "false; convert it to BT.709 if they are"
    )

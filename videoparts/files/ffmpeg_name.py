"""The name of a file as FFmpeg takes it."""

from __future__ import annotations

from pathlib import Path


def ffmpeg_name(path: Path) -> str:
    """The absolute name: of a relative one such as ``clip-12:30.mp4``, FFmpeg takes what is before the colon for a
    protocol, as in ``http:``."""
    return str(path.absolute())

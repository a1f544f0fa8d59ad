"""Video files and folders of frames behind one interface: `open_source`.

Imports nothing heavy before it is called, because decord's own process starts through this package.
"""

from __future__ import annotations

from pathlib import Path

from ..config import SourceSettings
from ..errors import SourceError
from ..frames import why_too_slim
from .base import Source

__all__ = ["Source", "SourceSettings", "open_source"]


def open_source(path: str | Path, settings: SourceSettings | None = None) -> Source:
    """Open a video file, or a folder of pictures (jpg, png, webp, tiff, bmp) in natural order.

    Frames are RGB as players show them, 8 bits a channel: what the file says of a turn or a mirror is applied, EXIF
    orientation too, grey becomes RGB, deeper samples are scaled to 8 bits, and alpha is dropped (the colours are taken
    as they are stored).

    In ``auto`` mode decord decodes, unless it is missing, cannot open the file, or a few frames compared with
    PyAV's show that it is wrong; then PyAV does, and `Source.notes` says so in one line.

    Raises:
        SourceError: the path holds no frames that can be read, or far too slim ones, or ``start`` and ``end`` leave
            none.
        SettingsError: ``start`` or ``end`` is not a time.
    """
    from .folder import open_folder
    from .video import open_video

    path = Path(path)
    settings = settings or SourceSettings()
    source = open_folder(path, settings) if path.is_dir() else open_video(path, settings)
    if (why := why_too_slim((source.info.height, source.info.width))) is not None:
        raise SourceError(f"{path}: {why}")
    return source

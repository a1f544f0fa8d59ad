"""Opens a video file and chooses its decoder."""

from __future__ import annotations

from pathlib import Path

from ..config import SourceSettings
from ..errors import DecoderHangError, SourceError
from .check import compare, why_not
from .decord_reader import DecordError, DecordVideo, DecordWorker, unavailable
from .index import opened, scan
from .pyav_reader import PyAVVideo, describe
from .reading import VideoFile
from .selection import parse_time, select

_PATIENCE = 10.0  # seconds that decord has for each answer while it is only being tried


def open_video(path: Path, settings: SourceSettings) -> VideoFile:
    """See `open_source`."""
    for text, option in ((settings.start, "--start"), (settings.end, "--end")):
        if text is not None:
            parse_time(text, option)  # nonsense is told before the file is read
    _require_file(path)
    reason = None if settings.decoder == "pyav" else unavailable()
    if reason is not None and settings.decoder == "decord":
        raise SourceError(f"{path}: decord cannot decode it: {reason}; install decord, or try --decoder pyav")
    if settings.decoder == "pyav" or reason is not None:
        pyav = _open_pyav(path, settings)
        return pyav if reason is None else _taken_over(pyav, f"decord cannot be used: {reason}")
    return _open_with_decord(path, settings)


def _open_with_decord(path: Path, settings: SourceSettings) -> VideoFile:
    patience = settings.timeout if settings.decoder == "decord" else min(_PATIENCE, settings.timeout)
    # Started first: it opens the file while PyAV reads the time stamps.
    worker = DecordWorker(path, patience)
    try:
        pyav = _open_pyav(path, settings)
        reason = why_not(pyav.index)
        if reason is None or settings.decoder == "decord":
            try:
                reason = compare(worker, pyav) or reason
            except DecoderHangError:
                if settings.decoder == "decord":
                    raise
                reason = f"decord hung while opening it (no frame in {patience:g} seconds)"
            except SourceError as error:
                if settings.decoder == "decord":
                    raise
                reason = error.reason if isinstance(error, DecordError) else "decord crashed on it"
    finally:
        worker.close()
    if settings.decoder == "auto" and reason is not None:
        return _taken_over(pyav, reason)
    video = DecordVideo(pyav, settings.timeout)
    if reason is not None:
        video.note("decoder", f"may decode wrongly: {reason}; --decoder pyav would be right")
    return video


def _open_pyav(path: Path, settings: SourceSettings) -> PyAVVideo:
    with opened(path) as (container, stream):
        index = scan(container, stream, path)
        number = stream.index
    with opened(path) as (container, stream):
        info = describe(container, stream, index, path)
    selected = select(index.pts, index.time_base, info.rate, settings, path)
    return PyAVVideo(path, info, index, selected, number)


def _taken_over(video: PyAVVideo, reason: str) -> PyAVVideo:
    video.note("decoder", f"is decoded by PyAV: {reason}")
    return video


def _require_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise SourceError(f"{path}: there is no such file; check the path") from None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the path and its permissions") from None
    if not path.is_file():
        raise SourceError(f"{path}: this is neither a file nor a folder; give a video file or a folder of frames")
    if size == 0:
        raise SourceError(f"{path}: the file is empty; make or copy it again")

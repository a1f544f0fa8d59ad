"""Inputs that are pictures of any sizes, or one clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videoparts.config import SourceSettings
from videoparts.errors import SettingsError
from videoparts.picture_set import pictures_of
from videoparts.picture_source import PictureSource
from videoparts.sources.base import Source
from videoparts.sources.folder import SUFFIXES

from .chain import Chain


def is_clip(paths: Sequence[Path]) -> bool:
    """Whether one file is given, and it is no picture."""
    return len(paths) == 1 and paths[0].is_file() and paths[0].suffix.lower() not in SUFFIXES


def opened_inputs(chain: Chain, paths: Sequence[Path], settings: SourceSettings) -> Source:
    """A clip, if it `is_clip`; else a `PictureSource` of all files and folders.

    Raises:
        SourceError: it cannot be opened, or a path is not there.
        SettingsError: nothing is given, or pictures and times.
    """
    if not paths:
        raise SettingsError("no input is given; name pictures, folders of pictures, or a clip")
    if is_clip(paths):
        return chain.open(paths[0])
    for option, time in (("--start", settings.start), ("--end", settings.end)):
        if time is not None:
            raise SettingsError(f"{option} {time}: pictures have no times; leave it out")
    pictures = pictures_of(paths)
    return PictureSource(pictures, range(0, len(pictures), settings.every))

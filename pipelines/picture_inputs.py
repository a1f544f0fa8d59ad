"""Inputs that are pictures of any sizes, or one clip. Pictures that cannot be used are left out, and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from videoparts.config import SourceSettings
from videoparts.errors import ClipsFailedError, SettingsError, SourceError
from videoparts.features import Extractor
from videoparts.pictures.check import CheckedPicture, checked
from videoparts.sources.base import Source
from videoparts.sources.folder import SUFFIXES, alpha_dropped, passed_over
from videoparts.sources.picture_set import Picture, pictures_of
from videoparts.sources.picture_source import PictureSource

from .chain import Chain
from .no_effect import refuse_clip_options
from .terminal import Terminal

_ANY = (1024, 1024)  # a picture's size: patches are the same in all


@dataclass(frozen=True)
class Looked:
    """A set of pictures after a look at each."""

    good: list[CheckedPicture]
    left_out: dict[str, str] = field(default_factory=dict)  # why pictures cannot be used, by their names

    def lines(self) -> list[str]:
        """What was left out, a line each."""
        return [f"left out: {why}" for why in self.left_out.values()]

    def tell(self, terminal: Terminal) -> None:
        """Say what was left out, when all else is done.

        Raises:
            ClipsFailedError: something was.
        """
        if self.left_out:
            terminal.insist(*self.lines())
            total = len(self.good) + len(self.left_out)
            raise ClipsFailedError(f"{len(self.left_out)} of {total} pictures could not be used, the others are done")


def looked_at(pictures: Sequence[Picture], extractor: Extractor, terminal: Terminal) -> Looked:
    """Decode every picture once, with a progress bar; says at once which cannot be used.

    Raises:
        SourceError: none can be used.
    """
    with terminal.bar("look", len(pictures), unit="picture") as advance:
        looked = Looked(*checked(pictures, extractor.grid(_ANY).patch, advance))
    if not looked.good:
        first, *more = looked.left_out.values()
        raise SourceError(f"{first}; and none of the {len(more)} others can be used either" if more else first)
    terminal.note(*looked.left_out.values(), *alpha_dropped("the set", sum(one.alpha for one in looked.good)))
    return looked


def given_pictures(paths: Sequence[Path], every: int, terminal: Terminal) -> list[Picture]:
    """Every so many of `pictures_of`; says which pictures in the folders are of kinds that cannot be read."""
    pictures = pictures_of(paths)
    for folder in filter(Path.is_dir, paths):
        terminal.note(*passed_over(folder, folder.iterdir()))
    return pictures[::every]


def is_clip(paths: Sequence[Path]) -> bool:
    """Whether one file is given, and it is no picture."""
    return len(paths) == 1 and paths[0].is_file() and paths[0].suffix.lower() not in SUFFIXES


def opened_inputs(chain: Chain, paths: Sequence[Path], settings: SourceSettings) -> tuple[Source, Looked]:
    """A clip, if it `is_clip`; else a `PictureSource` of the pictures among all files and folders that can be used.

    Raises:
        SourceError: it cannot be opened, a path is not there, or no picture can be used.
        SettingsError: nothing is given, or pictures and options of clips.
    """
    if not paths:
        raise SettingsError("no input is given; name pictures, folders of pictures, or a clip")
    if is_clip(paths):
        return chain.open(paths[0]), Looked([])
    refuse_clip_options(settings)
    pictures = given_pictures(paths, settings.every, chain.terminal)
    looked = looked_at(pictures, chain.extractor(), chain.terminal)
    return PictureSource([one.picture for one in looked.good]), looked

"""``videoparts similarity``: what in a picture is like one point of another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.errors import OutputError, SettingsError

from ..options import Output, Quiet
from ..terminal import Terminal

_PICTURES = (".png",)
_PAGES = (".html", ".htm")
_MOST_MARKS = 99


def for_similarity() -> ExtractorSettings:
    """What a map shows most clearly: outputs of block 9 of 12."""
    return ExtractorSettings(facet="token")


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """Show what in the second picture is like a point of the first: a picture of it, or a page to click in.

    The map is of cosines between patches, at any --layer and --facet. The nearest patches are numbered. The page is one
    file that needs neither a server nor the network.
    """

    one: tyro.conf.Positional[Path]
    """The picture that the point is of."""
    other: tyro.conf.Positional[Path]
    """The picture that is compared with it; may be the same."""
    output: Output[Path]
    """The picture to write (.png); with --page, the page (.html)."""
    point: str | None = None
    """The point: x,y in pixels of the first picture from its top left corner, as in 120,340."""
    page: bool = False
    """Write a page instead, in which a click on either picture shows the map of that point."""
    marks: int = 3
    """Patches that are numbered, the nearest first."""
    extractor: ExtractorSettings = field(default_factory=for_similarity)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    quiet: Quiet = False
    """Say nothing but errors."""

    def __post_init__(self) -> None:
        if not 0 <= self.marks <= _MOST_MARKS:
            raise SettingsError(f"--marks must be 0 to {_MOST_MARKS}, got {self.marks}")
        if self.page and self.marks != Similarity.marks:
            raise SettingsError("--marks is of the picture, and --page writes none: leave one of them out")
        if self.point is None and not self.page:
            raise SettingsError("say which point with --point x,y, or write a page to click in with --page")
        suffixes = _PAGES if self.page else _PICTURES
        if self.output.suffix.lower() not in suffixes:
            raise OutputError(f"{self.output}: {'the page' if self.page else 'the picture'} must end in {suffixes[0]}")
        _read_point(self.point)

    def run(self) -> None:
        """Run the command."""
        import numpy as np

        from videoparts.files.atomic import AtomicFile, ensure_not_input
        from videoparts.pairs.described import describe
        from videoparts.pairs.points import require_inside
        from videoparts.sources.folder import read_picture
        from videoparts.sources.picture_set import Picture

        from ..loading import loaded

        terminal, point = Terminal(self.quiet), _read_point(self.point)
        ensure_not_input(self.output, (self.one, self.other))
        AtomicFile(self.output)  # raises what would come after the work
        pictures = [Picture(path, path.stem) for path in (self.one, self.other)]
        for path in (self.one, self.other):
            if path.is_dir():
                raise SettingsError(f"{path} is a folder: give one picture")
            if not path.is_file():
                raise SettingsError(f"{path}: there is no such picture; check the path")
        pixels = [read_picture(picture.path) for picture in pictures]
        if point is not None:
            height, width = pixels[0].shape[:2]
            require_inside(np.array([point]), (height, width), str(self.one))
        extractor = loaded(self.extractor, self.compute, terminal)
        described = [describe(one, extractor, picture.path) for one, picture in zip(pixels, pictures, strict=True)]
        if self.page:
            from videoparts.sinks.pages.similarity_page import write_similarity_page

            write_similarity_page(self.output, [picture.name for picture in pictures], pixels, described, point)
            terminal.say(f"wrote {self.output}: open it in a browser")
            return
        from videoparts.files.atomic import atomic_file
        from videoparts.pairs.similarity import similarity_map
        from videoparts.sinks.images.photograph import save_photograph
        from videoparts.sinks.images.similarity_picture import similarity_picture

        assert point is not None
        found = similarity_map(described[0], point, described[1], self.marks)
        with atomic_file(self.output) as temporary:
            save_photograph(temporary, similarity_picture(pixels[0], point, pixels[1], described[1], found))
        if len(found.nearest):
            x, y = found.nearest[0]
            terminal.say(f"most alike: {x:.1f},{y:.1f} of {self.other}, cosine {found.cosines.max():.3f}")
        terminal.say(f"wrote {self.output}")


def _read_point(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        x, y = (float(number) for number in text.split(","))
    except ValueError:
        raise SettingsError(f"--point {text}: give x,y in pixels, as in 120,340") from None
    return x, y

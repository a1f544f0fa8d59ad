"""``videoparts correspond``: points of two pictures that mean the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.errors import FitError, OutputError, SettingsError, SourceError

from ..options import Output, Quiet
from ..terminal import Terminal

if TYPE_CHECKING:
    from videoparts.frames import Pixels
    from videoparts.pairs.correspondences import Correspondence
    from videoparts.pairs.described import Described
    from videoparts.pairs.pair_files import PairFile, PictureOfPair
    from videoparts.pairs.points import Points
    from videoparts.sources.picture_set import Picture

_BETWEEN = "--"  # the names of two pictures, in the name of what is written
_ENDINGS = (".png", ".csv", ".json")
_MOST_PAIRS = 1000


def for_correspondences() -> ExtractorSettings:
    """What two pictures are best compared by: outputs of block 9 of 12, each joined with its surroundings."""
    return ExtractorSettings(facet="token", binned=True)


@dataclass(frozen=True, kw_only=True)
class Correspond:
    """Find points that mean the same in two pictures, or in every two of a set.

    Writes OUTPUT/a--b.png, both pictures with numbered dots, and a--b.csv and a--b.json, the points in pixels of the
    pictures themselves. The paper's own descriptors: --facet key.
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Two pictures or more, and folders of pictures, of any sizes."""
    output: Output[Path]
    """The folder to write into."""
    pairs: int = 10
    """Pairs of points that are shown, spread over the object: fewer where fewer are found."""
    points: Path | None = None
    """Points to find again instead: a JSON file like those that are written, whose points in "one" are of the first
    picture; they are found in all others. Or a folder of such files, called a--b.json as their pictures are: only these
    pairs are looked at then."""
    seed: int = 0
    """Seed of k-means."""
    extractor: ExtractorSettings = field(default_factory=for_correspondences)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    quiet: Quiet = False
    """Say nothing but errors."""

    def __post_init__(self) -> None:
        if not 1 <= self.pairs <= _MOST_PAIRS:
            raise SettingsError(f"--pairs must be 1 to {_MOST_PAIRS}, got {self.pairs}")
        if self.seed < 0:
            raise SettingsError(f"--seed must not be negative, got {self.seed}")
        for name in ("pairs", "seed"):
            if self.points is not None and getattr(self, name) != getattr(Correspond, name):
                raise SettingsError(
                    f"--{name} is of points that are looked for, and --points gives them: leave one out"
                )

    def run(self) -> None:
        """Run the command."""
        from ..described_pictures import DescribedPictures, every_pair
        from ..loading import loaded
        from ..picture_inputs import given_pictures, looked_at

        terminal = Terminal(self.quiet)
        if not self.inputs:
            raise SettingsError("no input is given; name two pictures or more, or a folder of them")
        pictures = given_pictures(self.inputs, 1, terminal)
        if len(pictures) < 2:
            raise SettingsError(f"{pictures[0].path} is one picture only: give another one to compare it with")
        given = self._given(pictures, terminal)
        pairs = list(given) if given else every_pair(len(pictures))
        self._check_outputs(pictures, pairs)
        extractor = loaded(self.extractor, self.compute, terminal)
        looked = looked_at(pictures, extractor, terminal)
        sizes = {one.picture.name: one.size for one in looked.good}
        whole = [(a, b) for a, b in pairs if pictures[a].name in sizes and pictures[b].name in sizes]
        if not whole:
            bad = next(pictures[k].name for k in pairs[0] if pictures[k].name not in sizes)
            raise SourceError(looked.left_out[bad])
        pairs = whole
        for a, b in pairs:
            if (a, b) in given:
                _require_fit(given[a, b], pictures[a], sizes[pictures[a].name])
        described = DescribedPictures(pictures, extractor)
        written = 0
        try:
            with terminal.bar("correspond", len(pairs), "pair") as advance:
                for a, b in described.in_good_order(pairs):
                    found = self._found(described.get(a)[1], described.get(b)[1], given.get((a, b)))
                    if found:
                        self._write(pictures[a], pictures[b], described.get(a), described.get(b), found)
                        written += 1
                    else:
                        terminal.note(f"{pictures[a].name} and {pictures[b].name} have no point in common")
                    advance(1)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped; {written} of {len(pairs)} pairs of pictures are written") from None
        if not written:
            raise FitError(
                f"{pictures[pairs[0][0]].path}, {pictures[pairs[0][1]].path}: no two points on their objects are "
                "nearest to one another; try another --load-size, or pictures that show things of one kind"
            )
        terminal.say(f"wrote {written} of {len(pairs)} pairs of pictures into {self.output}")
        looked.tell(terminal)

    def _given(self, pictures: Sequence[Picture], terminal: Terminal) -> dict[tuple[int, int], PairFile]:
        """The points to transfer, by the pair of pictures; empty where none are given."""
        from videoparts.pairs.pair_files import read_pairs

        if self.points is None:
            return {}
        if not self.points.is_dir():
            points = read_pairs(self.points)
            if (name := points.one.name) not in _names_of(pictures[0]):
                if other := next((one for one in pictures if name in _names_of(one)), None):
                    raise SettingsError(f"{self.points}: the points are of {name}; give {other.path} first")
                terminal.note(f"{self.points}: points of {name}, taken for points of {pictures[0].path}")
            given = {(0, b): points for b in range(1, len(pictures))}
        else:
            names = {picture.name: k for k, picture in enumerate(pictures)}
            files = {path.stem: path for path in sorted(self.points.glob("*.json"))}
            ordered = [(a, b) for a in names for b in names if a != b and f"{a}{_BETWEEN}{b}" in files]
            given = {(names[a], names[b]): read_pairs(files[f"{a}{_BETWEEN}{b}"]) for a, b in ordered}
            if not given:
                raise SourceError(f"{self.points}: holds no points of two of the pictures, in files as a--b.json")
            if more := sorted(files.keys() - {f"{a}{_BETWEEN}{b}" for a, b in ordered}):
                terminal.note(f"{self.points}: {len(more)} of {len(files)} files are of other pictures, as {more[0]}")
        if empty := [pair for pair, points in given.items() if not points.pairs]:
            raise SourceError(f"{self.points}: no points of {pictures[empty[0][0]].name} are given")
        return given

    def _found(self, one: Described, other: Described, given: PairFile | None) -> list[Correspondence]:
        from videoparts.pairs.correspondences import correspondences, transferred

        if given is None:
            return correspondences(one, other, self.pairs, self.seed)
        return transferred(one, other, _points(given), [pair.name for pair in given.pairs])

    def _paths(self, a: Picture, b: Picture) -> list[Path]:
        return [self.output / f"{a.name}{_BETWEEN}{b.name}{ending}" for ending in _ENDINGS]

    def _check_outputs(self, pictures: Sequence[Picture], pairs: Sequence[tuple[int, int]]) -> None:
        from videoparts.files.atomic import AtomicFile, ensure_not_input

        if self.output.exists() and not self.output.is_dir():
            raise OutputError(f"{self.output} is a file: give the name of a folder")
        ensure_not_input(self.output, self.inputs)  # or the next run would take these for pictures of the set
        inputs = {path for picture in pictures if (path := picture.path).parent.resolve() == self.output.resolve()}
        given = {self.points} if self.points is not None and self.points.is_file() else set()
        if self.points is not None and self.points.is_dir() and self.points.resolve() == self.output.resolve():
            raise OutputError(f"{self.output} holds the points that are given: choose another folder for the output")
        AtomicFile(self._paths(pictures[0], pictures[1])[0])  # raises what would come after the work
        counts: Counter[str] = Counter()
        for a, b in pairs:
            paths = self._paths(pictures[a], pictures[b])
            counts[paths[0].name] += 1
            if counts[paths[0].name] > 1:
                raise OutputError(
                    f"{paths[0].name} would be written of two pairs: rename a picture with -- in its name"
                )
            for path in paths:
                ensure_not_input(path, inputs | given)

    def _write(
        self,
        a: Picture,
        b: Picture,
        one: tuple[Pixels, Described],
        other: tuple[Pixels, Described],
        found: Sequence[Correspondence],
    ) -> None:
        from videoparts.files.atomic import atomic_file
        from videoparts.pairs.pair_files import pair_file, write_csv, write_json
        from videoparts.sinks.images.pair_picture import pair_picture
        from videoparts.sinks.images.photograph import save_photograph

        picture, table, told = self._paths(a, b)
        content = pair_file(_about(a, one[1]), _about(b, other[1]), found)
        with atomic_file(picture) as temporary:
            save_photograph(temporary, pair_picture(one[0], other[0], found))
        write_csv(table, content)
        write_json(told, content)


def _points(given: PairFile) -> Points:
    import numpy as np

    return np.array([pair.one for pair in given.pairs], dtype=np.float64)


def _names_of(picture: Picture) -> tuple[str, ...]:
    """What files of points call it: it has its suffix where another picture of their set has its stem."""
    return picture.name, picture.path.stem, picture.path.name


def _require_fit(given: PairFile, picture: Picture, size: tuple[int, int]) -> None:
    """Raise SettingsError unless points are of a picture of this size (height, width), and inside of it."""
    from videoparts.pairs.points import require_inside

    if (given.one.height, given.one.width) != size:
        height, width = size
        raise SettingsError(
            f"{picture.path} is {width}x{height} and the points are of a picture of "
            f"{given.one.width}x{given.one.height} pixels; give the picture that they are of first"
        )
    require_inside(_points(given), size, str(picture.path))


def _about(picture: Picture, described: Described) -> PictureOfPair:
    from videoparts.pairs.pair_files import PictureOfPair

    height, width = described.size
    return PictureOfPair(picture.name, width, height)

"""``videoparts extract``: descriptors and saliency as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from videoparts.counted import counted
from videoparts.errors import OutputError

from ..options import ExtractorOptions, Numbers, Output, PartOptions, Quiet
from ..terminal import Terminal

if TYPE_CHECKING:
    from videoparts.pictures.saved_features import AboutFeatures
    from videoparts.sources.base import Source
    from videoparts.vit.extractor import ViTExtractor

    from ..chain import Chain


@dataclass(frozen=True, kw_only=True)
class Extract(ExtractorOptions):
    """Write the descriptors and the saliency of pictures, or of every frame of a clip, one file each.

    What is in the output folder already, with the same settings and of the same picture, is not made again: a run
    that was stopped goes on where it was.
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Pictures and folders of pictures, of any sizes; or one video file, whose frames are called by their numbers."""
    output: Output[Path]
    """A folder: OUTPUT/cat.safetensors for cat.jpg, OUTPUT/00000.safetensors for the first frame of a clip."""
    format: Literal["safetensors", "npz", "zarr"] = "safetensors"
    """safetensors, npz (numpy.load), or zarr, which needs the package zarr."""
    half: bool = False
    """Write float16 instead of float32: half the size."""
    log_bin: bool = False
    """The same as --binned: join each descriptor with its surroundings, 17 times the size."""
    heads: Numbers = ()
    """Attention heads whose mean is the saliency, as in 0,2,4,5. Unset: those that look at the object, chosen from a
    few of the pictures and kept for those that come later."""
    redo: bool = False
    """Make files anew that were made with other settings, instead of refusing to."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def run(self) -> None:
        """Run the command."""
        from videoparts.files.lock import HOME, only_run_in
        from videoparts.pictures.saved_features import require_zarr

        from ..chain import Chain
        from ..picture_inputs import opened_inputs

        if self.format == "zarr":
            require_zarr()
        if self.output.exists() and not self.output.is_dir():
            raise OutputError(f"{self.output} is a file: give the name of a folder")
        extractor = replace(self.extractor, binned=self.extractor.binned or self.log_bin)
        options = PartOptions(preset=self.preset, source=self.source, extractor=extractor, compute=self.compute)
        chain = Chain(options, Terminal(self.quiet))
        with only_run_in(self.output / HOME):
            source, looked = opened_inputs(chain, self.inputs, self.source)
            self._write(chain, source)
        looked.tell(chain.terminal)

    def _write(self, chain: Chain, source: Source) -> None:
        from videoparts.pictures.extraction import choose_heads, extract_features
        from videoparts.pictures.saved_features import FeatureSettings, about_features, save_features

        stems, original = _originals(source)
        paths = [self.output / f"{stem}.{self.format}" for stem in stems]
        there = {k: about for k, path in enumerate(paths) if (about := about_features(path)) is not None}
        extractor = chain.extractor()
        usable = {k: about for k, about in there.items() if not self._differences(about, extractor)}
        heads = self.heads or next((about.settings.heads for about in usable.values()), ())
        if not self.redo:
            self._refuse_others(paths, there, extractor, heads)
        settings = FeatureSettings(extractor.identity, heads or choose_heads(source, extractor, chain.clock), self.half)
        done = {
            k
            for k, about in usable.items()
            if about.settings == settings and (about.picture, about.sha256, about.index) == original(source.selected[k])
        }
        if done:
            chain.terminal.note(f"{len(done)} of {len(paths)} files are there already")
        written = 0
        try:
            with chain.terminal.bar("extract", len(paths) - len(done), unit="picture") as advance:
                for first, stop in _runs([k for k in range(len(paths)) if k not in done]):
                    found = extract_features(source.part(first, stop), extractor, settings, original, clock=chain.clock)
                    with closing(found):
                        for stem, features in found:
                            with chain.clock.stage("write"):
                                save_features(self.output / f"{stem}.{self.format}", features)
                            written += 1
                            advance(1)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped; the same command goes on after {len(done) + written} of {len(paths)} files"
            ) from None
        chain.terminal.note(*source.notes)
        chain.terminal.times(chain.clock, written)
        chain.terminal.say(f"wrote {counted(written, 'file')} to {self.output}")

    def _differences(self, about: AboutFeatures, extractor: ViTExtractor, heads: tuple[int, ...] = ()) -> list[str]:
        """In what features that are there differ from those that are wanted; no heads: any are."""
        from videoparts.pictures.saved_features import FeatureSettings

        made = about.settings
        wanted = FeatureSettings(extractor.identity, heads or self.heads or made.heads, self.half)
        return about.differences(wanted, extractor.precision)

    def _refuse_others(
        self,
        paths: Sequence[Path],
        there: Mapping[int, AboutFeatures],
        extractor: ViTExtractor,
        heads: tuple[int, ...],
    ) -> None:
        """Raise OutputError where features are there that are not like those that are wanted."""
        for k, about in there.items():
            if differences := self._differences(about, extractor, heads):
                raise OutputError(
                    f"{paths[k]}: made with {'; '.join(differences)}; use the same options, give --redo to make such "
                    "files anew, or choose another folder"
                )


def _originals(source: Source) -> tuple[list[str], Callable[[int], tuple[str, str, int | None]]]:
    """The stem of each selected picture or frame, and what tells of which file it is, see `AboutFeatures`."""
    from videoparts.sources.picture_source import PictureSource
    from videoparts.sources.source_hash import source_sha256

    if isinstance(source, PictureSource):
        pictures = source.pictures

        def of_picture(index: int) -> tuple[str, str, int | None]:
            path = pictures[index].path
            return path.name, source_sha256(path), None

        return [pictures[index].name for index in source.selected], of_picture
    name, sha256 = source.info.path.name, source_sha256(source.info.path)
    return [f"{index:05d}" for index in source.selected], lambda index: (name, sha256, index)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where numbers follow one another: the first, and the one after the last.

    >>> list(_runs([0, 1, 2, 5, 7, 8]))
    [(0, 3), (5, 6), (7, 9)]
    """
    for k, number in enumerate(numbers):
        if k == 0 or numbers[k - 1] != number - 1:
            first = number
        if k + 1 == len(numbers) or numbers[k + 1] != number + 1:
            yield first, number + 1

"""``videoparts masks``: the parts of every frame, in the formats that others read, and a page to look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from videoparts.config import MOST_PARTS
from videoparts.errors import SettingsError

from .options import MaskOptions, Names, Numbers, Output, Quiet
from .terminal import Terminal

if TYPE_CHECKING:
    from videoparts.parts import PartModel
    from videoparts.runs import Run
    from videoparts.sources.base import Source

    from .chain import Chain
    from .result import Entry

LEVELS = "levels"


@dataclass(frozen=True, kw_only=True)
class Masks(MaskOptions):
    """Write the parts of every frame into a folder, with a manifest and a page to look at them.

    A run that was stopped goes on where it was when the same command is given again.
    """

    input: tyro.conf.Positional[Path]
    """A video file, or a folder of frames."""
    output: Output[Path]
    """The folder to write into; made if missing."""
    formats: Names = ("davis",)
    """What to write, as in davis,prores. davis: a palette PNG a frame, 0 = background, 1, 2, ... are parts; labels: the
    same as one lossless video; mattes: antialiased grey PNGs a part; prores, webm: a video with alpha a part; packed:
    four mattes a ProRes file; cryptomatte: an EXR a frame; coco, cvat, npz."""
    levels: Numbers = ()
    """Write the object in so many parts too, as in 2,4,8: into OUTPUT/levels/2/ and so on, from the same pass. The
    parts of a finer level divide those of a coarser one, pixel by pixel."""
    page: bool = True
    """Write OUTPUT/viewer.html, a page to look at the parts, and to name and merge them."""
    keep_features: bool = False
    """Keep what finer parts are told from, some 20 kB a frame, so that videoparts edit --split needs no ViT."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(not 1 <= level <= MOST_PARTS for level in self.levels):
            raise SettingsError(f"--levels must be 1 to {MOST_PARTS} each, got {','.join(map(str, self.levels))}")

    def run(self) -> None:
        """Run the command."""
        from videoparts.atomic import ensure_not_input
        from videoparts.lock import only_run_in
        from videoparts.runs import HOME, Run, run_key
        from videoparts.sinks.formats import formats_of

        from .chain import Chain, given_model
        from .result import refuse_edited

        for one in formats_of(self.formats):
            one.require()
        chain = Chain(self, Terminal(self.quiet))
        given = given_model(self)
        source = chain.open(self.input)
        ensure_not_input(self.output, [self.input])
        refuse_edited(self.output)
        self._check_outputs(source, given)
        settings = self._settings(given)
        with only_run_in(self.output / HOME):
            self._write(chain, source, Run(self.output, run_key(settings)), given, settings)

    def _check_outputs(self, source: Source, given: PartModel | None) -> None:
        """Find what cannot be written before hours of work: sinks look at their targets at birth, and touch nothing."""
        from videoparts.masks import Part
        from videoparts.palette import part_colour
        from videoparts.sinks.formats import formats_of
        from videoparts.sinks.label_images import LabelImages
        from videoparts.sinks.viewer import Viewer

        names = given.names if given is not None else [f"part{k}" for k in range(1, 5)]
        parts = [Part(k, name, part_colour(k)) for k, name in enumerate(names, start=1)]
        for one in formats_of(self.formats):
            one.open(self.output, source.info, parts)
        for level in self.levels:
            LabelImages(self.output / LEVELS, name=str(level), inputs=[self.input])
        if self.page:
            Viewer(self.output, source.info, parts)

    def _settings(self, given: PartModel | None) -> dict[str, Any]:
        """All that the masks depend on, as JSON has it. Which parts are shown, and in which formats, is not of it."""
        from videoparts.source_hash import source_sha256

        fit = asdict(self.fit) if given is None else {"parts": len(given), "model": source_sha256(self.model_file)}
        return {
            "source": {"sha256": source_sha256(self.input), **asdict(self.source)},
            "extractor": asdict(self.extractor),
            "compute": {name: str(value) for name, value in asdict(self.compute).items() if name not in _NO_MATTER},
            "fit": fit,
            "refine": asdict(self.refine),
            "levels": sorted(set(self.levels)),
            "keep_features": self.keep_features,
        }

    def _write(self, chain: Chain, source: Source, run: Run, given: PartModel | None, settings: dict[str, Any]) -> None:
        from videoparts.manifest import ManifestModel, ManifestSource
        from videoparts.sinks.formats import FORMATS, formats_of
        from videoparts.sinks.label_images import LabelImages
        from videoparts.source_hash import source_sha256

        from .chain import AtLevel
        from .labelling import all_entries
        from .outputs import Outputs
        from .result import edition_of, found_by, manifest_of

        levels = sorted(set(self.levels))
        model = chain.model(self, source, given, run, levels)
        finest = model.finer(max([len(model), *levels]))
        before = manifest_of(self.output)
        formats = {*self.formats}
        if before is not None and before.settings.get("run") == run.key:
            formats |= before.formats.keys() & FORMATS.keys()  # of the same masks: they are kept up
        found = found_by(model, finest)
        edition = edition_of(found)
        outputs = Outputs(
            self.output,
            source.info,
            edition,
            formats_of(sorted(formats)),
            page=self.page,
            clip=run.clip_path,
            clock=chain.clock,
        )
        with ExitStack() as stack:
            sinks = []
            for level in levels:
                images = LabelImages(self.output / LEVELS, name=str(level), inputs=[self.input])
                sinks.append(AtLevel(finest, level, (stack.enter_context(images),)))
            stack.enter_context(outputs)
            entries = all_entries(chain, source, run.masks(), finest, self.refine, chances=self.keep_features)
            advance = stack.enter_context(chain.terminal.bar("label", source.info.frames))
            outputs.write_all(_tapped(stack.enter_context(closing(entries)), sinks), advance)
        more = {LEVELS: tuple(f"{LEVELS}/{level}" for level in levels)} if levels else {}
        made_from = ManifestSource.of(source.info, len(outputs.report.frames), settings["source"]["sha256"])
        settings |= {"preset": self.preset, "run": run.key, "found": found}
        made_with = ManifestModel(source_sha256(run.model_path), model.identity)
        manifest = outputs.finish(made_from, settings, made_with, before, more)
        run.remove_others()
        chain.terminal.note(*source.notes, *outputs.notes)
        chain.terminal.say(*manifest.report.lines())
        chain.terminal.times(chain.clock, len(manifest.frames))
        chain.terminal.say(f"wrote {', '.join(sorted(p for paths in manifest.formats.values() for p in paths))}")
        chain.terminal.say(f"to {self.output}")


_NO_MATTER = ("offline", "batch_size")  # they change nothing in the masks


def _tapped(entries: Iterator[Entry], sinks: list[Any]) -> Iterator[Entry]:
    for masks, joints in entries:
        for sink in sinks:
            sink.write(masks)
        yield masks, joints

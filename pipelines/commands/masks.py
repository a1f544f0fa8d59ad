"""``videoparts masks``: the parts of every frame, in the formats that others read, and a page to look at them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from ..options import MaskOutputs, Output, Quiet
from ..terminal import Terminal

if TYPE_CHECKING:
    from videoparts.files.transaction import Transaction
    from videoparts.parts.model import PartModel
    from videoparts.results.manifest import Manifest
    from videoparts.results.runs import Run
    from videoparts.sources.base import Source

    from ..chain import Chain
    from ..result import Entry


@dataclass(frozen=True, kw_only=True)
class Masks(MaskOutputs):
    """Write the parts of every frame into a folder, with a manifest and a page to look at them.

    A run that was stopped goes on where it was when the same command is given again.
    """

    input: tyro.conf.Positional[Path]
    """A video file, or a folder of frames."""
    output: Output[Path]
    """The folder to write into; made if missing."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def run(self) -> None:
        """Run the command."""
        from videoparts.sinks.formats import formats_of

        from ..chain import Chain

        for one in formats_of(self.formats):
            one.require()
        chain = Chain(self, Terminal(self.quiet))
        self.write(chain, chain.open(self.input))

    def write(self, chain: Chain, source: Source) -> Manifest:
        """Do what the command says with its source, which is open, and the extractor and terminal of a chain."""
        from videoparts.files.atomic import ensure_not_input
        from videoparts.files.transaction import transaction

        from ..chain import given_model
        from ..run_settings import run_of

        given = given_model(self)
        ensure_not_input(self.output, [self.input])
        with transaction(self.output) as new:
            before = self.check(source, given)
            settings = self.settings(given)
            return self._write(chain, source, run_of(self.output, settings), given, settings, before, new)

    def check(self, source: Source, given: PartModel | None) -> Manifest | None:
        """Find what cannot be written before hours of work. Which parts there are is known later, and then all is
        looked at again.

        Returns:
            The manifest of what is in the output folder; None: there is none.

        Raises:
            OutputError, SettingsError: see `check_outputs`; what is there was edited, or is unknown.
        """
        from videoparts.masks import Part
        from videoparts.painting.palette import part_colour
        from videoparts.sinks.formats import formats_of

        from ..other_results import refuse_other_results
        from ..outputs import check_outputs
        from ..result import manifest_of, refuse_edited

        refuse_other_results(self.output, "masks")
        refuse_edited(self.output)
        before = manifest_of(self.output)
        names = given.names if given is not None else [f"part{k}" for k in range(1, 5)]
        parts = [Part(k, name, part_colour(k)) for k, name in enumerate(names, start=1)]
        formats = formats_of(self.formats)
        check_outputs(self.output, source.info, parts, formats, page=self.page, levels=self._levels, before=before)
        return before

    @property
    def _levels(self) -> list[int]:
        return sorted(set(self.levels))

    def settings(self, given: PartModel | None) -> dict[str, Any]:
        """All that the masks depend on, and how frames are read, as JSON has it; see `run_settings`."""
        from videoparts.sources.source_hash import source_sha256

        from ..run_settings import run_settings

        return {
            "source": {"sha256": source_sha256(self.input), **asdict(self.source)},
            **run_settings(self, given),
            "levels": self._levels,
            "keep_features": self.keep_features,
        }

    def models(self, chain: Chain, source: Source, given: PartModel | None, run: Run) -> tuple[PartModel, PartModel]:
        """The parts that are shown, and the same model at the finest level that is labelled. See `Chain.model`.

        The run keeps what they are of.
        """
        model = chain.model(self, source, given, run, self._levels)
        run.keep_settings()
        return model, model.finer(max([len(model), *self._levels]))

    def _write(
        self,
        chain: Chain,
        source: Source,
        run: Run,
        given: PartModel | None,
        settings: dict[str, Any],
        before: Manifest | None,
        new: Transaction,
    ) -> Manifest:
        from videoparts.results.manifest import ManifestModel, ManifestSource
        from videoparts.sinks.formats import FORMATS, formats_of
        from videoparts.sources.source_hash import source_sha256

        from ..labelling import all_entries
        from ..outputs import Outputs
        from ..result import edition_of, found_by
        from ..takers import AtLevel

        model, finest = self.models(chain, source, given, run)
        formats = {*self.formats}
        if before is not None and before.settings.get("run") == run.key:
            formats |= before.formats.keys() & FORMATS.keys()  # of the same masks: they are kept up
        found = found_by(model, finest)
        edition = edition_of(found)
        outputs = Outputs(
            new,
            source.info,
            edition,
            formats_of(sorted(formats)),
            before,
            page=self.page,
            levels=self._levels,
            clip=run.clip_path,
            clock=chain.clock,
        )
        with outputs, chain.terminal.bar("label", source.info.frames) as advance:
            sinks = [AtLevel(finest, level, (sink,)) for level, sink in outputs.level_sinks.items()]
            entries = all_entries(chain, source, run.masks(), finest, self.refine, chances=self.keep_features)
            outputs.write_all(_tapped(entries, sinks), advance)
        made_from = ManifestSource.of(source.info, len(outputs.report.frames), settings["source"]["sha256"])
        settings |= {"preset": self.preset, "run": run.key, "found": found}
        made_with = ManifestModel(source_sha256(run.model_path), model.identity)
        manifest = outputs.finish(made_from, settings, made_with, removed=run.others())
        chain.terminal.note(*source.notes, *outputs.notes, *_removed(before, manifest))
        chain.terminal.say(*manifest.report.lines())
        chain.terminal.times(chain.clock, len(manifest.frames))
        chain.terminal.say(f"wrote {', '.join(sorted(p for paths in manifest.formats.values() for p in paths))}")
        chain.terminal.say(f"to {self.output}")
        return manifest


def _removed(before: Manifest | None, now: Manifest) -> list[str]:
    """What to say where other settings had made more than is there now."""
    if before is None:
        return []
    gone = sorted(path for name in before.formats.keys() - now.formats.keys() for path in before.formats[name])
    return [f"removed, for other settings had made it: {', '.join(gone)}"] if gone else []


def _tapped(entries: Generator[Entry, None, None], sinks: list[Any]) -> Generator[Entry, None, None]:
    with closing(entries):
        for masks, joints in entries:
            for sink in sinks:
                sink.write(masks)
            yield masks, joints

"""``videoparts edit``: name, merge, drop, recolour, order, smooth and divide parts that are there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from videoparts.clock import StageClock
from videoparts.config import ComputeSettings
from videoparts.counted import counted
from videoparts.errors import SettingsError

from ..options import Names, PartOptions, Quiet
from ..terminal import Terminal

if TYPE_CHECKING:
    from videoparts.editing.edits import Edit as PartEdit
    from videoparts.editing.edits import Edition
    from videoparts.files.transaction import Transaction
    from videoparts.sinks.formats import Format
    from videoparts.sources.base import Source

    from ..result import Result

Several = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Edit the parts in a folder that videoparts masks has written, and write all of its formats again.

    Nothing is found anew, so it takes seconds. Parts are given by number or name; numbers stay what they are, whatever
    happens to other parts. Of several edits in one command, those of --edits are done first, then --split, --rename,
    --merge, --drop, --recolor, --reorder and --smooth. What is done is kept in OUTPUT/edits.json, a line an edit, and
    can be taken back. Edits that cannot be done change nothing. OUTPUT/levels, of masks --levels, stays as it was
    found.
    """

    output: tyro.conf.Positional[Path]
    """The folder that videoparts masks has written."""
    rename: Several = ()
    """Name a part, as in 1=head. Can be given several times, as all of these."""
    merge: Several = ()
    """Make one part of several, as in 2,5=body, or 2,5 to keep the name of the first."""
    drop: Names = ()
    """Give parts to the background, as in 4,6."""
    recolor: Several = ()
    """Give a part another colour, as in 3=#3fa7d6."""
    reorder: Names = ()
    """Number the parts anew: these from 1 on, as in 3,1, then the others."""
    smooth: int | None = None
    """Average so many frames around each, an odd number, along the optical flow; 0 takes it back."""
    split: str | None = None
    """Divide this part; see --into."""
    into: int = 2
    """Into so many."""
    edits: Path | None = None
    """Apply the edits of this file too, first: one that the page has saved, or the edits.json of another clip."""
    undo: int = 0
    """Take so many of the last edits back, before anything else."""
    formats: Names = ()
    """Write these formats too; see videoparts masks."""
    input: Path | None = None
    """Where the clip is now, if it has moved and is needed."""
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    quiet: Quiet = False
    """Say nothing but errors."""

    def __post_init__(self) -> None:
        if self.undo < 0:
            raise SettingsError(f"--undo must not be negative, got {self.undo}")
        if self.into != Edit.into and self.split is None:
            raise SettingsError(f"--into {self.into} is of --split: say which part is divided, or leave it out")

    def run(self) -> None:
        """Run the command."""
        from videoparts.editing.edits import FILE
        from videoparts.sinks.formats import FORMATS, formats_of

        from ..result import held_result

        # Held from before the edits are read: another edit may be adding to them.
        with held_result(self.output) as (result, made):
            wanted = formats_of(sorted({*self.formats, *(result.manifest.formats.keys() & FORMATS.keys())}))
            for one in wanted:
                one.require()
            if self.undo > len(result.edits):
                raise SettingsError(f"--undo {self.undo}: there are {len(result.edits)} edits to take back")
            result = replace(result, edits=result.edits[: len(result.edits) - self.undo])
            new = self._edits(result)
            if not new and not self.undo and not self.formats:
                raise SettingsError("nothing to do: give an edit, as in --rename 1=head, or --formats")
            result = replace(result, edits=(*result.edits, *new))
            terminal, path = Terminal(self.quiet), self.output / FILE
            _Work(self, result, made, terminal).write(wanted)
        count = len(result.edits)
        terminal.say(
            f"{counted(count, 'edit')} in {path}; --undo 1 takes the last one back"
            if count
            else f"{self.output} is as it was found: no edits"
        )

    def _edits(self, result: Result) -> list[PartEdit]:
        """What the command line asks for, in the order of the options."""
        from videoparts.editing.edits import load_edits

        new: list[PartEdit] = []
        edition, coarser = result.edition, result.coarser
        if self.edits is not None:
            given, part_model = load_edits(self.edits)
            if part_model not in (None, result.manifest.part_model.sha256):
                raise SettingsError(
                    f"{self.edits}: these edits are about the parts of another part model; make the masks with the "
                    "same --model-file"
                )
            new += given
            edition = edition.after(given, coarser)
        for make in self._asked():  # one after the other, so that a new name can be used at once
            edit = make(edition.number_of)
            edition = edition.after([edit], coarser)
            new.append(edit)
        return new

    def _asked(self) -> Iterator[Callable[[Callable[[str], int]], PartEdit]]:
        """What makes each edit of the options, once it is told which number a part has."""
        from videoparts.editing.edits import Drop, Merge, Recolor, Rename, Reorder, Smooth, Split

        if (split := self.split) is not None:
            yield lambda number: Split(number(split), self.into)
        for part, name in map(_pair, self.rename):
            yield partial(lambda part, name, number: Rename(number(part), name), part, name)
        for parts, _, name in (one.partition("=") for one in self.merge):
            members = parts.split(",")
            yield partial(lambda members, name, number: Merge(tuple(map(number, members)), name), members, name or None)
        if self.drop:
            yield lambda number: Drop(tuple(map(number, self.drop)))
        for part, colour in map(_pair, self.recolor):
            yield partial(lambda part, colour, number: Recolor(number(part), colour), part, colour)
        if self.reorder:
            yield lambda number: Reorder(tuple(map(number, self.reorder)))
        if (window := self.smooth) is not None:
            yield lambda number: Smooth(window)


class _Work:
    """Writes an edition of a run again."""

    def __init__(self, command: Edit, result: Result, made: Transaction, terminal: Terminal) -> None:
        self._command = command
        self._result = result
        self._made = made
        self._terminal = terminal
        self._clock = StageClock()

    def write(self, formats: Sequence[Format]) -> None:
        """Write all formats, the page if there was one, the edits and the manifest."""
        from ..outputs import LEVELS, PAGE, Outputs
        from ..result import entries_without_pixels, kept_entries

        result, run, manifest = self._result, self._result.run, self._result.manifest
        edition, clock = result.edition, self._clock
        page = PAGE in manifest.formats
        store = run.finer(edition.levels)
        new_level = store.frames < len(manifest.frames)
        pixels = new_level or edition.window or any(one.pixels for one in formats)
        source = self._source() if pixels or (page and not run.clip_path.exists()) else None
        if new_level and source is not None:
            self._make_finer(source, edition)
            store = run.finer(edition.levels)
        like, clip = manifest.source.info(), run.clip_path
        outputs = Outputs(self._made, like, edition, formats, manifest, page=page, clip=clip, clock=clock)
        with outputs, self._terminal.bar("write", len(manifest.frames)) as advance:
            entries = entries_without_pixels(store, manifest) if source is None else kept_entries(store, source)
            outputs.write_all(entries, advance)
        others = {name: paths for name, paths in manifest.formats.items() if name not in outputs.names}
        written = outputs.finish(
            manifest.source, manifest.settings, manifest.part_model, more=others, edits=result.edits
        )
        self._terminal.note(*outputs.notes)
        self._terminal.say(*written.report.lines())
        self._terminal.times(clock, len(manifest.frames))
        self._terminal.say(f"wrote {', '.join(sorted(p for paths in outputs.paths.values() for p in paths))}")
        if (self._command.output / LEVELS).is_dir():
            self._terminal.note(f"{LEVELS}/ stays as it was found: edits are about the parts of {self._command.output}")

    def _source(self) -> Source:
        source = self._result.source(self._command.input)
        self._terminal.note(*source.notes)
        return source

    def _make_finer(self, source: Source, edition: Edition) -> None:
        from ..chain import Chain
        from ..finer import make_finer

        result = self._result
        options = PartOptions(
            source=result.source_settings,
            extractor=result.manifest.part_model.extractor.settings(),
            compute=self._command.compute,
        )
        chain = Chain(options, self._terminal, self._clock)
        make_finer(chain, source, result.run, result.model, edition.levels, result.refine)


def _pair(text: str) -> tuple[str, str]:
    part, found, value = text.partition("=")
    if not found:
        raise SettingsError(f"{text!r} says no part and what it gets; write it as 1=head")
    return part, value

"""``videoparts masks``: one label image a frame."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from videoparts.config import MOST_PARTS
from videoparts.errors import SettingsError

from .options import MaskOptions, Numbers, Output, Quiet
from .terminal import Terminal

LEVELS = "levels"


@dataclass(frozen=True, kw_only=True)
class Masks(MaskOptions):
    """Write one palette PNG a frame into OUTPUT/davis/: 0 is background, 1, 2, ... are parts."""

    input: tyro.conf.Positional[Path]
    """A video file, or a folder of frames."""
    output: Output[Path]
    """The folder to write into; made if missing."""
    levels: Numbers = ()
    """Write the object in so many parts too, as in 2,4,8: into OUTPUT/levels/2/ and so on, from the same pass. The
    parts of a finer level divide those of a coarser one, pixel by pixel."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(not 1 <= level <= MOST_PARTS for level in self.levels):
            raise SettingsError(f"--levels must be 1 to {MOST_PARTS} each, got {','.join(map(str, self.levels))}")

    def run(self) -> None:
        """Run the command."""
        from videoparts.sinks.label_images import LabelImages

        from .chain import AtLevel, Chain, Coverage, colours_of, given_model

        chain = Chain(self, Terminal(self.quiet))
        given = given_model(self)
        source = chain.open(self.input)
        levels = sorted(set(self.levels))
        with ExitStack() as stack:

            def images(folder: Path, **more: Any) -> LabelImages:
                return stack.enter_context(LabelImages(folder, inputs=[self.input], clock=chain.clock, **more))

            main = images(self.output, colours=colours_of(given))
            others = {level: images(self.output / LEVELS, name=str(level)) for level in levels}
            extractor, model = chain.model(self, source, given, levels)
            coverage = Coverage(model)
            finest = model.finer(max([len(model), *levels]))
            sinks = [AtLevel(finest, len(model), (main, coverage))]
            sinks += [AtLevel(finest, level, (sink,)) for level, sink in others.items()]
            chain.label(source, extractor, finest, self.refine, *sinks)
        chain.terminal.say(*coverage.lines())
        chain.terminal.times(chain.clock, coverage.frames)
        chain.terminal.say(f"wrote {coverage.frames} label images to {main.path}")
        if others:
            parts = ", ".join(map(str, others))
            chain.terminal.say(f"wrote as many of {parts} parts to the folders in {self.output / LEVELS}")

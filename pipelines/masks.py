"""``videoparts masks``: one label image a frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from .options import MaskOptions, Output, Quiet
from .terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Masks(MaskOptions):
    """Write one palette PNG a frame into OUTPUT/davis/: 0 is background, 1, 2, ... are parts."""

    input: tyro.conf.Positional[Path]
    """A video file, or a folder of frames."""
    output: Output[Path]
    """The folder to write into; made if missing."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def run(self) -> None:
        """Run the command."""
        from videoparts.sinks.label_images import LabelImages

        from .chain import Chain, colours_of, load_model, run_masks

        chain = Chain(self, Terminal(self.quiet))
        model = load_model(self.model_file)
        source = chain.open(self.input)
        sink = LabelImages(self.output, colours_of(model), inputs=[self.input], clock=chain.clock)
        with sink:
            coverage = run_masks(chain, self, source, model, sink)
        chain.terminal.say(*coverage.lines())
        chain.terminal.times(chain.clock, coverage.frames)
        chain.terminal.say(f"wrote {coverage.frames} label images to {sink.path}")

"""``videoparts overlay``: the clip again, with its parts in colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from videoparts.config import OverlaySettings

from ..options import MaskOptions, Output, Quiet
from ..terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Overlay(MaskOptions):
    """Write the clip again with its parts in colour, sound and times kept."""

    input: tyro.conf.Positional[Path]
    """A video file, or a folder of frames."""
    output: Output[Path]
    """The video to write: .mp4, .mov, .mkv, .webm or .avi."""
    look: OverlaySettings = field(default_factory=OverlaySettings)
    quiet: Quiet = False
    """Say nothing but errors."""

    def run(self) -> None:
        """Run the command."""
        from videoparts.sinks.videos.overlay_video import OverlayVideo

        from ..chain import Chain, colours_of, given_model
        from ..takers import Coverage

        chain = Chain(self, Terminal(self.quiet))
        given = given_model(self)
        source = chain.open(self.input)
        sink = OverlayVideo(
            self.output,
            source.info,
            colours_of(given),
            self.look,
            inputs=[path for path in (self.model_file, self.save_model) if path],
            clock=chain.clock,
        )
        with sink:
            model = chain.model(self, source, given)
            coverage = Coverage(model)
            chain.label(source, chain.extractor(), model, self.refine, sink, coverage)
        chain.terminal.note(*sink.notes)
        chain.terminal.say(*coverage.lines())
        chain.terminal.times(chain.clock, coverage.frames)
        chain.terminal.say(f"wrote {self.output}")

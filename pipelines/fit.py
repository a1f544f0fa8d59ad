"""``videoparts fit``: one part model over several inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from .options import Output, PartOptions, Quiet
from .terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Fit(PartOptions):
    """Learn one part model from several clips and folders, for --model-file of the other commands."""

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Video files and folders of frames."""
    output: Output[Path]
    """The part model to write (.safetensors)."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def run(self) -> None:
        """Run the command."""
        from videoparts.parts import check_model_path

        from .chain import Chain

        chain = Chain(self, Terminal(self.quiet))
        check_model_path(self.output)
        sources = [chain.open(path) for path in self.inputs]
        model = chain.fit(sources, chain.extractor())
        model.save(self.output)
        chain.terminal.times(chain.clock, min(self.fit.frames, sum(s.info.frames or 0 for s in sources)))
        tree = model.tree
        chain.terminal.say(
            f"wrote {self.output}: {len(model)} parts over {len(sources)} inputs",
            f"with --model-file, --parts 1 to {tree.most} cuts it anew without another fit; auto: {tree.sensible()}",
        )

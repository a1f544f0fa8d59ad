"""``videoparts fit``: one part model over several inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..options import Output, PartOptions, Quiet
from ..terminal import Terminal


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
        from videoparts.parts.model import check_model_path
        from videoparts.sampling.sampler import shares
        from videoparts.sources.in_turn import InTurn

        from ..chain import Chain

        chain = Chain(self, Terminal(self.quiet))
        check_model_path(self.output)
        # What cannot be opened is said before anything is learned; then one is open at a time.
        selected = [chain.open(path).info.frames or 0 for path in self.inputs]
        sources = InTurn(self.inputs, chain.open)
        model = chain.fit(sources, chain.extractor())
        model.save(self.output)
        wanted = zip(shares(self.fit, len(sources)), selected, strict=True)
        chain.terminal.times(chain.clock, sum(min(share, count) for share, count in wanted))
        tree, over = model.tree, "one input" if len(sources) == 1 else f"{len(sources)} inputs"
        chain.terminal.say(
            f"wrote {self.output}: {len(model)} parts over {over}",
            f"with --model-file, --parts 1 to {tree.most} cuts it anew without another fit; auto: {tree.sensible()}",
        )

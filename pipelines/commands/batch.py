"""``videoparts batch``: the parts of many clips and folders of frames, in one run that can be killed and goes on."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from ..batches.options import BatchOptions


@dataclass(frozen=True, kw_only=True)
class Batch(BatchOptions):
    """Write the parts of many clips, a folder each, with a page that shows them all.

    Clips that fail do not stop the rest. Whatever stops the run, the same command goes on where it was. The exit status
    is 1 if clips have failed.
    """

    def run(self) -> None:
        """Run the command."""
        from videoparts.files.lock import HOME, only_run_in
        from videoparts.parts.model import hidden_parts
        from videoparts.sinks.formats import formats_of

        from ..batches.engine import engine_of
        from ..batches.run import BatchRun
        from ..other_results import refuse_other_results

        for one in formats_of(self.formats):
            one.require()
        if self.model_file is None and self.fit.parts != "auto":
            hidden_parts(self.fit.parts, self.include, self.exclude)  # or each clip would fail after its fit
        refuse_other_results(self.output, "batch")
        with ExitStack() as stack:
            if not self.dry_run:
                stack.enter_context(only_run_in(self.output / HOME))
            run = BatchRun(self)  # reads the journal, which another run may have written to until now
            engine = stack.enter_context(engine_of(self))
            if self.dry_run:
                run.plan(engine)
            else:
                run.go(engine)

"""``videoparts batch``: the parts of many clips and folders of frames, in one run that can be killed and goes on."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from videoparts.errors import OutputError, SettingsError

from .options import MaskOutputs, Output, Quiet


@dataclass(frozen=True, kw_only=True)
class Batch(MaskOutputs):
    """Write the parts of many clips, a folder each, with a page that shows them all.

    Clips that fail do not stop the rest. Whatever stops the run, the same command goes on where it was. The exit status
    is 1 if clips have failed.
    """

    inputs: tyro.conf.Positional[tuple[str, ...]]
    """Video files, folders of frames, folders of both at any depth, patterns such as '*/*.mp4', and - for a list of
    them on standard input. Or one file jobs.toml, which holds inputs and options."""
    output: Output[Path]
    """The folder to write into; made if missing."""
    shared_parts: bool = False
    """Learn one part model from all clips: a part has the same number, name and colour in each of them. It is kept as
    OUTPUT/parts.safetensors."""
    jobs: int | None = None
    """Clips that are done at a time, each with its share of the cores. Default: one; of several GPUs, one each."""
    engine: Literal["local", "ray"] = "local"
    """local: this machine. ray: a Ray cluster, where long clips are done in pieces; see --address."""
    address: str | None = None
    """Of the Ray cluster, as ray.init takes it: auto, or ray://host:10001. Unset: one that is started on this
    machine."""
    dry_run: bool = False
    """Say what would be done, and about how long it would take; write nothing."""
    redo: bool = False
    """Do every clip again, with these settings, whatever has been done with others."""
    retry_failed: bool = False
    """Take the clips that have failed, and no others."""
    progress: Literal["auto", "json"] = "auto"
    """auto: for people, on standard error. json: a JSON object a line, on standard output."""
    quiet: Quiet = False
    """Say nothing but errors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs is not None and self.jobs < 1:
            raise SettingsError(f"--jobs must be at least 1, got {self.jobs}")
        if self.save_model is not None:
            raise SettingsError("--save-model: a batch keeps its part models by itself; leave it out")
        if self.shared_parts and self.model_file is not None:
            raise SettingsError("--shared-parts learns a model and --model-file has learned one: leave one out")
        if self.fit.object is not None or self.fit.box is not None:
            raise SettingsError(
                "--object and --box mark a place in one clip: use videoparts fit, and --model-file here"
            )
        if self.redo and self.retry_failed:
            raise SettingsError("give --redo or --retry-failed, not both")
        if self.address is not None and self.engine != "ray":
            raise SettingsError("--address is of a Ray cluster: add --engine ray")

    def run(self) -> None:
        """Run the command."""
        from videoparts.files.lock import HOME, only_run_in
        from videoparts.results.manifest import FILE as MANIFEST
        from videoparts.sinks.formats import formats_of

        from .batches.engine import engine_of
        from .batches.run import BatchRun

        for one in formats_of(self.formats):
            one.require()
        if (self.output / MANIFEST).exists():
            raise OutputError(f"{self.output} holds the masks of one clip; choose another folder for many")
        run = BatchRun(self)
        with ExitStack() as stack:
            if not self.dry_run:
                stack.enter_context(only_run_in(self.output / HOME))
            engine = stack.enter_context(engine_of(self))
            if self.dry_run:
                run.plan(engine)
            else:
                run.go(engine)

"""What a batch is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from videoparts.errors import SettingsError

from ..options import MaskOutputs, Output, Quiet


@dataclass(frozen=True, kw_only=True)
class BatchOptions(MaskOutputs):
    """What `videoparts batch` is told: inputs, how they are shared out, and what becomes of those that failed."""

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
    """Do every clip again, with these settings, whatever has been done with others. Frames that are labelled with these
    settings already are not labelled anew."""
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

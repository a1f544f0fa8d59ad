"""Options that several commands share. Their defaults and help texts are `videoparts.config`'s."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from videoparts.config import (
    ComputeSettings,
    ExtractorSettings,
    FitSettings,
    RefineSettings,
    SourceSettings,
)

T = TypeVar("T")

Output = Annotated[T, tyro.conf.arg(aliases=["-o"])]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]


@dataclass(frozen=True)
class PartOptions:
    """How parts are found: what every command that needs a part model takes."""

    source: SourceSettings = field(default_factory=SourceSettings)
    extractor: ExtractorSettings = field(default_factory=ExtractorSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    fit: FitSettings = field(default_factory=FitSettings)


@dataclass(frozen=True)
class MaskOptions(PartOptions):
    """How every frame is labelled, too."""

    refine: RefineSettings = field(default_factory=RefineSettings)
    model_file: Path | None = None
    """Use the parts of this model (.safetensors): the same parts, the same colours."""
    save_model: Path | None = None
    """Keep the part model in this file (.safetensors)."""

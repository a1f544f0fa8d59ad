"""What a run's masks depend on, of what its command line says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videoparts.results.runs import Run, run_key
from videoparts.sources.source_hash import source_sha256

if TYPE_CHECKING:
    from videoparts.parts.model import PartModel

    from .options import MaskOptions

NO_MATTER = (
    *("offline", "batch_size"),  # nothing but the rounding on a GPU, which hangs on what is computed together
    *("timeout", "decoder"),  # how frames are read, not which: where one decoder fails, another may go on
)
"""Options that change no masks, so that a run with others of them goes on with what is labelled."""


def run_settings(options: MaskOptions, given: PartModel | None) -> dict[str, Any]:
    """How frames are seen, where the parts come from and how they are labelled, as JSON has it.

    Which parts are shown, and in which formats, is not of it.

    Args:
        options: of the command.
        given: the part model that it names; None: there will be a new one.
    """
    fit = asdict(options.fit)
    if given is not None:
        assert options.model_file is not None
        fit = {"parts": len(given), "model": source_sha256(options.model_file)}
    compute = {name: str(value) for name, value in asdict(options.compute).items() if name not in NO_MATTER}
    return {
        "extractor": asdict(options.extractor),
        "compute": compute,
        "fit": fit,
        "refine": asdict(options.refine),
    }


def run_of(output: Path, settings: Mapping[str, Any]) -> Run:
    """The run of a clip that keeps its masks in an output folder.

    Args:
        output: the folder.
        settings: of `Masks.settings`.
    """
    source = {name: value for name, value in settings["source"].items() if name not in NO_MATTER}
    about = {**settings, "source": source}
    return Run(output, run_key(about), about)

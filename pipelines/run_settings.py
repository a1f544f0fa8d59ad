"""What a run's masks depend on, of what its command line says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from videoparts.parts.model import PartModel
from videoparts.sources.source_hash import source_sha256

from .options import MaskOptions

# They change nothing in the masks, but for the rounding on a GPU, which hangs on what is computed together.
_NO_MATTER = ("offline", "batch_size")


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
    compute = {name: str(value) for name, value in asdict(options.compute).items() if name not in _NO_MATTER}
    return {
        "extractor": asdict(options.extractor),
        "compute": compute,
        "fit": fit,
        "refine": asdict(options.refine),
    }

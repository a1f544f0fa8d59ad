"""How far a clip of a batch is labelled that has not come to its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videoparts.errors import SourceError
from videoparts.files.lock import HOME
from videoparts.results.runs import Run
from videoparts.sources.source_hash import source_sha256

from .journal import Settings
from .work import SHARED

_OF_NO_OPTION = ("source", "extractor", "compute", "fit", "refine")  # which hold what options say


def frames_begun(output: Path, clip: str, settings: Settings) -> int:
    """How many frames of a clip are labelled with the settings of its batch. Those of others are labelled anew.

    Args:
        output: the folder of the batch.
        clip: the name of the clip.
        settings: of the journal.
    """
    home = output / clip / HOME
    runs = [Run(output / clip, one.name) for one in home.iterdir() if one.is_dir()] if home.is_dir() else []
    return max((run.masks().frames for run in runs if _is_of(run.kept_settings(), output, settings)), default=0)


def _is_of(kept: Mapping[str, Any], output: Path, settings: Settings) -> bool:
    """Whether a run has the settings of a batch, as far as masks depend on them; see `Masks.settings`."""
    try:
        fit = kept["fit"]
        if "model" in fit:
            model = _sha256(output / SHARED) if settings["shared_parts"] else settings["model_file"]
            alike = fit["model"] == model and settings["parts"] in ("auto", fit["parts"])
        else:
            alike = not settings["shared_parts"] and settings["model_file"] is None and _all_in(fit, settings)
        weights = kept["compute"]["weights"]  # a path or "None", of which the journal has the content
        alike &= settings["weights"] == (None if weights == "None" else _sha256(Path(weights)))
        more = {name: value for name, value in kept.items() if name not in _OF_NO_OPTION}
        for one in (more, kept["source"], kept["extractor"], kept["compute"], kept["refine"]):
            alike &= _all_in({name: one[name] for name in one if name not in ("sha256", "weights")}, settings)
    except (LookupError, TypeError, AttributeError):  # nothing is kept, or not by this version
        return False
    return bool(alike)


def _all_in(some: Mapping[str, Any], settings: Settings) -> bool:
    return all(settings[name] == value for name, value in some.items())


def _sha256(path: Path) -> str:
    """Of a file; empty where it is gone."""
    try:
        return source_sha256(path)
    except SourceError:
        return ""

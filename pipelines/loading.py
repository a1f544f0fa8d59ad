"""The extractor of a command, as it is loaded."""

from __future__ import annotations

from collections.abc import Callable

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.vit.extractor import ViTExtractor

from .terminal import Terminal


def loaded(
    extractor: ExtractorSettings,
    compute: ComputeSettings,
    terminal: Terminal,
    load: Callable[[], ViTExtractor] | None = None,
) -> ViTExtractor:
    """The extractor; says where its weights came from.

    Args:
        extractor: which.
        compute: where it computes, and how.
        terminal: is told.
        load: gives one that is there already; None: it is loaded.
    """
    made = ViTExtractor(extractor, compute) if load is None else load()
    terminal.say(f"{extractor.model} from {made.origin}, {made.precision} on {made.device}")
    return made

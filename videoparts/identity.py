"""By what an extractor is known again."""

from __future__ import annotations

from dataclasses import dataclass

from .config import Facet


@dataclass(frozen=True)
class ExtractorIdentity:
    """All that a descriptor depends on, beside the frame. Two extractors of one identity are interchangeable, up to
    the rounding of their precision."""

    model: str  # timm's name
    layer: int  # block, from 0
    facet: Facet
    stride: int
    load_size: int
    binned: bool
    fingerprint: str  # of the weights
    shifted: bool = False  # files of before it do not name it

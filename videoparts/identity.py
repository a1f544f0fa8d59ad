"""By what an extractor is known again."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    shifted: bool = field(default=False, kw_only=True)  # files of before it do not name it
    fingerprint: str  # of the weights

"""By what an extractor is known again."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from .config import ExtractorSettings, Facet


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
    shifted: bool = False

    def settings(self) -> ExtractorSettings:
        """Those of an extractor that has this identity, once it has the same weights."""
        fields = asdict(self)
        del fields["fingerprint"]
        return ExtractorSettings(**fields)

    def to_json(self) -> dict[str, str | int | bool]:
        """For a manifest. ``shifted`` is named where it is so only: manifests of before it are as they would be now."""
        return {name: value for name, value in asdict(self).items() if name != "shifted" or value}

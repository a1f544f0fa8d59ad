"""What an extractor computes, and how: without its weights, which would stay in memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from videoparts.identity import ExtractorIdentity
from videoparts.vit.extractor import ViTExtractor

_NAMES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "int8": "int8"}


@dataclass(frozen=True)
class Used:
    """The settings of an extractor that its speed depends on."""

    identity: ExtractorIdentity
    precision: str  # as --precision names it
    product: str  # of the matrix product that is its limit: with int8, what is not in 8 bits
    batch_size: int
    runtime: str
    device: torch.device

    @classmethod
    def of(cls, extractor: ViTExtractor) -> Used:
        """Those of an extractor."""
        return cls(
            extractor.identity,
            _NAMES[extractor.precision],
            _NAMES[str(extractor.dtype).removeprefix("torch.")],
            extractor.batch_size,
            extractor.runtime,
            extractor.device,
        )

    @property
    def in_short(self) -> str:
        """For a line of a table."""
        runtime = "" if self.runtime == "torch" else f", {self.runtime}"
        stride = f"stride {self.identity.stride}{' shifted' if self.identity.shifted else ''}"
        return f"short side {self.identity.load_size}, {stride}, {self.precision}{runtime}"

    def report(self) -> dict[str, Any]:
        """For JSON."""
        how = {"precision": self.precision, "batch_size": self.batch_size, "runtime": self.runtime}
        return {**asdict(self.identity), **how}

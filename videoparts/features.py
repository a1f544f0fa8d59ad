"""What an extractor is, and what it gives for some frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from .frames import Pixels
from .grid import Grid
from .identity import ExtractorIdentity


@dataclass(frozen=True, eq=False, repr=False)
class Features:
    """Descriptors of N frames, and where the [CLS] token of the last block looks."""

    descriptors: torch.Tensor  # (N, h, w, D) float32, unit length
    grid: Grid  # where the h x w patches lie
    attention: torch.Tensor | None = None  # (N, heads, h, w) float32: each head's [CLS] attention
    tokens: torch.Tensor | None = None  # (N, h, w, D2) float32: outputs of two blocks, each unit length, side by side

    def __post_init__(self) -> None:
        shape = self.descriptors.shape
        if len(shape) != 4 or shape[1:3] != (self.grid.rows, self.grid.columns):
            raise ValueError(f"descriptors must be (N, {self.grid.rows}, {self.grid.columns}, D), got {tuple(shape)}")
        if self.attention is not None and self.attention.shape[::2] != (shape[0], shape[1]):
            raise ValueError(f"attention {tuple(self.attention.shape)} does not fit descriptors {tuple(shape)}")
        if self.tokens is not None and self.tokens.shape[:3] != shape[:3]:
            raise ValueError(f"tokens {tuple(self.tokens.shape)} do not fit descriptors {tuple(shape)}")

    def __len__(self) -> int:
        return len(self.descriptors)

    def __getitem__(self, some: slice) -> Features:
        """Those of some of the frames. Nothing is copied."""
        attention = None if self.attention is None else self.attention[some]
        tokens = None if self.tokens is None else self.tokens[some]
        return Features(self.descriptors[some], self.grid, attention, tokens)

    @classmethod
    def joined(cls, each: Sequence[Features]) -> Features:
        """Descriptors, and tokens if all have them, of frames of one size after each other. There is one at least."""
        tokens = [one.tokens for one in each if one.tokens is not None]
        together = torch.cat(tokens) if len(tokens) == len(each) else None
        return cls(torch.cat([one.descriptors for one in each]), each[0].grid, tokens=together)

    def __repr__(self) -> str:
        attention = None if self.attention is None else tuple(self.attention.shape)
        tokens = None if self.tokens is None else tuple(self.tokens.shape)
        return (
            f"Features(descriptors={tuple(self.descriptors.shape)}, attention={attention}, tokens={tokens}, "
            f"grid={self.grid})"
        )


class Extractor(Protocol):
    """What the stages need of an extractor; `videoparts.vit.extractor.ViTExtractor` is the one there is.

    Anything else that gives unit vectors of patches can take its place, such as one that knows the answer, in a test.
    """

    @property
    def identity(self) -> ExtractorIdentity:
        """All that its descriptors depend on."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes, and where its features are."""
        ...

    @property
    def batch_size(self) -> int:
        """Frames that it likes to be given together."""
        ...

    def grid(self, size: tuple[int, int]) -> Grid:
        """Where the patches lie for frames of ``size`` (height, width)."""
        ...

    def afar(self) -> Extractor | None:
        """The same, but it takes frames half as large; None: it cannot."""
        ...

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        """Features of frames (N, H, W, 3) uint8; with the attention of the last block, and with the tokens that a
        probe reads, where these are asked for."""
        ...

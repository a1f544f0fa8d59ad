"""What the extractor gives for some frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .grid import Grid


@dataclass(frozen=True, repr=False)
class Features:
    """Descriptors of N frames, and where the [CLS] token of the last block looks."""

    descriptors: torch.Tensor  # (N, h, w, D) float32, unit length
    grid: Grid  # where the h x w patches lie
    attention: torch.Tensor | None = None  # (N, heads, h, w) float32: each head's [CLS] attention

    def __post_init__(self) -> None:
        shape = self.descriptors.shape
        if len(shape) != 4 or shape[1:3] != (self.grid.rows, self.grid.columns):
            raise ValueError(f"descriptors must be (N, {self.grid.rows}, {self.grid.columns}, D), got {tuple(shape)}")
        if self.attention is not None and self.attention.shape[::2] != (shape[0], shape[1]):
            raise ValueError(f"attention {tuple(self.attention.shape)} does not fit descriptors {tuple(shape)}")

    def __len__(self) -> int:
        return len(self.descriptors)

    def __repr__(self) -> str:
        attention = None if self.attention is None else tuple(self.attention.shape)
        return f"Features(descriptors={tuple(self.descriptors.shape)}, attention={attention}, grid={self.grid})"

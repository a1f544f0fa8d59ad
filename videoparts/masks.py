"""The labels of some frames, with the frames they belong to."""

from __future__ import annotations

from dataclasses import dataclass

from .frames import FrameBatch, Pixels


@dataclass(frozen=True, repr=False)
class PartMasks:
    """Labels at the full size of their frames. **0 is background, 1..P are parts.**"""

    frames: FrameBatch
    labels: Pixels  # (N, H, W) uint8

    def __post_init__(self) -> None:
        wanted = (len(self.frames), *self.frames.size)
        if self.labels.shape != wanted or self.labels.dtype.name != "uint8":
            raise ValueError(f"labels must be {wanted} uint8, got {self.labels.shape} {self.labels.dtype}")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"PartMasks(labels={self.labels.shape}, frames={self.frames!r})"

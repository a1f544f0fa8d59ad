"""Features of frames that were met already, within a fixed budget of memory."""

from __future__ import annotations

from pathlib import Path

import torch


class FeatureCache:
    """Keeps descriptors of single frames, first come first kept, until its budget is used up.

    A frame that pass 1 sampled comes again in pass 2; a short clip is sampled whole.

    Args:
        budget: bytes that may be kept.
    """

    def __init__(self, budget: int = 256 << 20) -> None:
        self._left = budget
        self._kept: dict[tuple[Path, int], torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, path: Path, index: int, descriptors: torch.Tensor) -> None:
        """Keep the descriptors (h, w, D) of frame ``index`` of a source, where there is room."""
        size = descriptors.numel() * descriptors.element_size()
        if size <= self._left and (path, index) not in self._kept:
            self._kept[path, index] = descriptors.clone()
            self._left -= size

    def get(self, path: Path, index: int) -> torch.Tensor | None:
        """What was kept of that frame, None where nothing was."""
        return self._kept.get((path, index))

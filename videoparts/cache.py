"""Features of frames that were met already, within a fixed budget of memory."""

from __future__ import annotations

import threading
from pathlib import Path

from .features import Features


class FeatureCache:
    """Keeps the features of single frames, first come first kept, until its budget is used up.

    A frame that pass 1 sampled comes again in pass 2; a short clip is sampled whole. Several threads may use it.

    Args:
        budget: bytes that may be kept.
    """

    def __init__(self, budget: int = 256 << 20) -> None:
        self._left = budget
        self._kept: dict[tuple[Path, int], Features] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, path: Path, index: int, features: Features) -> None:
        """Keep the descriptors and tokens of frame ``index`` of a source, where there is room.

        ``features`` are of that frame alone, and not to be changed afterwards.
        """
        tensors = [t for t in (features.descriptors, features.tokens) if t is not None]
        size = sum(t.numel() * t.element_size() for t in tensors)
        with self._lock:
            if size > self._left or (path, index) in self._kept:
                return
            # A frame that was extracted alone needs no copy; a view would keep its whole batch.
            descriptors, *tokens = (t if t.untyped_storage().nbytes() == t.nbytes else t.clone() for t in tensors)
            self._kept[path, index] = Features(descriptors, features.grid, tokens=tokens[0] if tokens else None)
            self._left -= size

    def get(self, path: Path, index: int) -> Features | None:
        """What was kept of that frame, None where nothing was."""
        return self._kept.get((path, index))

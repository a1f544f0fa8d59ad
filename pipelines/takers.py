"""What takes masks besides the sinks of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np

from videoparts.frames import Pixels
from videoparts.masks import PartMasks
from videoparts.parts.model import PartModel


class Sink(Protocol):
    """What takes masks, frame after frame."""

    def write(self, masks: PartMasks) -> None:
        """Take the masks of the next frames."""
        ...


@dataclass(frozen=True)
class AtLevel:
    """Gives sinks the masks of a coarser level of the same tree of parts."""

    fine: PartModel  # whose masks come, with the parts that it hides
    level: int  # parts that the sinks are given
    sinks: Sequence[Sink]

    def write(self, masks: PartMasks) -> None:
        """Take the masks of the next frames."""
        masks = PartMasks(masks.frames, self._numbers[masks.labels])
        for sink in self.sinks:
            sink.write(masks)

    @cached_property
    def _numbers(self) -> Pixels:
        """The coarser label of each finer one; 0 of those that are hidden."""
        within = self.fine.tree.coarser(len(self.fine), self.level)
        numbers = [0 if k in self.fine.hidden else part for k, part in enumerate(within, start=1)]
        return np.array([0, *numbers], dtype=np.uint8)


class Coverage:
    """A sink that counts how much of a clip each part covers."""

    def __init__(self, parts: PartModel) -> None:
        self._parts = parts
        self._pixels = np.zeros(len(parts) + 1, dtype=np.int64)
        self._present = np.zeros(len(parts) + 1, dtype=np.int64)
        self.frames = 0

    def write(self, masks: PartMasks) -> None:
        """Count the labels of some frames."""
        for one in masks.labels:
            # In half to a sixth of the time that NumPy's own count takes.
            count = cv2.calcHist([one], [0], None, [len(self._pixels)], [0, len(self._pixels)]).ravel().astype(np.int64)
            self._pixels += count
            self._present += count > 0
            self.frames += 1

    def lines(self) -> list[str]:
        """A table for people: a line for each part that is shown."""
        share = self._pixels / max(1, self._pixels.sum())
        found = int((self._present[1:] > 0).sum())
        shown = {k: name for k, name in enumerate(self._parts.names, start=1) if k not in self._parts.hidden}
        head = f"{found} of {len(shown)} parts found, on {1 - share[0]:.1%} of the picture"
        rows = [
            f"  {k} {name:<12}{share[k]:7.1%} of the picture, in {self._present[k]} of {self.frames} frames"
            for k, name in shown.items()
        ]
        return [head, *rows]

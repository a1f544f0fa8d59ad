"""Frames without their black bars on the way in, masks of whole frames on the way out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .active_area import ActiveArea
from .frames import FrameBatch, Pixels
from .masks import PartMasks


class Cropping:
    """Cuts frames to their active area, and remembers the whole ones until their masks are there.

    Args:
        area: None: frames and masks stay as they are.
    """

    def __init__(self, area: ActiveArea | None) -> None:
        self._area = area
        self._waiting: dict[int, Pixels] = {}  # (H, W, 3) by index

    def cropped(self, batch: FrameBatch) -> FrameBatch:
        """Frames to work on."""
        if self._area is None:
            return batch
        self._waiting.update(zip(batch.index.tolist(), batch.pixels, strict=True))
        return self._area.cropped(batch)

    def whole(self, masks: PartMasks) -> PartMasks:
        """The masks of such frames, however they are put together now, on the whole ones. Each frame's are given
        once."""
        if self._area is None:
            return masks
        pixels = np.stack([self._waiting.pop(index) for index in masks.frames.index.tolist()])
        return padded(masks, replace(masks.frames, pixels=pixels), self._area)


def cropped(masks: PartMasks) -> PartMasks:
    """Masks and their frames, cut to their active area."""
    area = masks.active_area
    if area is None:
        return masks
    return replace(
        masks,
        frames=area.cropped(masks.frames),
        labels=area.of_planes(masks.labels),
        matte=None if masks.matte is None else area.of_planes(masks.matte),
        mattes=None if masks.mattes is None else area.of_planes(masks.mattes),
        active_area=None,
    )


def padded(masks: PartMasks, frames: FrameBatch, area: ActiveArea) -> PartMasks:
    """Masks of an area on the whole frames: beside it all is background."""
    return replace(
        masks,
        frames=frames,
        labels=area.padded(masks.labels, frames.size),
        matte=None if masks.matte is None else area.padded(masks.matte, frames.size),
        mattes=None if masks.mattes is None else area.padded(masks.mattes, frames.size),
        active_area=area,
    )

"""From the masks that a run has found to those that edits make of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from .edits import Edition
from .frames import FrameBatch, Pixels
from .masks import PartMasks
from .mattes import agreeing_matte, part_mattes

if TYPE_CHECKING:
    from torch import Tensor

Small = npt.NDArray[np.float32]

_ROWS = 240  # pixels on the short side of the pictures on which averages are made
_NOBODY = 255  # stands for all parts that are not shown, while mattes are shared out


def edited(masks: PartMasks, edition: Edition, *, mattes: bool) -> PartMasks:
    """What an edition shows of masks, whose labels are those of its finest level. It does not smooth.

    Args:
        masks: with `PartMasks.matte` if mattes are wanted.
        edition: what the labels mean.
        mattes: also give `PartMasks.mattes`. Parts that are not shown pass into those that are, as all parts do.
    """
    labels = edition.labels(masks.labels)
    if not mattes:
        return PartMasks(masks.frames, labels)
    assert masks.matte is not None
    numbers = [part.number for part in edition.parts]
    planes = []
    for given, matte, mine in zip(masks.labels, masks.matte, labels, strict=True):
        planes.append(part_mattes(matte, np.where((given > 0) & (mine == 0), _NOBODY, mine).astype(np.uint8), numbers))
    return PartMasks(masks.frames, labels, mattes=np.stack(planes))


def smoothed(items: Iterable[PartMasks], edition: Edition) -> Iterator[PartMasks]:
    """Average what the parts cover with the frames around, along the flow, so that labels do not flicker.

    Averages are made on small pictures. What they differ by from the frame's own small picture is what changes in its
    mattes: fine outlines stay where they are.

    Args:
        items: what `edited` gave, with mattes, in order.
        edition: its window says how many frames are averaged; 0: nothing changes.
    """
    if not edition.window:
        yield from items
        return
    from .window import windowed  # loads torch, which no other edit needs

    numbers = np.array([0, *(part.number for part in edition.parts)], dtype=np.uint8)
    waiting: deque[tuple[PartMasks, Small]] = deque()

    def scored() -> Iterator[tuple[FrameBatch, Tensor]]:
        from torch import from_numpy

        for masks in items:
            assert masks.mattes is not None
            small = np.stack([_small(planes) for planes in masks.mattes])
            waiting.append((masks, small))
            yield masks.frames, from_numpy(small)

    with closing(windowed(scored(), edition.window)) as averaged:
        for _, scores in averaged:
            masks, small = waiting.popleft()
            assert masks.mattes is not None
            each = zip(masks.mattes, scores.numpy() - small, strict=True)
            labels, mattes = zip(*(_changed(planes, by, numbers) for planes, by in each), strict=True)
            yield PartMasks(masks.frames, np.stack(labels), mattes=np.stack(mattes))


def _small(mattes: Pixels) -> Small:
    """Mattes (K, H, W) as shares (K, y, x) float32 on a picture of at most `_ROWS` pixels on the short side."""
    height, width = mattes.shape[1:]
    scale = min(1.0, _ROWS / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    planes = [np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.float32) for plane in mattes]
    return np.asarray(np.stack(planes) / 255, dtype=np.float32)


def _changed(mattes: Pixels, by: Small, numbers: npt.NDArray[np.uint8]) -> tuple[Pixels, Pixels]:
    """Labels (H, W) and mattes (K, H, W) of one frame after its mattes have changed by shares (K, y, x)."""
    size = mattes.shape[2], mattes.shape[1]
    sums = np.stack([plane + 255 * cv2.resize(change, size) for plane, change in zip(mattes, by, strict=True)])
    sums = np.asarray(sums.clip(0, 255), dtype=np.float32)
    whole = np.rint(sums.sum(0)).clip(0, 255).astype(np.uint8)
    labels = numbers[np.where(whole > 127, sums.argmax(0) + 1, 0)]
    whole = agreeing_matte(whole, labels, labels)
    return labels, part_mattes(whole, labels, numbers[1:].tolist())

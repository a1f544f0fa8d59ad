"""From the masks that a run has found to those that edits make of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

import numpy as np
import torch

from .edits import Edition
from .frames import FrameBatch, Pixels
from .masks import PartMasks
from .mattes import part_mattes
from .window import windowed

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
    """Average the mattes of each frame with those of the frames around it, along the flow; labels are made of them.

    Args:
        items: what `edited` gave, with mattes, in order.
        edition: its window says how many frames are averaged.

    Yields:
        Labels where the parts together cover more than half of a pixel, and mattes.
    """
    if not edition.window:
        yield from items
        return
    numbers = np.array([0, *(part.number for part in edition.parts)], dtype=np.uint8)

    def scored() -> Iterator[tuple[FrameBatch, torch.Tensor]]:
        for masks in items:
            assert masks.mattes is not None
            yield masks.frames, torch.from_numpy(masks.mattes.astype(np.float32))

    with closing(windowed(scored(), edition.window)) as averaged:
        for frames, scores in averaged:
            mattes = _whole_numbers(scores.numpy())
            some = mattes.sum(1, dtype=np.int64) > 127
            yield PartMasks(frames, numbers[np.where(some, mattes.argmax(1) + 1, 0)], mattes=mattes)


def _whole_numbers(mattes: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Pixels:
    """Mattes (N, K, H, W) rounded so that their sums stay what they are, but for rounding, and at most 255."""
    running = np.rint(mattes.cumsum(1)).clip(0, 255)
    return np.asarray(np.diff(running, axis=1, prepend=0), dtype=np.uint8)

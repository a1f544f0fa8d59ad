"""From the masks that a run has found to those that edits make of them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing

import cv2
import numpy as np
import numpy.typing as npt

from ..cropping import cropped, padded
from ..frames import Pixels
from ..masks import PartMasks
from ..refine.mattes import agree_without_others, agreeing_matte, part_mattes
from ..stream import close, prefetch
from .edits import Edition

Small = npt.NDArray[np.float32]

_LEAST_CHANGE = 1 / 512  # of a share: less than rounding
_ROWS = 240  # pixels on the short side of the pictures on which averages are made
_NOBODY = 255  # stands for all parts that are not shown, while mattes are shared out


def edited(masks: PartMasks, edition: Edition, *, mattes: bool) -> PartMasks:
    """What an edition shows of masks, whose labels are those of its finest level. It does not smooth.

    Args:
        masks: with `PartMasks.matte` if mattes are wanted.
        edition: what the labels mean.
        mattes: also give `PartMasks.mattes`. Parts that are not shown pass into those that are, as all parts do.
            What is shown is above 127 together just where there is a label, whose part has the most of it.
    """
    labels = edition.labels(masks.labels)
    if not mattes:
        return PartMasks(masks.frames, labels, active_area=masks.active_area)
    assert masks.matte is not None
    numbers = [part.number for part in edition.parts]
    planes = []
    for given, matte, mine in zip(masks.labels, masks.matte, labels, strict=True):
        hidden = (given > 0) & (mine == 0)
        shared = part_mattes(matte, np.where(hidden, _NOBODY, mine).astype(np.uint8), numbers)
        if hidden.any():
            agree_without_others(shared, mine, numbers)
        planes.append(shared)
    return PartMasks(masks.frames, labels, mattes=np.stack(planes), active_area=masks.active_area)


def smoothed(items: Iterable[PartMasks], edition: Edition) -> Generator[PartMasks, None, None]:
    """Average what the parts cover with the frames around, along the flow, so that labels do not flicker.

    Averages are made on small pictures. What they differ by from the frame's own small picture is what changes in its
    mattes: fine outlines stay where they are.

    Args:
        items: what `edited` gave, with mattes, in order. Drawn and closed here, maybe in another thread: the caller
            closes what this gives instead.
        edition: its window says how many frames are averaged; 0: nothing changes.
    """
    if edition.window:
        with closing(prefetch(_averaged(items, edition))) as averaged:
            yield from averaged
        return
    try:
        yield from items
    finally:
        close(items)


def _averaged(items: Iterable[PartMasks], edition: Edition) -> Iterator[PartMasks]:
    from torch import device, from_numpy  # takes its time, and no other edit needs it

    from ..devices import on_all_cores
    from ..flow.linked import linked
    from ..flow.scored import Scored
    from ..flow.window import windowed

    numbers = np.array([0, *(part.number for part in edition.parts)], dtype=np.uint8)
    # Of the frames in between, by the index of the first of a batch: masks, the same of the active area, and shares.
    taken: dict[int, tuple[PartMasks, PartMasks, Small]] = {}

    def scored() -> Iterator[Scored]:
        try:
            pairs = ((masks, cropped(masks)) for masks in items)  # bars would hide a cut
            with closing(linked(pairs, lambda pair: pair[1].frames)) as together:
                for (masks, inner), links in together:
                    assert inner.mattes is not None
                    small = np.stack([_small(planes) for planes in inner.mattes])
                    taken[int(masks.frames.index[0])] = masks, inner, small
                    yield Scored(inner.frames, links, from_numpy(small))
        finally:
            close(items)

    def changed(averages: Scored) -> PartMasks:
        masks, inner, small = taken.pop(int(averages.frames.index[0]))
        assert inner.mattes is not None
        each = zip(inner.mattes, averages.scores.numpy() - small, strict=True)
        labels, mattes = zip(*(_changed(planes, by, numbers) for planes, by in each), strict=True)
        found = PartMasks(inner.frames, np.stack(labels), mattes=np.stack(mattes))
        return found if masks.active_area is None else padded(found, masks.frames, masks.active_area)

    with ExitStack() as stack:
        averages = stack.enter_context(closing(windowed(prefetch(scored()), edition.window)))
        yield from stack.enter_context(closing(on_all_cores(changed, averages, device("cpu"))))


def _small(mattes: Pixels) -> Small:
    """Mattes (K, H, W) as shares (K, y, x) float32 on a picture of at most `_ROWS` pixels on the short side."""
    height, width = mattes.shape[1:]
    scale = min(1.0, _ROWS / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    planes = [np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.float32) for plane in mattes]
    return np.asarray(np.stack(planes) / 255, dtype=np.float32)


def _changed(mattes: Pixels, by: Small, numbers: npt.NDArray[np.uint8]) -> tuple[Pixels, Pixels]:
    """Labels (H, W) and mattes (K, H, W) of one frame after its mattes have changed by shares (K, y, x)."""
    height, width = mattes.shape[1:]
    labels = np.zeros((height, width), np.uint8)
    # Worked out where there is a part, before or after.
    map_down, map_right = by.shape[1] / height, by.shape[2] / width
    there = np.abs(by).max(0) > _LEAST_CHANGE
    there |= cv2.resize(mattes.max(0), there.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    left, top, wide, high = cv2.boundingRect(there.view(np.uint8))
    if not wide:
        return labels, np.zeros_like(mattes)
    small = np.s_[max(0, top - 1) : top + high + 1, max(0, left - 1) : left + wide + 1]
    box = np.s_[
        round(small[0].start / map_down) : min(height, round(min(small[0].stop, by.shape[1]) / map_down)),
        round(small[1].start / map_right) : min(width, round(min(small[1].stop, by.shape[2]) / map_right)),
    ]
    size = box[1].stop - box[1].start, box[0].stop - box[0].start
    each = zip(mattes[:, box[0], box[1]], by[:, small[0], small[1]], strict=True)
    sums = np.stack([plane + 255 * cv2.resize(change, size) for plane, change in each]).clip(0, 255)
    whole = np.rint(sums.sum(0)).clip(0, 255).astype(np.uint8)
    labels[box] = numbers[np.where(whole > 127, sums.argmax(0) + 1, 0)]
    matte = np.zeros_like(labels)
    matte[box] = whole
    matte = agreeing_matte(matte, labels, labels)
    return labels, part_mattes(matte, labels, numbers[1:].tolist())

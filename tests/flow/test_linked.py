"""Frames are linked once, whatever the batches."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from moving import coloured, moved, texture

from videoparts.clock import StageClock
from videoparts.flow import linked as module
from videoparts.flow.linked import linked
from videoparts.flow.links import Link, link
from videoparts.frames import FrameBatch, Pixels
from videoparts.luma import small_luma

PIXELS = np.stack([coloured(moved(texture(0, 64, 96), 2 * i, 0)) for i in range(7)])


def batches(size: int) -> Iterator[FrameBatch]:
    for at in range(0, len(PIXELS), size):
        some = np.arange(at, min(at + size, len(PIXELS)))
        yield FrameBatch(PIXELS[some], some, some.copy(), Fraction(1, 25))


def same(one: Link | None, other: Link | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one.forward, other.forward) and np.array_equal(one.backward_trust, other.backward_trust))


@pytest.mark.parametrize("size", [1, 2, 3, 64])
@pytest.mark.parametrize("threads", [1, 3])
def test_each_frame_has_its_link_to_the_one_before(size: int, threads: int) -> None:
    torch.set_num_threads(threads)
    try:
        found = list(linked(batches(size), lambda batch: batch))
    finally:
        torch.set_num_threads(1)
    assert [len(links) for _, links in found] == [len(batch) for batch, _ in found]
    assert np.concatenate([batch.index for batch, _ in found]).tolist() == list(range(7))
    lumas = [small_luma(pixels) for pixels in PIXELS]
    wanted = [None, *(link(lumas[i - 1], lumas[i]) for i in range(1, 7))]
    assert all(same(a, b) for a, b in zip((one for _, links in found for one in links), wanted, strict=True))


def test_each_pair_is_linked_once_and_its_time_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs: list[tuple[Pixels, Pixels]] = []

    def counting(earlier: Pixels, later: Pixels) -> Link:
        pairs.append((earlier, later))
        return link(earlier, later)

    monkeypatch.setattr(module, "link", counting)
    clock = StageClock()
    assert len(list(linked(batches(3), lambda batch: batch, clock))) == 3
    assert len(pairs) == 6
    assert set(clock.seconds) == {"link"}


def test_few_frames_are_drawn_ahead() -> None:
    drawn = 0

    def counted() -> Iterator[FrameBatch]:
        nonlocal drawn
        for batch in batches(1):
            drawn += 1
            yield batch

    torch.set_num_threads(2)
    try:
        items = linked(counted(), lambda batch: batch)
        for given in range(1, 8):
            next(items)
            assert drawn <= given + 2
        items.close()
    finally:
        torch.set_num_threads(1)


def test_an_error_is_passed_on_after_what_came_before() -> None:
    def source() -> Iterator[FrameBatch]:
        yield from batches(2)
        raise OSError("no more")

    items = linked(source(), lambda batch: batch)
    assert [len(next(items)[0]) for _ in range(4)] == [2, 2, 2, 1]
    with pytest.raises(OSError, match="no more"):
        next(items)

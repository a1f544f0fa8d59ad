"""Frames with their links to the frames before them, made once for all who need them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

import torch

from ..clock import StageClock
from ..devices import on_all_cores
from ..frames import FrameBatch, Pixels
from ..luma import small_luma
from .links import Link, Links, link

T = TypeVar("T")


def linked(
    items: Iterable[T], frames: Callable[[T], FrameBatch], clock: StageClock | None = None
) -> Generator[tuple[T, Links], None, None]:
    """Items in order, each with the links of its frames. Some are linked at a time, on all cores.

    Args:
        items: what has frames; closing them is the caller's.
        frames: which those are.
        clock: counts the time of linking, as "link".
    """
    clock = clock or StageClock()

    def work(pair: tuple[Pixels | None, Pixels]) -> Link | None:
        before, here = pair
        with clock.stage("link"):
            return None if before is None else link(before, here)

    drawn: list[T] = []  # whose frames are being linked

    def lumas() -> Iterator[tuple[Pixels | None, Pixels]]:
        last: Pixels | None = None
        for item in items:
            drawn.append(item)
            for pixels in frames(item).pixels:
                with clock.stage("link"):
                    here = small_luma(pixels)
                yield last, here
                last = here

    found: list[Link | None] = []
    with closing(on_all_cores(work, lumas(), torch.device("cpu"))) as links:
        for one in links:
            found.append(one)
            if len(found) == len(frames(drawn[0])):
                yield drawn.pop(0), tuple(found)
                found = []

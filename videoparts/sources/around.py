"""Sampled frames together with the frames before and after them: what motion is measured on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from ..active_area import ActiveArea
from ..frames import FrameBatch, Pixels
from .selection import spread

Read = Callable[[Sequence[int], int], Generator[FrameBatch, None, None]]


@dataclass(frozen=True, eq=False, repr=False)
class Neighbourhood:
    """One sampled frame, and the selected frames next to it."""

    frame: FrameBatch  # of one frame
    before: Pixels | None  # (H, W, 3) uint8; None at the start, and where that frame cannot be decoded
    after: Pixels | None
    marked: bool = False  # whether it is the frame that was asked for beside the sampled ones

    def cropped(self, area: ActiveArea) -> Neighbourhood:
        """All of them, cut to their active area."""
        before, after = (None if some is None else area.of_frames(some) for some in (self.before, self.after))
        return Neighbourhood(area.cropped(self.frame), before, after, self.marked)


def neighbourhoods(
    read: Read, selected: range, count: int, marked: int | None = None, *, beside: bool = True, among: int = 1
) -> Generator[Neighbourhood, None, None]:
    """At most ``count`` of the ``selected`` positions, as `spread` picks them, each with its neighbours if ``beside``.

    They are picked among every so many.

    The position ``marked`` comes beside them, if it is not one of them.

    Every frame is decoded once, and four at most are held. ``read`` gives batches of frames at increasing positions,
    and leaves out what it cannot decode.
    """
    wanted = set(spread(selected[::among], count)) | ({marked} if marked is not None else set())
    step = selected.step
    around = (-step, 0, step) if beside else (0,)
    positions = sorted({w + offset for w in wanted for offset in around if w + offset in selected})
    held: dict[int, FrameBatch] = {}

    def neighbourhood(at: int) -> Neighbourhood:
        before, after = (held.get(at - step), held.get(at + step)) if beside else (None, None)
        return Neighbourhood(
            held[at],
            None if before is None else before.pixels[0],
            None if after is None else after.pixels[0],
            at == marked,
        )

    waiting: list[int] = []  # sampled positions whose next frame has not come yet
    for batch in read(positions, 1):
        at = int(batch.index[0])
        held[at] = batch
        while waiting and waiting[0] + step <= at:
            yield neighbourhood(waiting.pop(0))
        if at in wanted:
            waiting.append(at)
        oldest = (waiting[0] if waiting else at) - step
        for old in [p for p in held if p < oldest]:
            del held[old]
    for at in waiting:
        yield neighbourhood(at)

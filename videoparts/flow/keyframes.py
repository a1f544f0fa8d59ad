"""Which frames of a clip the ViT has to see, where the scores of those between are carried to them.

Every n-th frame is a regular key frame, and so are the first and the last frame of a clip, and those before and after a
cut. Stretches between two regular key frames hang on nothing else, so that a run that begins at one has the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

import torch

from ..frames import FrameBatch, VideoInfo
from .links import Link

_HELD = 128 << 20  # bytes of frames between two key frames: large frames have them closer together
_AT_WORK = 1 << 30  # bytes of frames that are waited for or worked on, about
_STAGES = 3  # that work side by side, those of `carrying.carried` or of `segment`


def interval(every: int, info: VideoInfo, device: torch.device | None = None) -> int:
    """How many frames lie from one regular key frame to the next, given how many are wished for.

    On a GPU every second one is as every one: it sees many at a time, and key frames one by one.

    >>> from fractions import Fraction
    >>> hd, uhd = (VideoInfo("", y, x, None, Fraction(1), Fraction(25)) for y, x in ((1080, 1920), (2160, 3840)))
    >>> interval(8, hd), interval(8, uhd), interval(1, uhd)
    (8, 5, 1)
    >>> [interval(every, hd, torch.device(name)) for name in ("cpu", "cuda") for every in (2, 7)]
    [2, 7, 1, 7]
    """
    apart = max(1, min(every, _HELD // (info.height * info.width * 3)))
    return 1 if apart == 2 and device is not None and device.type == "cuda" else apart


def at_a_time(frames: int, info: VideoInfo) -> int:
    """How many stretches or batches of so many frames each stage may work on, whatever the number of cores, so that
    memory is bounded.

    >>> from fractions import Fraction
    >>> hd, uhd = (VideoInfo("", y, x, None, Fraction(1), Fraction(25)) for y, x in ((1080, 1920), (2160, 3840)))
    >>> at_a_time(8, hd), at_a_time(5, uhd)
    (7, 2)
    """
    return max(1, _AT_WORK // (_STAGES * frames * info.height * info.width * 3))


def surrounding(first: int, stop: int | None, every: int) -> tuple[int, int | None]:
    """What the frames from ``first`` on and before ``stop`` hang on: the stretches that they lie in, and one more on
    both sides. Numbered alike; not beyond the first frame, but maybe beyond the last. Where the last of these cannot be
    decoded, a run of the whole clip takes the one after it for a key frame instead, which is not among these.

    >>> surrounding(11, 17, 8), surrounding(8, 9, 8), surrounding(11, None, 8), surrounding(11, 17, 1)
    ((0, 25), (0, 17), (0, None), (11, 17))
    """
    if every == 1:
        return first, stop
    begin = max(0, first // every - 1) * every
    return begin, None if stop is None else (-(-(stop - 1) // every) + 1) * every + 1


@dataclass(frozen=True, repr=False)
class Stretch:
    """The frames after one regular key frame, up to the next, which is the last of them."""

    frames: Sequence[FrameBatch]  # of one frame each
    links: Sequence[Link | None]  # of each with the one before; None: there is none, and this frame is alone here

    @property
    def is_alone(self) -> bool:
        """Whether it is one frame that does not go on from the one before."""
        return self.links[0] is None or self.links[0].cut


def stretches(
    items: Iterable[tuple[FrameBatch, Link | None]], every: int, place: Callable[[int], int]
) -> Generator[Stretch, None, None]:
    """Cut a clip at its regular key frames.

    Args:
        items: frames in order, each with its link to the one before it.
        every: frames from one regular key frame to the next.
        place: of a frame, by its index: its number among the selected ones. Where a frame is missing, the next one
            takes its place.
    """
    frames: list[FrameBatch] = []
    links: list[Link | None] = []
    last: int | None = None
    for frame, link in items:
        begins = link is None or link.cut
        if begins and frames:
            yield Stretch(frames, links)
            frames, links = [], []
        frames.append(frame)
        links.append(link)
        block = place(int(frame.index[0])) // every
        if begins or block != last:
            yield Stretch(frames, links)
            frames, links = [], []
        last = block
    if frames:
        yield Stretch(frames, links)

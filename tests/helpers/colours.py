"""A clip whose right parts are known, a source that holds it, and an extractor whose descriptor is the colour."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from copy import copy
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from videoparts.active_area import ActiveArea
from videoparts.features import Features
from videoparts.frames import FrameBatch, Pixels, VideoInfo
from videoparts.grid import Grid
from videoparts.identity import ExtractorIdentity
from videoparts.sources.around import Neighbourhood, neighbourhoods
from videoparts.sources.black_bars import active_area
from videoparts.sources.selection import seen_at
from videoparts.vit.descriptors import unit_length

GREY = (128, 128, 128)
STRIPES = ((220, 40, 40), (40, 200, 60), (50, 60, 220))


def truth(i: int, height: int = 96, width: int = 160) -> Pixels:
    """Labels (height, width) of frame ``i``: three stripes of a wandering object, 48 x 48, on nothing."""
    labels = np.zeros((height, width), dtype=np.uint8)
    top, left = 16 + i % 3 * 8, 8 + i * 8 % (width - 64)  # whole patches of 8
    for k in range(3):
        labels[top + 16 * k : top + 16 * (k + 1), left : left + 48] = k + 1
    return labels


def frame(i: int) -> Pixels:
    """Frame ``i`` of the clip, (96, 160, 3)."""
    return np.array([GREY, *STRIPES], dtype=np.uint8)[truth(i)]


class MemorySource:
    """Frames that are in memory already."""

    decoder = "memory"
    notes: tuple[str, ...] = ()

    def __init__(self, frames: Pixels, name: str = "memory") -> None:
        self._frames = frames
        n, height, width, _ = frames.shape
        self.info = VideoInfo(Path(name), height, width, n, Fraction(1, 25), Fraction(25))
        self.selected = range(n)

    @property
    def active_area(self) -> ActiveArea | None:
        return active_area(self._frames)

    def batches(self, size: int) -> Generator[FrameBatch, None, None]:
        yield from self._take(self.selected, size)

    def part(self, first: int, stop: int | None = None) -> MemorySource:
        part = copy(self)
        part.selected = self.selected[first:stop]
        return part

    def frame(self, index: int) -> FrameBatch:
        return next(self._take([index], 1))

    def sample(self, count: int, size: int) -> Generator[FrameBatch, None, None]:
        n = len(self._frames)
        count = min(count, n)
        yield from self._take([(2 * k + 1) * n // (2 * count) for k in range(count)], size)

    def sample_around(
        self, count: int, at: float | None = None, *, beside: bool = True, among: int = 1
    ) -> Generator[Neighbourhood, None, None]:
        selected = self.selected
        marked = None if at is None else seen_at(selected, self.info.time_base, selected, at, self.info.path)
        return neighbourhoods(self._take, selected, count, marked, beside=beside, among=among)

    def _take(self, which: Sequence[int], size: int) -> Generator[FrameBatch, None, None]:
        for at in range(0, len(which), size):
            some = np.array(which[at : at + size], dtype=np.int64)
            yield FrameBatch(self._frames[some], some, some.copy(), Fraction(1, 25))


class ColourExtractor:
    """Describes a patch of 8 pixels by its mean colour. Two heads look at what is coloured, one at what is grey."""

    device = torch.device("cpu")
    identity = ExtractorIdentity("colour", 0, "key", 8, 96, False, "0" * 16)

    def __init__(self, batch_size: int = 2) -> None:
        self.batch_size = batch_size
        self.frames = 0  # how many it was given in all

    def grid(self, size: tuple[int, int]) -> Grid:
        return Grid(size[0], size[1], 8, 8)

    def afar(self) -> None:
        """It sees patches as they are, whatever their size."""

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        frames = torch.as_tensor(pixels)
        self.frames += len(frames)
        grid = self.grid((frames.shape[1], frames.shape[2]))
        colour = F.avg_pool2d(frames.permute(0, 3, 1, 2).float() / 255, 8)
        looks = None
        if attention:
            vivid = (colour.amax(1) - colour.amin(1)) + 0.01
            looks = torch.stack([vivid, vivid**2 + 0.01, 1.1 - vivid], dim=1)
            looks = looks / looks.sum((2, 3), keepdim=True)
        # The earlier half sees a little around, the later one the patch alone.
        around = F.avg_pool2d(colour, 3, 1, 1, count_include_pad=False)
        descriptors = _described(colour)
        both = torch.cat([_described((3 * colour + around) / 4), descriptors], dim=-1) if tokens else None
        return Features(descriptors, grid, looks, both)


def _described(colour: torch.Tensor) -> torch.Tensor:
    """(N, 3, h, w) to (N, h, w, 4), unit length."""
    colour = colour.permute(0, 2, 3, 1)
    return unit_length(torch.cat([colour - 0.5, torch.full_like(colour[..., :1], 0.1)], dim=-1))

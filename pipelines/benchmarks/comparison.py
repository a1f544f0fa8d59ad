"""The authors' arrangement and ours in turn, on the same frames and for the same outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from videoparts.devices import on_all_cores, on_device
from videoparts.frames import FrameBatch
from videoparts.resize import resize, unit_range
from videoparts.vit.extractor import ViTExtractor

from .baseline import AuthorsArrangement
from .figures import Figure
from .flops import VitShape, authors_multiply_adds, multiply_adds
from .spending import Spent, peak_while, spend, walls
from .used import Used

_FRAMES_A_CORE = 2  # that ours is given in a run, on a CPU


@dataclass(frozen=True)
class Compared:
    """Descriptors and [CLS] attention of a frame, made in both ways."""

    used: Used
    patches: tuple[int, int]  # (h, w)
    theirs: Figure  # milliseconds of a frame
    ours: Figure
    their_multiply_adds: int
    our_multiply_adds: int
    cosine: float  # mean cosine of their descriptors and ours
    peak: tuple[int, int] | None  # bytes before and at most, of theirs

    @property
    def ratio(self) -> Figure:
        """How many times as long theirs takes."""
        return self.theirs.over(self.ours)


class Comparing:
    """Measures both, run by run.

    Args:
        batches: frames, in order; ours is given some of them, theirs the first frame alone.
        extractor: ours, at the settings that are compared.
        model: the same weights, see `AuthorsArrangement`.
    """

    def __init__(self, batches: list[FrameBatch], extractor: ViTExtractor, model: Any) -> None:
        device = extractor.device
        count = torch.get_num_threads() * _FRAMES_A_CORE if device.type == "cpu" else len(batches)
        self._batches, self._extractor, self._device = batches[:count], extractor, device
        self._grid = extractor.grid(batches[0].size)
        self._shape = VitShape.of(model)
        self._authors = AuthorsArrangement(model, extractor.identity, device)
        wanted: list[torch.Tensor] = []
        self._peak = peak_while(lambda: wanted.append(self._theirs()[0]), device)
        found = extractor.extract(batches[0].pixels[:1], attention=True).descriptors  # both are warm now
        self._cosine = float(F.cosine_similarity(found, wanted[0], dim=-1).mean())
        self._runs: list[tuple[Spent, Spent]] = []

    def run(self) -> None:
        """Measure both once."""
        frames = sum(map(len, self._batches))
        self._runs.append((spend(self._theirs, self._device), spend(self._ours, self._device).per(frames)))

    def result(self) -> Compared:
        """After some runs."""
        identity = self._extractor.identity
        return Compared(
            used=Used.of(self._extractor),
            patches=(self._grid.rows, self._grid.columns),
            theirs=walls([theirs for theirs, _ in self._runs]),
            ours=walls([ours for _, ours in self._runs]),
            their_multiply_adds=authors_multiply_adds(self._shape, self._grid),
            our_multiply_adds=multiply_adds(self._shape, self._grid, identity, attention=True),
            cosine=self._cosine,
            peak=self._peak,
        )

    def _theirs(self) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = on_device(self._batches[0].pixels[:1], self._device)
        image = unit_range(resize(pixels, (self._grid.height, self._grid.width), "bicubic"))
        return self._authors.describe(image, self._grid)

    def _ours(self) -> None:
        described = on_all_cores(
            lambda batch: self._extractor.extract(batch.pixels, attention=True), self._batches, self._device
        )
        for _ in described:
            pass

"""Everything that is measured with one set of settings."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from videoparts.config import RefineSettings
from videoparts.features import Extractor, Features
from videoparts.frames import Pixels
from videoparts.grid import Grid
from videoparts.identity import ExtractorIdentity
from videoparts.sinks.videos.overlay_video import OverlayVideo
from videoparts.sources.base import Source
from videoparts.vit.extractor import ViTExtractor

from ..chain import Chain
from ..options import MaskOptions
from ..terminal import Terminal
from .figures import Figure
from .flops import VitShape, multiply_adds
from .limits import Copy, MatrixProduct, Rates
from .spending import Spent, cpus, peak_while, spend, walls
from .stages import Stages
from .used import Used

_SEEN = ("resize", "extract", "score")  # stages of those frames alone that the ViT sees
_FEWER = 4  # a labelled frame is what all frames take more than a part of them


@dataclass(frozen=True)
class Measured:
    """What the runs gave. Times are those of a frame, but for the fit and for what lies from end to end."""

    used: Used
    refine: RefineSettings
    frames: int  # that were worked on
    clip_frames: int | None  # of the whole clip
    learned_from: int  # frames
    seen: float  # share of the labelled frames that the ViT saw
    grid: Grid
    multiply_adds: int  # of a frame's descriptors and tokens
    bytes_moved: Mapping[str, int]
    product_size: int
    products: tuple[Rates, ...]  # operations a second, a run
    copies: tuple[Rates, ...]  # bytes a second
    spent: dict[str, tuple[Spent, ...]]  # of each stage
    label: tuple[Spent, ...]  # from decoding to encoding, without a fit
    fit: tuple[Spent, ...]  # seconds of a clip
    end_to_end: tuple[Spent, ...]  # seconds of all frames, fit included
    peak: tuple[int, int] | None  # bytes before and at most, from end to end

    @property
    def cores(self) -> int:
        """That torch works on; 1 of a GPU, which works by itself."""
        return torch.get_num_threads() if self.used.device.type == "cpu" else 1

    @cached_property
    def product(self) -> Figure:
        """Operations a second of the matrix product, in the faster arrangement."""
        return Figure(tuple(rates.best for rates in self.products))

    @cached_property
    def copy(self) -> Figure:
        """Bytes a second."""
        return Figure(tuple(rates.best for rates in self.copies))

    @cached_property
    def operations(self) -> Figure:
        """Operations a second of the extraction."""
        return walls(self.spent["extract"]).each(lambda ms: 2000 * self.multiply_adds / ms)

    def of_limit(self, stage: str) -> Figure:
        """Share of what the machine could do: of its matrix product or, elsewhere, of its memory."""
        if stage == "extract":
            return self.operations.over(self.product)
        moved = self.bytes_moved[stage]
        return walls(self.spent[stage]).each(lambda ms: 1000 * moved / ms).over(self.copy)

    def share(self, stage: str) -> float:
        """Of the work on a labelled frame: of the time of all cores; of a GPU's machine, of the time on the clock."""
        kind = cpus if self.used.device.type == "cpu" else walls
        times = self.seen if stage in _SEEN else 1.0
        return times * kind(self.spent[stage]).median / kind(self.label).median

    def whole_clip(self, frames: int) -> float:
        """Seconds from end to end of a clip of so many frames: those measured, and so much a frame for the others."""
        more = max(0, frames - self.frames) * walls(self.label).median / 1000
        return walls(self.end_to_end).median / 1000 + more


class Measuring:
    """Measures a set of settings, run by run.

    Args:
        clip: all of it.
        part: the frames that are worked on.
        extractor: describes them.
        options: how parts are learned and frames labelled.
        shape: of the extractor's model.
        folder: where files come and go.
    """

    def __init__(
        self,
        clip: Source,
        part: Source,
        extractor: ViTExtractor,
        options: MaskOptions,
        shape: VitShape,
        folder: Path,
    ) -> None:
        self._clip, self._part, self._extractor = clip, part, extractor
        self._options, self._shape, self._folder = options, shape, folder
        self._device = extractor.device
        self._counting = _Counting(extractor)
        self._runs: dict[str, list[Spent]] = defaultdict(list)
        self._products: list[Rates] = []
        self._copies: list[Rates] = []
        # It warms up everything, and before it nothing is held that a command would not hold.
        self._peak = peak_while(self._end_to_end, self._device)
        self._runs.clear()
        self._stages = Stages(clip, part, extractor, self._parts, options.refine, folder)
        self._product = MatrixProduct(self._device, extractor.dtype)
        self._copy = Copy(self._device)

    def run(self) -> None:
        """Measure everything once. The limit is taken on both sides of the extraction that is compared with it."""
        for name in self._stages.names:
            before = self._product.rates() if name == "extract" else None
            self._runs[name].append(self._stages.run(name))
            if before is not None:
                self._products.append(_mean(before, self._product.rates()))
        self._copies.append(self._copy.rates())
        self._runs["label"].append(self._label_a_frame())
        self._end_to_end()

    def result(self) -> Measured:
        """After some runs."""
        identity, frames = self._extractor.identity, self._stages.frames
        grid = self._stages.grid
        return Measured(
            used=Used.of(self._extractor),
            refine=self._options.refine,
            frames=frames,
            clip_frames=self._clip.info.frames,
            learned_from=min(self._options.fit.frames, frames),
            seen=self._counting.frames / (frames * len(self._products)),
            grid=grid,
            multiply_adds=multiply_adds(self._shape, grid, identity, tokens=True),
            bytes_moved=self._stages.bytes_moved,
            product_size=self._product.size,
            products=tuple(self._products),
            copies=tuple(self._copies),
            spent={name: tuple(self._runs[name]) for name in self._stages.names},
            label=tuple(self._runs["label"]),
            fit=tuple(self._runs["fit"]),
            end_to_end=tuple(self._runs["end to end"]),
            peak=self._peak,
        )

    def _end_to_end(self) -> None:
        """What ``videoparts overlay`` does once the model is loaded."""
        chain = Chain(self._options, Terminal(quiet=True))

        def fit() -> None:
            self._parts = chain.fit([self._part], self._extractor)

        def whole() -> None:
            self._runs["fit"].append(spend(fit, self._device))
            self._label(chain, self._part, self._extractor)

        self._runs["end to end"].append(spend(whole, self._device))

    def _label_a_frame(self) -> Spent:
        """What all frames take more than a few of them, so that neither the decoder's start counts nor the end, where
        some stages have nothing to do any more."""
        frames = self._stages.frames
        few = frames // _FEWER // self._extractor.batch_size * self._extractor.batch_size

        def label(source: Source, extractor: Extractor) -> Spent:
            chain = Chain(self._options, Terminal(quiet=True))  # of which no features are known yet
            return spend(lambda: self._label(chain, source, extractor), self._device)

        least = label(self._part.part(0, few), self._extractor) if few else None
        most = label(self._part, self._counting)
        if least is not None and least.wall < most.wall and least.cpu < most.cpu:
            return most.less(least).per(frames - few)
        return most.per(frames)  # of a clip so short that there is nothing but noise between the two

    def _label(self, chain: Chain, source: Source, extractor: Extractor) -> None:
        with OverlayVideo(self._folder / "overlay.mp4", like=source.info) as sink:
            chain.label(source, extractor, self._parts, self._options.refine, sink)


class _Counting:
    """An extractor that counts the frames that it is given."""

    def __init__(self, extractor: ViTExtractor) -> None:
        self._extractor = extractor
        self._lock = threading.Lock()
        self.frames = 0

    @property
    def identity(self) -> ExtractorIdentity:
        return self._extractor.identity

    @property
    def device(self) -> torch.device:
        return self._extractor.device

    @property
    def batch_size(self) -> int:
        return self._extractor.batch_size

    def grid(self, size: tuple[int, int]) -> Grid:
        return self._extractor.grid(size)

    def afar(self) -> ViTExtractor | None:
        return self._extractor.afar()

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        with self._lock:
            self.frames += len(pixels)
        return self._extractor.extract(pixels, attention=attention, tokens=tokens)


def _mean(one: Rates, other: Rates) -> Rates:
    apart = None if one.apart is None or other.apart is None else (one.apart + other.apart) / 2
    return Rates((one.together + other.together) / 2, apart)

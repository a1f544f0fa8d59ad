"""The chain of stages that the commands share: open, fit or load, label every frame into a sink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from videoparts.cache import FeatureCache
from videoparts.clock import StageClock
from videoparts.config import RefineSettings
from videoparts.fit import fit_parts
from videoparts.frames import Pixels
from videoparts.masks import PartMasks
from videoparts.palette import palette
from videoparts.parts import PartModel, check_model_path
from videoparts.segmentation import segment
from videoparts.sources import open_source
from videoparts.sources.base import Source
from videoparts.stream import prefetch
from videoparts.vit import ViTExtractor

from .options import MaskOptions, PartOptions
from .terminal import Terminal

_GLANCE = 4  # coverage is counted on every so many rows and columns


class Sink(Protocol):
    """What takes masks, frame after frame."""

    def write(self, masks: PartMasks) -> None:
        """Take the masks of the next frames."""
        ...


@dataclass
class Chain:
    """One run of a command: what its stages share."""

    options: PartOptions
    terminal: Terminal
    clock: StageClock = field(default_factory=StageClock)
    cache: FeatureCache = field(default_factory=FeatureCache)

    def open(self, path: Path) -> Source:
        """Open an input, and say what the user should know of it."""
        source = open_source(path, self.options.source)
        self.terminal.note(*source.notes)
        return source

    def extractor(self) -> ViTExtractor:
        """Load the extractor."""
        with self.clock.stage("load"):
            extractor = ViTExtractor(self.options.extractor, self.options.compute)
        precision = str(extractor.dtype).removeprefix("torch.")
        self.terminal.say(f"{self.options.extractor.model} from {extractor.origin}, {precision} on {extractor.device}")
        return extractor

    def fit(self, sources: Sequence[Source], extractor: ViTExtractor) -> PartModel:
        """Pass 1, with its progress bar."""
        settings = self.options.fit
        known = [source.info.frames for source in sources]
        total = max(settings.frames, len(sources))
        if all(count is not None for count in known):
            total = min(total, sum(count or 0 for count in known))
        with self.terminal.bar("fit", total) as advance:
            model = fit_parts(sources, extractor, settings, cache=self.cache, clock=self.clock, on_frames=advance)
        for source in sources:
            self.terminal.note(*source.notes)
        return model

    def label(
        self, source: Source, extractor: ViTExtractor, parts: PartModel, refine: RefineSettings, sink: Sink
    ) -> Coverage:
        """Pass 2: every frame into the sink, with its progress bar."""
        coverage = Coverage(parts)
        masks = prefetch(segment(source, extractor, parts, refine, cache=self.cache, clock=self.clock))
        try:
            with self.terminal.bar("label", source.info.frames) as advance:
                for some in masks:
                    sink.write(some)
                    coverage.add(some.labels)
                    advance(len(some))
        finally:
            masks.close()
        self.terminal.note(*source.notes)
        return coverage


class Coverage:
    """How much of a clip each part covers."""

    def __init__(self, parts: PartModel) -> None:
        self._names = parts.names
        self._pixels = np.zeros(len(parts) + 1, dtype=np.int64)
        self._present = np.zeros(len(parts) + 1, dtype=np.int64)
        self.frames = 0

    def add(self, labels: Pixels) -> None:
        """Count the labels (N, H, W) of some frames."""
        for one in labels[:, ::_GLANCE, ::_GLANCE]:
            count = np.bincount(one.ravel(), minlength=len(self._pixels))
            self._pixels += count
            self._present += count > 0
            self.frames += 1

    def lines(self) -> list[str]:
        """A table for people."""
        share = self._pixels / max(1, self._pixels.sum())
        found = int((self._present[1:] > 0).sum())
        head = f"{found} of {len(self._names)} parts found, on {1 - share[0]:.1%} of the picture"
        rows = [
            f"  {k} {name:<12}{share[k]:7.1%} of the picture, in {self._present[k]} of {self.frames} frames"
            for k, name in enumerate(self._names, start=1)
        ]
        return [head, *rows]


def run_masks(chain: Chain, options: MaskOptions, source: Source, model: PartModel | None, sink: Sink) -> Coverage:
    """Fit, or take the given model; then label every frame into a sink that is open already."""
    if options.save_model is not None:
        check_model_path(options.save_model)
    extractor = chain.extractor()
    if model is None:
        model = chain.fit([source], extractor)
    if options.save_model is not None:
        model.save(options.save_model)
    return chain.label(source, extractor, model, options.refine, sink)


def colours_of(model: PartModel | None) -> Pixels:
    """(P + 1, 3): the colours of a model's labels; those that a new model will get where there is none yet."""
    if model is None:
        return palette()
    return np.array([(0, 0, 0), *model.colours], dtype=np.uint8)


def load_model(path: Path | None) -> PartModel | None:
    """The part model in a file, if one is given."""
    return None if path is None else PartModel.load(path)

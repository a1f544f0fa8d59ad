"""Pass 2: label every frame with a part model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import torch

from .cache import FeatureCache
from .clock import StageClock
from .config import RefineSettings
from .devices import on_all_cores
from .features import Extractor, Features
from .frames import FrameBatch
from .masks import PartMasks
from .parts import PartModel
from .refine import label_pixels
from .sources.base import Source
from .stream import prefetch


def segment(
    source: Source,
    extractor: Extractor,
    parts: PartModel,
    settings: RefineSettings | None = None,
    *,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
) -> Iterator[PartMasks]:
    """Label every selected frame of a source, a few at a time, in order.

    Args:
        source: decoded in a background thread, a few frames ahead.
        extractor: the one that made the part model.
        parts: what to look for.
        settings: how patch scores become pixels.
        cache: features that pass 1 has already made.
        clock: counts the time of each stage.

    Raises:
        ModelMismatchError: the part model is of another extractor.
        SourceError: the source cannot be decoded.
    """
    parts.require(extractor.identity)
    return _segment(source, extractor, parts, settings or RefineSettings(), cache, clock)


def _segment(
    source: Source,
    extractor: Extractor,
    parts: PartModel,
    settings: RefineSettings,
    cache: FeatureCache | None,
    clock: StageClock | None,
) -> Iterator[PartMasks]:
    clock = clock or StageClock()

    @torch.inference_mode()
    def label(batch: FrameBatch) -> PartMasks:
        frames = torch.from_numpy(batch.pixels).to(extractor.device)
        with clock.stage("vit"):
            features = _features(batch, frames, extractor, cache, source)
        with clock.stage("refine"):
            labels = label_pixels(parts.probabilities(features), features.grid, frames, settings)
        return PartMasks(batch, labels.cpu().numpy())

    batches = prefetch(clock.timed("decode", source.batches(extractor.batch_size)))
    with closing(batches), closing(on_all_cores(label, batches, extractor.device)) as masks:
        yield from masks


def _features(
    batch: FrameBatch, frames: torch.Tensor, extractor: Extractor, cache: FeatureCache | None, source: Source
) -> Features:
    """Features of a batch, extracted only for those frames that the cache does not hold."""
    kept = [cache.get(source.info.path, int(index)) if cache is not None else None for index in batch.index]
    missing = [i for i, descriptors in enumerate(kept) if descriptors is None]
    if len(missing) == len(batch):
        return extractor.extract(frames)
    if missing:
        fresh = extractor.extract(frames[missing]).descriptors
        for i, descriptors in zip(missing, fresh, strict=True):
            kept[i] = descriptors
    return Features(torch.stack([d for d in kept if d is not None]), extractor.grid(batch.size))

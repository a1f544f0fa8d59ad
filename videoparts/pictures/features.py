"""Features of a source's pictures, one batch after the other, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

import torch

from ..cache import FeatureCache
from ..clock import StageClock
from ..devices import on_all_cores
from ..errors import SourceError
from ..features import Extractor, Features
from ..frames import FrameBatch
from ..grid import why_unusable
from ..sources.base import Source
from ..stream import prefetch

R = TypeVar("R")


def on_features(
    function: Callable[[FrameBatch, Features], R],
    source: Source,
    extractor: Extractor,
    *,
    frames: int | None = None,
    attention: bool = False,
    tokens: bool = False,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
) -> Generator[R, None, None]:
    """Call a function with each batch of a source and its features, in order.

    Args:
        function: called in several threads at once.
        source: decoded in a background thread, a few pictures ahead.
        extractor: makes the features.
        frames: take so many only, evenly spread.
        attention: also give the attention of the last block.
        tokens: also give the tokens.
        cache: features that were made already, without attention; where there is room, new ones are kept in it.
        clock: counts the time of "decode" and "vit".

    Raises:
        SourceError: a picture cannot be decoded, is smaller than one patch, or too slim.
    """
    clock = clock or StageClock()

    @torch.inference_mode()
    def call(batch: FrameBatch) -> R:
        _require_usable(batch, source, extractor)
        features = None if attention or cache is None else _kept(batch, source, extractor, cache, tokens)
        if features is None:
            with clock.stage("vit"):
                features = extractor.extract(batch.pixels, attention=attention, tokens=tokens)
            if cache is not None and not attention:
                for i, index in enumerate(batch.index.tolist()):
                    cache.put(source.info.path, index, features[i : i + 1])
        return function(batch, features)

    size = extractor.batch_size
    pictures = source.batches(size) if frames is None else source.sample(frames, size)
    with (
        closing(prefetch(clock.timed("decode", pictures))) as batches,
        closing(on_all_cores(call, batches, extractor.device)) as results,
    ):
        yield from results


def _require_usable(batch: FrameBatch, source: Source, extractor: Extractor) -> None:
    why = why_unusable(batch.size, extractor.grid(batch.size).patch)
    if why is not None:
        raise SourceError(f"{source.info.path}: {batch.stem(0)} {why}")


def _kept(
    batch: FrameBatch, source: Source, extractor: Extractor, cache: FeatureCache, tokens: bool
) -> Features | None:
    """The features of a batch, if the cache holds those of each of its whole pictures, with black bars."""
    grid = extractor.grid(batch.size)
    kept = [cache.get(source.info.path, index) for index in batch.index.tolist()]
    whole = [one for one in kept if one is not None and one.grid == grid and (one.tokens is not None or not tokens)]
    return Features.joined(whole) if len(whole) == len(kept) else None

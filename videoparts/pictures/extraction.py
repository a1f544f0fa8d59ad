"""Descriptors and saliency of each picture of a source, for people who do their own."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

import numpy as np
import torch
import torch.nn.functional as F

from ..clock import StageClock
from ..errors import SettingsError
from ..features import Features
from ..frames import FrameBatch
from ..grid import Grid
from ..sampling.saliency import object_heads, saliency
from ..sources.base import Source
from ..vit.extractor import ViTExtractor
from .features import on_features
from .saved_features import AboutFeatures, FeatureSettings, SavedFeatures

_LOOKED_AT = 8  # pictures from which the heads are chosen
_COMMON = (16, 16)  # patches, to which the attention in pictures of all sizes is brought for that


def choose_heads(source: Source, extractor: ViTExtractor, clock: StageClock | None = None) -> tuple[int, ...]:
    """The attention heads that look at the object, chosen from a few pictures: see `object_heads`."""

    def look(_: FrameBatch, features: Features) -> torch.Tensor:
        assert features.attention is not None
        return F.interpolate(features.attention.cpu(), size=_COMMON, mode="area")

    with closing(on_features(look, source, extractor, frames=_LOOKED_AT, attention=True, clock=clock)) as looks:
        return tuple(object_heads(torch.cat(list(looks))))


def extract_features(
    source: Source,
    extractor: ViTExtractor,
    settings: FeatureSettings,
    original: Callable[[int], tuple[str, str, int | None]],
    *,
    clock: StageClock | None = None,
) -> Generator[tuple[str, SavedFeatures], None, None]:
    """The features of each selected picture or frame, in order, one at a time.

    Args:
        source: a clip, or a `PictureSource`.
        extractor: makes them.
        settings: of this extractor.
        original: for a position in the source, what `AboutFeatures` calls ``picture``, ``sha256`` and ``index``.
        clock: counts the time of each stage.

    Returns:
        The stem of the picture, and its features.

    Raises:
        SettingsError: the model has no such head.
        SourceError: a picture cannot be decoded, is smaller than one patch, or too slim.
    """
    number = np.float16 if settings.half else np.float32

    def keep(batch: FrameBatch, features: Features) -> list[tuple[str, SavedFeatures]]:
        attention = features.attention
        assert attention is not None
        count = attention.shape[1]
        if wrong := [head for head in settings.heads if not 0 <= head < count]:
            raise SettingsError(f"--heads {wrong[0]}: {settings.extractor.model} has heads 0 to {count - 1}")
        salient = saliency(attention, list(settings.heads)).cpu().numpy().astype(number)
        described = features.descriptors.cpu().numpy().astype(number)
        grid = features.grid
        origin, step = patch_places(grid, batch.size)
        found = []
        for i, index in enumerate(batch.index.tolist()):
            about = AboutFeatures(
                *original(index),
                size=batch.size,
                shape=(grid.rows, grid.columns, described.shape[-1]),
                origin=origin,
                step=step,
                resized=(grid.height, grid.width),
                patch=grid.patch,
                settings=settings,
                precision=extractor.precision,
            )
            found.append((batch.stem(i), SavedFeatures(described[i], salient[i], about)))
        return found

    with closing(on_features(keep, source, extractor, attention=True, clock=clock)) as batches:
        for batch in batches:
            yield from batch


def patch_places(grid: Grid, size: tuple[int, int]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where patches lie in a picture of ``size`` (height, width): the centre (y, x) of the first, and the step from one
    to the next, in pixels; the first pixel spans 0 to 1."""
    down, right = size[0] / grid.height, size[1] / grid.width
    half = grid.patch / 2
    return (half * down, half * right), (grid.stride * down, grid.stride * right)

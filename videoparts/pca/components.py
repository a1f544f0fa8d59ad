"""Principal components of the descriptors of pictures or of a clip, as pictures (paper, section 3).

Two passes: the first adds up what the components are made of, the second paints. Features of short clips and small
sets are kept in between; of others they are made twice, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from ..cache import FeatureCache
from ..clock import StageClock
from ..features import Extractor, Features
from ..frames import FrameBatch, Pixels
from ..parts.model import PartModel
from ..pictures.features import on_features
from ..refine.pixels import matte_pixels, working_scores
from ..sources.base import Source
from .incremental import Components, IncrementalPCA, centrality
from .pictures import filled_in, planes


@dataclass(frozen=True, eq=False)
class PaintedFrames:
    """Some frames with their components."""

    frames: FrameBatch
    planes: Pixels  # (N, K, H, W) uint8, one a component

    @property
    def rgb(self) -> Pixels:
        """(N, H, W, 3) uint8: the first three components as red, green and blue."""
        return np.ascontiguousarray(self.planes[:, :3].transpose(0, 2, 3, 1))


def fit_components(
    source: Source,
    extractor: Extractor,
    count: int = 3,
    *,
    frames: int | None = None,
    parts: PartModel | None = None,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
    on_frames: Callable[[int], None] | None = None,
) -> Components:
    """The principal components of all descriptors of a source together.

    Args:
        source: a clip, or a `PictureSource`.
        extractor: makes the descriptors.
        count: of components.
        frames: look at so many only, evenly spread.
        parts: finds the object; None: the whole pictures count.
        cache: keeps features, for `paint_components`.
        clock: counts the time of each stage.
        on_frames: called with the number of frames that each step has added.

    Raises:
        SourceError: the source cannot be decoded.
        FitError: too few patches, or too few on the object.
        SettingsError: descriptors are not of so many numbers, or of too many.
    """
    clock = clock or StageClock()
    pca = IncrementalPCA()

    def take(batch: FrameBatch, features: Features) -> tuple[int, Features, torch.Tensor | None]:
        return len(batch), features, None if parts is None else object_chance(parts, features)

    extracted = on_features(take, source, extractor, frames=frames, tokens=parts is not None, cache=cache, clock=clock)
    with closing(extracted):
        for taken, features, chance in extracted:
            with clock.stage("cluster"):
                add_patches(pca, features, chance)
            if on_frames is not None:
                on_frames(taken)
    with clock.stage("cluster"):
        return pca.components(count)


def paint_components(
    source: Source,
    extractor: Extractor,
    components: Components | int,
    *,
    parts: PartModel | None = None,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
) -> Generator[PaintedFrames, None, None]:
    """Every selected frame of a source as its components.

    Args:
        source: a clip, or a `PictureSource`.
        extractor: makes the descriptors.
        components: of `fit_components`; a number: so many of each frame alone.
        parts: finds the object; all else is black. None: the whole pictures are painted.
        cache: features that are there already.
        clock: counts the time of each stage.

    Raises:
        SourceError, FitError, SettingsError: as for `fit_components`.
    """
    clock = clock or StageClock()

    def paint(batch: FrameBatch, features: Features) -> PaintedFrames:
        with clock.stage("paint"):
            chance = None if parts is None else object_chance(parts, features)
            one_by_one = [_painted(batch, features, i, components, chance) for i in range(len(batch))]
            return PaintedFrames(batch, np.stack(one_by_one))

    with closing(on_features(paint, source, extractor, tokens=parts is not None, cache=cache, clock=clock)) as painted:
        yield from painted


def object_chance(parts: PartModel, features: Features) -> torch.Tensor:
    """How likely each patch is on the object: (N, h, w) float32."""
    return 1 - parts.probabilities(features)[:, 0]


def add_patches(pca: IncrementalPCA, features: Features, chance: torch.Tensor | None) -> None:
    """Give the patches of some frames to a PCA: all, or those that are likely on the object."""
    central = centrality(features.grid.rows, features.grid.columns)
    for i, descriptors in enumerate(features.descriptors.cpu()):
        inside = torch.ones_like(central, dtype=torch.bool) if chance is None else chance[i].cpu() > 0.5
        pca.add(descriptors[inside], central[inside])


def _painted(
    batch: FrameBatch, features: Features, i: int, components: Components | int, chance: torch.Tensor | None
) -> Pixels:
    """The components of frame ``i``: (K, H, W) uint8."""
    one = slice(i, i + 1)
    if isinstance(components, int):
        pca = IncrementalPCA()
        alone = Features(features.descriptors[one], features.grid)
        add_patches(pca, alone, None if chance is None else chance[one])
        components = pca.components(components)
    shades = components.shades(features.descriptors[i])
    if chance is None:
        return planes(shades, features.grid, batch.size)
    frame = torch.from_numpy(batch.pixels[one]).to(shades.device)
    both = torch.stack([1 - chance[one], chance[one]], dim=1)
    _, matte = matte_pixels(working_scores(both, features.grid, batch.size), frame)
    return planes(filled_in(shades, chance[i]), features.grid, batch.size, matte[0])

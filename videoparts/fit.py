"""Pass 1: learn the parts from frames sampled over one clip or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt
import torch

from .cache import FeatureCache
from .clock import StageClock
from .clustering import Floats, assign, kmeans
from .config import FitSettings
from .devices import on_all_cores
from .errors import FitError
from .features import Extractor, Features
from .foreground import Sample, find_foreground
from .frames import FrameBatch
from .grid import Grid
from .palette import part_colour
from .parts import PartModel
from .saliency import object_heads, saliency
from .sources.base import Source
from .stream import prefetch

Marks = npt.NDArray[np.bool_]


def fit_parts(
    sources: Source | Sequence[Source],
    extractor: Extractor,
    settings: FitSettings | None = None,
    *,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
    on_frames: Callable[[int], None] | None = None,
) -> PartModel:
    """Cluster the descriptors of sampled frames into background and parts (paper, section 4).

    All descriptors are clustered together, so that a label means the same in every frame of every source.

    Args:
        sources: one clip or several; the frames of the settings are shared out evenly between them.
        extractor: makes the descriptors; the model is bound to it.
        settings: parts, frames, seed, thresholds.
        cache: keeps the sampled frames' features, for `segment`.
        clock: counts the time of each stage.
        on_frames: called with the number of frames that each step has added.

    Returns:
        The model; its parts are in the order of their area, largest first.

    Raises:
        FitError: too few descriptors for so many parts.
        SourceError: a source cannot be decoded.
    """
    settings = settings or FitSettings()
    clock = clock or StageClock()
    sources = list(sources) if isinstance(sources, Sequence) else [sources]
    if not sources:
        raise FitError("nothing to fit: give at least one clip or folder of frames")
    sample = _sample(sources, extractor, settings, cache, clock, on_frames)
    with clock.stage("cluster"):
        foreground = find_foreground(sample, settings)
        inside = sample.descriptors[foreground.mask]
        if len(inside) < settings.parts:
            raise FitError(
                f"the object covers {len(inside)} patches, too few for {settings.parts} parts; "
                "lower --parts, or see more with a larger --load-size or more --frames"
            )
        parts = _by_area(inside, kmeans(inside, settings.parts, settings.seed))
    return PartModel(
        background=torch.from_numpy(foreground.background.copy()),
        parts=torch.from_numpy(parts.copy()),
        names=tuple(f"part{k}" for k in range(1, len(parts) + 1)),
        colours=tuple(part_colour(k) for k in range(1, len(parts) + 1)),
        identity=extractor.identity,
    )


def _sample(
    sources: Sequence[Source],
    extractor: Extractor,
    settings: FitSettings,
    cache: FeatureCache | None,
    clock: StageClock,
    on_frames: Callable[[int], None] | None,
) -> Sample:
    """Draw descriptors evenly from evenly spread frames. What is kept does not grow with the clips' length."""
    random = np.random.default_rng(settings.seed)
    a_frame = max(1, settings.descriptors // settings.frames)
    descriptors: list[Floats] = []
    looks: list[torch.Tensor] = []  # (heads, h, w) a frame
    drawn: list[torch.Tensor] = []  # (n,) patches drawn of each frame
    places: list[tuple[Floats, Marks]] = []  # where those are
    for source, count in zip(sources, _shares(settings.frames, len(sources)), strict=True):
        for batch, features in _extracted(source, count, extractor, clock):
            assert features.attention is not None
            for i in range(len(batch)):
                if cache is not None:
                    cache.put(source.info.path, int(batch.index[i]), features.descriptors[i])
                patches = features.descriptors[i].flatten(0, 1)
                pick = torch.from_numpy(np.sort(random.permutation(len(patches))[:a_frame]))
                descriptors.append(patches[pick.to(patches.device)].cpu().numpy())
                looks.append(features.attention[i].cpu())
                drawn.append(pick)
                places.append(_places(pick.numpy(), features.grid))
            if on_frames is not None:
                on_frames(len(batch))
    if not descriptors:
        raise FitError(f"{sources[0].info.path}: gave no frame to fit; check --start, --end and --every")
    salient = _saliency(looks)
    return Sample(
        descriptors=np.concatenate(descriptors),
        saliency=np.concatenate([s.flatten()[pick].numpy() for s, pick in zip(salient, drawn, strict=True)]),
        frame=np.repeat(np.arange(len(drawn)), [len(pick) for pick in drawn]),
        frames=len(drawn),
        place=np.concatenate([place for place, _ in places]),
        border=np.concatenate([border for _, border in places]),
    )


def _extracted(
    source: Source, count: int, extractor: Extractor, clock: StageClock
) -> Iterator[tuple[FrameBatch, Features]]:
    """Sampled frames, with their features and attention."""

    def extract(batch: FrameBatch) -> tuple[FrameBatch, Features]:
        with clock.stage("vit"):
            return batch, extractor.extract(batch.pixels, attention=True)

    batches = prefetch(clock.timed("decode", source.sample(count, extractor.batch_size)))
    with closing(batches), closing(on_all_cores(extract, batches, extractor.device)) as extracted:
        yield from extracted


def _places(patches: npt.NDArray[np.int64], grid: Grid) -> tuple[Floats, Marks]:
    """Where patches, numbered row by row, lie: (n, 2) in widths of the frame; and whether along its border, (n,)."""
    row, column = np.divmod(patches, grid.columns)
    place = np.stack([row, column], axis=1) * np.float32(grid.stride / grid.width)
    border = (row == 0) | (row == grid.rows - 1) | (column == 0) | (column == grid.columns - 1)
    return place.astype(np.float32), border


def _saliency(looks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Saliency (h, w) of each frame, by heads chosen from all frames; sources may differ in h x w."""
    shapes = {look.shape for look in looks}
    by_shape = [torch.stack([look for look in looks if look.shape == shape]) for shape in sorted(shapes)]
    # Heads are chosen where most frames are: they belong to the model, not to the clip.
    heads = object_heads(max(by_shape, key=len))
    return [saliency(look[None], heads)[0] for look in looks]


def _shares(total: int, among: int) -> list[int]:
    """``total`` shared out evenly, at least 1 each.

    >>> _shares(8, 3)
    [3, 3, 2]
    """
    return [max(1, total // among + (k < total % among)) for k in range(among)]


def _by_area(descriptors: Floats, centroids: Floats) -> Floats:
    """Centroids in the order of how many descriptors they have, most first; the order of k-means is by chance."""
    count = np.bincount(assign(descriptors, centroids)[0], minlength=len(centroids))
    return np.asarray(centroids[np.argsort(-count, kind="stable")])

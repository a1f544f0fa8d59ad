"""Pass 2: label every frame with a part model."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from .active_area import ActiveArea
from .cache import FeatureCache
from .clock import StageClock
from .config import RefineSettings
from .cropping import Cropping
from .devices import MOST_AT_A_TIME, on_all_cores, on_device
from .features import Extractor, Features
from .flow.carrying import carried
from .flow.keyframes import at_a_time, interval
from .flow.linked import linked
from .flow.links import Links
from .flow.scored import Scored
from .flow.window import windowed
from .frames import FrameBatch, Pixels
from .grid import Grid
from .masks import PartMasks
from .parts.model import PartModel
from .pixel_labels import PixelLabels
from .refine.pixels import working_scores
from .sources.base import Source
from .stream import mapped, prefetch

T = TypeVar("T")


def segment(
    source: Source,
    extractor: Extractor,
    parts: PartModel,
    settings: RefineSettings | None = None,
    *,
    matte: bool = False,
    chances: bool = False,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
) -> Generator[PartMasks, None, None]:
    """Label every selected frame of a source, a few at a time, in order.

    Args:
        source: decoded in a background thread, a few frames ahead. Black bars beside its picture are background.
        extractor: the one that made the part model.
        parts: what to look for. Hidden parts are labelled like all others and left out at the end: what else is shown
            is, pixel by pixel, what it would be with them.
        settings: which frames the ViT sees, how patch scores become pixels, and how many frames are averaged. The
            labels of a frame depend on some frames around it: see `carried` and `windowed`.
        matte: also give `PartMasks.matte`, of the object with those parts that are hidden.
        chances: also give `PartMasks.chances`, from which `segment_again` labels finer parts without a ViT. It sees
            every frame then, whatever the settings' ``keys``.
        cache: features that pass 1 has already made.
        clock: counts the time of each stage.

    Raises:
        ModelMismatchError: the part model is of another extractor.
        SourceError: the source cannot be decoded.
    """
    settings = settings or RefineSettings()
    parts.require(extractor.identity)
    if chances:
        settings = replace(settings, keys=1)
    return _segment(source, extractor, parts, settings, matte, chances, cache, clock)


def _segment(
    source: Source,
    extractor: Extractor,
    parts: PartModel,
    settings: RefineSettings,
    matte: bool,
    chances: bool,
    cache: FeatureCache | None,
    clock: StageClock | None,
) -> Generator[PartMasks, None, None]:
    clock = clock or StageClock()
    finest = parts.at(parts.tree.most)
    parts, numbers = _all_shown(parts)
    parts, finest = parts.on(extractor.device), finest.on(extractor.device)
    kept: dict[int, npt.NDArray[np.float16]] = {}  # of the frames between the two steps, by index

    @torch.inference_mode()
    def score(batch: FrameBatch) -> torch.Tensor:
        frames = on_device(batch.pixels, extractor.device)
        with clock.stage("vit"):
            features = _features(batch, frames, extractor, cache, source)
        with clock.stage("refine"):
            if chances:
                each = finest.probabilities(features).permute(0, 2, 3, 1).half().cpu().numpy()
                kept.update(zip(batch.index.tolist(), each, strict=True))
            return working_scores(parts.probabilities(features), features.grid, batch.size)

    cropping = Cropping(source.active_area)
    with ExitStack() as stack:
        decoded = prefetch(clock.timed("decode", mapped(cropping.cropped, source.batches(extractor.batch_size))))
        batches = stack.enter_context(closing(decoded))
        every = interval(settings.keys, source.info, extractor.device)
        wanted = every > 1 or settings.window > 1
        items = stack.enter_context(closing(_linked(batches, lambda batch: batch, clock, wanted=wanted)))
        if every > 1:
            most = at_a_time(every, source.info)
            scored = carried(items, every, settings.tolerance, source.selected.index, score, clock, most)
        else:
            scored = on_all_cores(lambda item: Scored(*item, score(item[0])), items, extractor.device)
        stack.enter_context(closing(scored))
        steps = PixelLabels(extractor.device, settings, matte, numbers, clock)
        most = at_a_time(extractor.batch_size, source.info)
        for masks in stack.enter_context(closing(_labelled(scored, steps, settings.window, most))):
            if chances:
                masks = replace(masks, chances=np.stack([kept.pop(i) for i in masks.frames.index.tolist()]))
            yield cropping.whole(masks)


def segment_again(
    frames: Iterable[tuple[FrameBatch, npt.NDArray[np.float16]]],
    grid: Grid,
    parts: PartModel,
    settings: RefineSettings | None = None,
    *,
    active_area: ActiveArea | None = None,
    clock: StageClock | None = None,
) -> Generator[PartMasks, None, None]:
    """Label frames from chances that `segment` has given, at any cut of the same part model. No ViT is needed.

    Args:
        frames: in order, with their chances (N, h, w, L + 1).
        grid: where the patches lie in the active area.
        parts: which cut; otherwise the model that made the chances.
        settings: as for `segment`.
        active_area: of the source of the frames.
        clock: counts the time of each stage.

    Raises:
        ValueError: the chances are not those of the model's finest parts.
    """
    parts, numbers = _all_shown(parts)
    within = torch.tensor([0, *parts.tree.coarser(parts.tree.most, len(parts))])

    @torch.inference_mode()
    def score(given: tuple[tuple[FrameBatch, npt.NDArray[np.float16]], Links]) -> Scored:
        (batch, chances), links = given
        if chances.shape[-1] != len(within):
            raise ValueError(f"chances of {chances.shape[-1] - 1} parts are not those of {len(within) - 1}")
        finest = torch.from_numpy(chances).float()
        probabilities = torch.zeros(*finest.shape[:3], len(parts) + 1).index_add_(3, within, finest)
        scores = working_scores(probabilities.permute(0, 3, 1, 2).contiguous(), grid, batch.size)
        return Scored(batch, links, scores)

    settings, clock, cpu = settings or RefineSettings(), clock or StageClock(), torch.device("cpu")
    cropping = Cropping(active_area)
    within_bars = ((cropping.cropped(batch), chances) for batch, chances in frames)
    with ExitStack() as stack:
        wanted = settings.window > 1
        items = stack.enter_context(closing(_linked(within_bars, lambda given: given[0], clock, wanted=wanted)))
        scored = stack.enter_context(closing(on_all_cores(score, items, cpu)))
        steps = PixelLabels(cpu, settings, numbers=numbers, clock=clock)
        yield from map(cropping.whole, stack.enter_context(closing(_labelled(scored, steps, settings.window))))


def _linked(
    items: Iterable[T], frames: Callable[[T], FrameBatch], clock: StageClock, *, wanted: bool
) -> Generator[tuple[T, Links], None, None]:
    """`linked`, where a later stage wants it."""
    if wanted:
        yield from linked(items, frames, clock)
    else:
        yield from ((item, ()) for item in items)


def _all_shown(parts: PartModel) -> tuple[PartModel, Pixels | None]:
    """The model with its hidden parts, and the numbers that its labels get in the end; None: they keep theirs."""
    hidden = parts.hidden
    numbers = np.array([0 if k in hidden else k for k in range(len(parts) + 1)], dtype=np.uint8)
    return parts.select(include=range(1, len(parts) + 1)), numbers if hidden else None


def _labelled(
    scored: Iterable[Scored], steps: PixelLabels, window: int, most: int = MOST_AT_A_TIME
) -> Generator[PartMasks, None, None]:
    """From scores to labels. Averaging over frames needs them in order; what is before and after works on several at a
    time, ``most`` at most."""
    cpu = torch.device("cpu")
    with ExitStack() as stack:
        coloured = stack.enter_context(closing(on_all_cores(steps.coloured, scored, steps.device, most)))
        averaged = stack.enter_context(closing(windowed(coloured, window, steps.clock)))
        if steps.device.type == "cpu":
            labelled = on_all_cores(lambda steady: steps.cleaned(steps.full_size(steady)), averaged, cpu, most)
        else:  # a GPU is told what to do by one thread, and what is left for the CPU is done on all of its cores
            labelled = on_all_cores(steps.cleaned, map(steps.full_size, averaged), cpu, most)
        yield from stack.enter_context(closing(labelled))


def _features(
    batch: FrameBatch,
    frames: torch.Tensor,
    extractor: Extractor,
    cache: FeatureCache | None,
    source: Source,
) -> Features:
    """Features of a batch, extracted only for those frames that the cache does not hold."""
    kept = [cache.get(source.info.path, int(index)) if cache is not None else None for index in batch.index]
    missing = [i for i, features in enumerate(kept) if features is None]
    if len(missing) == len(batch):
        return extractor.extract(frames, tokens=True)
    if missing:
        fresh = extractor.extract(frames[missing], tokens=True)
        for at, i in enumerate(missing):
            kept[i] = fresh[at : at + 1]
    return Features.joined([features for features in kept if features is not None])

"""Fit and segment end to end, on a clip whose right parts are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from colours import ColourExtractor, MemorySource, frame, truth

from videoparts.cache import FeatureCache
from videoparts.clock import StageClock
from videoparts.config import FitSettings
from videoparts.errors import FitError, ModelMismatchError
from videoparts.fit import fit_parts
from videoparts.frames import Pixels
from videoparts.parts import PartModel
from videoparts.segmentation import segment

FIT = FitSettings(parts=3, frames=6)


def clip(frames: int = 20) -> MemorySource:
    return MemorySource(np.stack([frame(i) for i in range(frames)]))


def labels_of(source: MemorySource, extractor: ColourExtractor, model: PartModel, **more: object) -> Pixels:
    return np.concatenate([m.labels for m in segment(source, extractor, model, **more)])  # type: ignore[arg-type]


def agreement(labels: Pixels, right: Pixels) -> tuple[float, list[int]]:
    """The smallest intersection over union of a true part with the label that is on most of it; those labels."""
    scores, taken = [], []
    for k in range(1, 4):
        label = int(np.bincount(labels[right == k]).argmax())
        taken.append(label)
        scores.append(((labels == label) & (right == k)).sum() / ((labels == label) | (right == k)).sum())
    return float(min(scores)), taken


def test_parts_are_found_and_stay_the_same_through_the_clip() -> None:
    source, extractor = clip(), ColourExtractor()
    labels = labels_of(source, extractor, fit_parts(source, extractor, FIT))
    right = np.stack([truth(i) for i in range(20)])
    score, taken = agreement(labels, right)
    assert score > 0.97
    assert sorted(taken) == [1, 2, 3]
    for one, wanted in zip(labels, right, strict=True):
        assert agreement(one, wanted)[1] == taken


def test_the_parts_of_one_clip_are_found_in_another() -> None:
    extractor = ColourExtractor()
    model = fit_parts(clip(), extractor, FIT)
    other = MemorySource(np.stack([frame(i)[:, ::-1] for i in range(5)]))
    labels = labels_of(other, extractor, model)
    assert agreement(labels, np.stack([truth(i)[:, ::-1] for i in range(5)]))[0] > 0.97


def test_several_sources_of_different_size_make_one_model() -> None:
    wide, tall = clip(), MemorySource(np.stack([frame(i)[:, 8:80] for i in range(8)]), "tall")
    model = fit_parts([wide, tall], ColourExtractor(), FitSettings(parts=3, frames=9))
    assert agreement(labels_of(wide, ColourExtractor(), model), np.stack([truth(i) for i in range(20)]))[0] > 0.97


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_the_batch_size_changes_nothing(size: int) -> None:
    source = clip()
    small, large = ColourExtractor(2), ColourExtractor(size)
    one, other = fit_parts(source, small, FIT), fit_parts(source, large, FIT)
    assert one.parts.equal(other.parts)
    assert one.background.equal(other.background)
    assert np.array_equal(labels_of(source, small, one), labels_of(source, large, other))


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    source, extractor = clip(), ColourExtractor(1)
    model = fit_parts(source, extractor, FIT)
    one = labels_of(source, extractor, model)
    torch.set_num_threads(threads)  # as many frames are worked on at a time
    try:
        again = fit_parts(source, extractor, FIT)
        several = labels_of(source, extractor, again)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)
    assert again.parts.equal(model.parts)
    assert np.array_equal(several, one)


def test_the_same_seed_gives_the_same_model() -> None:
    one, other = (fit_parts(clip(), ColourExtractor(), FIT) for _ in range(2))
    assert one.parts.equal(other.parts)


def test_frames_of_pass_1_are_not_extracted_twice() -> None:
    source, extractor, cache = clip(), ColourExtractor(), FeatureCache()
    model = fit_parts(source, extractor, FIT, cache=cache)
    without = labels_of(source, ColourExtractor(), model)
    before = extractor.frames
    assert np.array_equal(labels_of(source, extractor, model, cache=cache), without)
    assert before == 6
    assert extractor.frames == 20


def test_the_cache_keeps_to_its_budget() -> None:
    frame_bytes = 12 * 20 * 4 * 4  # patches x colours x float32
    cache = FeatureCache(budget=2 * frame_bytes + 1)
    fit_parts(clip(), ColourExtractor(), FIT, cache=cache)
    assert len(cache) == 2


def test_another_extractor_is_refused_and_the_difference_named() -> None:
    model = fit_parts(clip(), ColourExtractor(), FIT)
    other = ColourExtractor()
    other.identity = type(other.identity)("colour", 1, "key", 8, 96, False, "0" * 16)
    with pytest.raises(ModelMismatchError, match=r"layer 0, not 1") as caught:
        segment(clip(), other, model)
    assert "stride" not in str(caught.value)


def test_too_small_an_object_for_so_many_parts() -> None:
    with pytest.raises(FitError, match="too few for 60 parts"):
        fit_parts(MemorySource(frame(0)[None]), ColourExtractor(), FitSettings(parts=60, frames=1))


def test_where_the_time_goes_is_counted() -> None:
    clock, source, extractor = StageClock(), clip(), ColourExtractor()
    model = fit_parts(source, extractor, FIT, clock=clock)
    list(segment(source, extractor, model, clock=clock))
    assert set(clock.seconds) == {"decode", "vit", "cluster", "refine"}
    assert all(seconds > 0 for seconds in clock.seconds.values())


def test_progress_counts_every_sampled_frame() -> None:
    steps: list[int] = []
    fit_parts(clip(), ColourExtractor(4), FIT, on_frames=steps.append)
    assert steps == [4, 2]

"""Fit and segment end to end, on a clip whose right parts are known."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from colours import GREY, STRIPES, ColourExtractor, MemorySource, frame, truth
from labelled import agreement, assert_same, labels_of

from videoparts import segmentation
from videoparts.cache import FeatureCache
from videoparts.clock import StageClock
from videoparts.config import FitSettings, Foreground, RefineSettings
from videoparts.errors import FitError, ModelMismatchError
from videoparts.features import Features
from videoparts.fit import fit_parts
from videoparts.flow.dense import Flow
from videoparts.flow.scored import Scored
from videoparts.flow.window import windowed
from videoparts.foreground import finding
from videoparts.foreground.evidence import Cues
from videoparts.foreground.finding import find_foreground
from videoparts.foreground.from_afar import Afar
from videoparts.foreground.probe import CentroidProbe
from videoparts.frames import FrameBatch, Pixels
from videoparts.luma import small_luma
from videoparts.parts.object_patches import weight_of
from videoparts.refine.pixels import label_pixels, working_scores
from videoparts.sampling import sampler
from videoparts.sampling.motion import Lumas, of_flow
from videoparts.sampling.sample import Sample
from videoparts.segmentation import segment
from videoparts.sources.around import Neighbourhood

FIT = FitSettings(parts=3, frames=6)


def clip(frames: int = 20) -> MemorySource:
    return MemorySource(np.stack([frame(i) for i in range(frames)]))


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
    assert_same(one, other)
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
    assert_same(again, model)
    assert np.array_equal(several, one)


def test_without_a_window_each_frame_is_labelled_alone() -> None:
    source, extractor = clip(), ColourExtractor(3)
    model = fit_parts(source, extractor, FIT)
    settings = RefineSettings(window=0, keys=1)
    labels = labels_of(source, extractor, model, settings=settings)
    for i, wanted in enumerate(labels):
        alone = torch.from_numpy(frame(i)[None])
        features = extractor.extract(alone, tokens=True)
        scores = working_scores(model.probabilities(features), features.grid, (96, 160))
        assert np.array_equal(label_pixels(scores, alone, settings)[0].numpy(), wanted)


@pytest.mark.parametrize("width", [0, 3])
def test_the_window_is_the_one_of_the_settings(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []

    def recorded(items: Iterator[Scored], window: int, clock: StageClock) -> Iterator[Scored]:
        given.append(window)
        return windowed(items, window, clock)

    monkeypatch.setattr(segmentation, "windowed", recorded)
    source, extractor = clip(4), ColourExtractor()
    labels_of(source, extractor, fit_parts(source, extractor, FIT), settings=RefineSettings(window=width))
    assert given == [width]


def test_closing_the_masks_stops_everything() -> None:
    class Closing(MemorySource):
        closed = False

        def batches(self, size: int) -> Generator[FrameBatch, None, None]:
            try:
                yield from super().batches(size)
            finally:
                self.closed = True

    source, extractor = Closing(np.stack([frame(i) for i in range(20)])), ColourExtractor(1)
    masks = segment(source, extractor, fit_parts(source, extractor, FIT))
    next(masks)
    masks.close()  # type: ignore[attr-defined]
    assert source.closed


@pytest.mark.parametrize("foreground", ["probe", "vote"])
def test_the_same_seed_gives_the_same_model(foreground: Foreground) -> None:
    settings = replace(FIT, foreground=foreground)
    one, other = (fit_parts(clip(), ColourExtractor(), settings) for _ in range(2))
    assert_same(one, other)


def test_the_papers_vote_labels_a_clip_too() -> None:
    source, extractor = clip(), ColourExtractor()
    model = fit_parts(source, extractor, replace(FIT, foreground="vote", threshold=0.3))
    assert isinstance(model.probe, CentroidProbe)
    # Each frame alone: a centroid's scores are soft, and flow at the edge of a flat square is anyone's guess.
    labels = labels_of(source, extractor, model, settings=RefineSettings(window=0, keys=1))
    assert agreement(labels, np.stack([truth(i) for i in range(20)]))[0] > 0.99


def test_patches_at_the_edge_count_least_for_the_parts() -> None:
    certainty = np.zeros((6, 8), np.float32)
    certainty[1:5, 2:7] = 0.9
    weight = weight_of([certainty]).reshape(6, 8)
    assert (weight[certainty == 0] == 0).all()
    assert weight[2:4, 3:6] == pytest.approx(0.9**4)
    assert weight[1, 3] == pytest.approx(0.9**4 * (2 / 3) ** 3)
    assert weight[1, 2] == pytest.approx(0.9**4 * (4 / 9) ** 3)


def test_as_many_parts_as_the_clip_has() -> None:
    model = fit_parts(clip(), ColourExtractor(), replace(FIT, parts="auto"))
    assert len(model) == 3


class Recorded(ColourExtractor):
    """Remembers with what it was asked for tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bool] = []

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        self.asked.append(tokens)
        return super().extract(pixels, attention=attention, tokens=tokens)


@pytest.mark.parametrize("foreground", ["probe", "vote"])
def test_pass_2_asks_for_tokens(foreground: Foreground) -> None:
    source = clip()
    model = fit_parts(source, ColourExtractor(), replace(FIT, foreground=foreground))
    extractor = Recorded()
    labels_of(source, extractor, model)
    assert set(extractor.asked) == {True}


@pytest.mark.parametrize("settings", [replace(FIT, motion="off"), replace(FIT, foreground="vote")])
def test_no_flow_is_worked_out_in_vain(settings: FitSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: Lumas) -> list[Flow]:
        raise AssertionError

    monkeypatch.setattr(sampler, "flows_around", forbidden)
    fit_parts(clip(), ColourExtractor(), settings)
    with pytest.raises(AssertionError):
        fit_parts(clip(), ColourExtractor(), FIT)


def test_the_flow_of_a_sampled_frame_is_to_the_frames_next_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, bool, bool]] = []

    def recorded(around: Neighbourhood) -> Lumas:
        at = int(around.frame.index[0])
        before = around.before is not None and np.array_equal(around.before, frame(at - 1))
        after = around.after is not None and np.array_equal(around.after, frame(at + 1))
        given.append((at, before, after))
        return lumas_of(around)

    lumas_of = Lumas.of
    monkeypatch.setattr(Lumas, "of", recorded)
    fit_parts(clip(3), ColourExtractor(), FIT)
    assert given == [(0, False, True), (1, True, True), (2, True, False)]


def test_each_sampled_frame_has_its_own_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Sample] = []

    def recorded(sample: Sample, settings: FitSettings, cues: Cues | None, afar: Afar | None) -> object:
        given.append(sample)
        return find_foreground(sample, settings, cues, afar)

    def place(luma: Pixels) -> float:
        """Where the bright is: it tells one frame from another."""
        return float((luma * np.arange(luma.shape[1])).mean())

    def flows(around: Lumas) -> list[Flow]:
        return [np.full((*of_flow(around.here).shape, 2), place(around.here), np.float32)]

    monkeypatch.setattr(sampler, "flows_around", flows)
    monkeypatch.setattr(finding, "find_foreground", recorded)
    fit_parts(clip(6), ColourExtractor(), FIT)
    (sample,) = given
    wanted = [place(small_luma(frame(at))) for at in range(6)]
    assert len(set(wanted)) == 6
    assert [float(one.motion.flows[0].mean()) for one in sample.frames] == pytest.approx(wanted)


def test_at_most_so_many_patches_are_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Sample] = []

    def recorded(sample: Sample, settings: FitSettings, cues: Cues | None, afar: Afar | None) -> object:
        given.append(sample)
        return find_foreground(sample, settings, cues, afar)

    monkeypatch.setattr(finding, "find_foreground", recorded)
    for descriptors in (60_000, 6 * 12 * 20, 6 * 6 * 10, 200):
        fit_parts(clip(), ColourExtractor(), replace(FIT, descriptors=descriptors))
    assert [len(sample) for sample in given[:3]] == [6 * 12 * 20, 6 * 12 * 20, 6 * 6 * 10]
    assert len(given[3]) <= 200
    assert all(len(sample.frames) == 6 for sample in given)
    # What is left are rows and columns of the whole: the same descriptors at the same places.
    whole, half = given[0].frames[2], given[2].frames[2]
    for name in ("descriptors", "tokens"):
        assert np.array_equal(getattr(half, name), getattr(whole, name)[1::2, 1::2])


def test_frames_of_pass_1_are_not_extracted_twice() -> None:
    source, extractor, cache = clip(), ColourExtractor(), FeatureCache()
    model = fit_parts(source, extractor, FIT, cache=cache)
    alone = RefineSettings(window=0, keys=1)  # a window would outvote what is wrong in single frames
    without = labels_of(source, ColourExtractor(), model, settings=alone)
    before = extractor.frames
    assert np.array_equal(labels_of(source, extractor, model, settings=alone, cache=cache), without)
    assert before == 6
    assert extractor.frames == 20


def test_where_key_frames_are_few_they_are_what_is_sampled() -> None:
    class Noting(MemorySource):
        given: list[int]

        def sample_around(
            self, count: int, at: float | None = None, *, beside: bool = True, among: int = 1
        ) -> Generator[Neighbourhood, None, None]:
            self.given.append(among)
            return super().sample_around(count, at, beside=beside, among=among)

    source = Noting(np.stack([frame(i) for i in range(20)]))
    source.given = []
    for keys in (1, 2, 4, 7, 9, 11):
        fit_parts(source, ColourExtractor(), FIT, keys=keys)
    fit_parts(source, ColourExtractor(), replace(FIT, motion="off"), keys=4)
    assert source.given == [1, 1, 4, 7, 3, 1, 1]  # of every ninth and eleventh there are too few


def test_the_cache_keeps_to_its_budget() -> None:
    frame_bytes = 12 * 20 * (4 + 8) * 4  # patches x descriptor and tokens x float32
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


def test_too_small_an_object_for_parts() -> None:
    small = np.full((1, 96, 160, 3), GREY[0], dtype=np.uint8)
    small[0, 40:64, 40:64] = STRIPES[0]
    with pytest.raises(FitError, match=r"the object covers 9 patches of 1 frames.*; lower --parts"):
        fit_parts(MemorySource(small), ColourExtractor(), FitSettings(frames=1))


@pytest.mark.parametrize("foreground", ["probe", "vote"])
def test_a_clip_that_shows_nothing_is_an_error_in_one_line(foreground: Foreground) -> None:
    grain = np.random.default_rng(0).integers(0, 4, (4, 96, 160, 3), dtype=np.uint8)  # as of a covered lens
    for pixels in (np.full_like(grain, 99), grain):
        with pytest.raises(FitError, match=r"^\S+: every sampled frame is of one colour, there is no object; .*$"):
            fit_parts(MemorySource(pixels), ColourExtractor(), replace(FIT, foreground=foreground))


def test_the_cache_gives_what_it_was_given(tmp_path: Path) -> None:
    cache, extractor = FeatureCache(), ColourExtractor()
    with_tokens = extractor.extract(frame(0)[None], attention=True, tokens=True)
    without = extractor.extract(frame(1)[None])
    cache.put(tmp_path, 0, with_tokens)
    cache.put(tmp_path, 1, without)
    cache.put(tmp_path, 1, with_tokens)  # it is there already
    first, second = cache.get(tmp_path, 0), cache.get(tmp_path, 1)
    assert first is not None
    assert second is not None
    assert with_tokens.tokens is not None
    assert first.tokens is not None
    assert first.tokens.equal(with_tokens.tokens)
    assert first.descriptors.equal(with_tokens.descriptors)
    assert first.attention is None
    assert second.tokens is None
    assert second.descriptors.equal(without.descriptors)
    assert cache.get(tmp_path, 2) is None
    assert cache.get(tmp_path / "other", 0) is None


def test_the_cache_keeps_no_more_of_a_batch_than_the_frame(tmp_path: Path) -> None:
    cache, extractor = FeatureCache(), ColourExtractor()
    batch = extractor.extract(np.stack([frame(0), frame(1)]))
    cache.put(tmp_path, 1, Features(batch.descriptors[1:], batch.grid))
    kept = cache.get(tmp_path, 1)
    assert kept is not None
    assert kept.descriptors.equal(batch.descriptors[1:])
    assert kept.descriptors.untyped_storage().nbytes() == kept.descriptors.nbytes


def test_where_the_time_goes_is_counted() -> None:
    clock, source, extractor = StageClock(), clip(), ColourExtractor()
    model = fit_parts(source, extractor, FIT, clock=clock)
    list(segment(source, extractor, model, clock=clock))
    assert set(clock.seconds) == {"decode", "flow", "vit", "cluster", "link", "carry", "window", "refine"}
    assert all(seconds > 0 for seconds in clock.seconds.values())


def test_progress_counts_every_sampled_frame() -> None:
    steps: list[int] = []
    fit_parts(clip(), ColourExtractor(4), FIT, on_frames=steps.append)
    assert steps == [1] * 6


def test_where_chances_are_wanted_every_frame_is_seen() -> None:
    source, extractor = clip(), ColourExtractor()
    model = fit_parts(source, extractor, FIT)
    plain, seen = RefineSettings(keys=1), []
    for settings, chances in ((plain, False), (plain, True), (RefineSettings(keys=4), True)):
        before = extractor.frames
        seen.append(np.concatenate([m.labels for m in segment(source, extractor, model, settings, chances=chances)]))
        assert extractor.frames - before == 20
    assert np.array_equal(seen[0], seen[1])
    assert np.array_equal(seen[0], seen[2])


def test_more_frames_than_there_are_change_nothing() -> None:
    source, extractor = clip(12), ColourExtractor()
    all_of_them, far_more = (
        fit_parts(source, extractor, FitSettings(parts=3, frames=frames)) for frames in (12, 100_000)
    )
    assert_same(all_of_them, far_more)


@pytest.mark.parametrize("matte", [False, True])
def test_the_way_of_a_gpu_gives_the_same(matte: bool) -> None:
    """There, one thread tells the device what to do, and others do what is left. A numbered CPU goes that way, too."""
    source, extractor, other = clip(), ColourExtractor(), ColourExtractor()
    other.device = torch.device("cpu", 0)
    assert other.device != extractor.device
    model = fit_parts(source, extractor, FIT)
    for one, two in zip(
        segment(source, extractor, model, matte=matte), segment(source, other, model, matte=matte), strict=True
    ):
        assert np.array_equal(one.frames.index, two.frames.index)
        assert np.array_equal(one.labels, two.labels)
        assert (one.matte is None) == (not matte)
        assert one.matte is None or np.array_equal(one.matte, two.matte)  # type: ignore[arg-type]

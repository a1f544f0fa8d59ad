"""The patches of sampled frames, one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from videoparts.sampling.sample import FrameSample, Sample, share_of


def frame(h: int, w: int, seed: int, aspect: float = 0.5) -> FrameSample:
    random = np.random.default_rng(seed)
    shapes = ((h, w, 3), (h, w, 6), (h, w), (h, w))
    descriptors, tokens, saliency, other = (random.random(shape).astype(np.float32) for shape in shapes)
    return FrameSample(descriptors, tokens, saliency, other, aspect)


def test_frames_of_several_sizes_lie_one_after_the_other() -> None:
    frames = [frame(3, 5, 0), frame(4, 2, 1), frame(1, 1, 2)]
    sample = Sample(frames)
    assert len(sample) == 15 + 8 + 1
    assert sample.frame.tolist() == [0] * 15 + [1] * 8 + [2]
    at = 0
    for one in frames:
        for y in range(one.shape[0]):
            for x in range(one.shape[1]):
                assert np.array_equal(sample.descriptors[at], one.descriptors[y, x])
                assert np.array_equal(sample.tokens[at], one.tokens[y, x])
                assert sample.saliency[at] == one.saliency[y, x]
                at += 1
    assert at == len(sample)


def test_values_become_maps_again() -> None:
    frames = [frame(3, 5, 0), frame(4, 2, 1)]
    sample = Sample(frames)
    for found, one in zip(sample.maps(sample.saliency), frames, strict=True):
        assert np.array_equal(found, one.saliency)
    assert [m.dtype for m in sample.maps(np.zeros(23, bool))] == [np.bool_, np.bool_]


def test_places_are_in_widths_of_the_frame() -> None:
    place = Sample([frame(2, 4, 0, aspect=0.5)]).place.reshape(2, 4, 2)
    assert place[..., 0].tolist() == [[0.125] * 4, [0.375] * 4]  # down: 0 to 0.5
    assert place[..., 1].tolist() == [[0.125, 0.375, 0.625, 0.875]] * 2
    # Half of the patches see the same frame at the same places.
    fine, coarse = (Sample([frame(n, 2 * n, 0)]).place for n in (40, 4))
    assert np.allclose(fine.mean(axis=0), coarse.mean(axis=0))


def test_the_border_is_one_patch_wide() -> None:
    border = Sample([frame(4, 5, 0), frame(2, 3, 0)]).border
    assert border[:20].reshape(4, 5).astype(int).tolist() == [
        [1, 1, 1, 1, 1],
        [1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1],
        [1, 1, 1, 1, 1],
    ]
    assert border[20:].all()


def test_a_thinned_frame_is_rows_and_columns_of_the_whole() -> None:
    whole = replace(frame(12, 20, 0), mark=np.eye(12, 20) > 0, evidence=np.random.default_rng(1).random((12, 20)))
    thin = whole.thinned(60)
    assert thin.shape == (6, 10)
    assert thin.step == 2
    for name in ("descriptors", "tokens", "saliency", "paper_saliency", "mark", "evidence"):
        kept = getattr(thin, name)
        assert np.array_equal(kept, getattr(whole, name)[1::2, 1::2])
        assert kept.base is None  # of the whole nothing is kept
    assert thin.thinned(15).step == 4
    assert whole.thinned(240).step == 1


@pytest.mark.parametrize(
    ("most", "frames", "shape"), [(1000, 4, (12, 20)), (480, 2, (12, 20)), (210, 1, (6, 10)), (5, 1, (2, 3))]
)
def test_a_share_is_whole_frames_before_it_is_crumbs(most: int, frames: int, shape: tuple[int, int]) -> None:
    kept = share_of([frame(12, 20, seed) for seed in range(4)], most)
    assert len(kept) == frames
    assert {one.shape for one in kept} == {shape}
    assert sum(one.saliency.size for one in kept) <= max(most, 6)


def test_something_is_left_of_a_very_wide_frame() -> None:
    assert frame(3, 400, 0).thinned(1).shape == (1, 11)

"""The second look from twice as far: when it is taken, what it is given, and which look wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from colours import MemorySource
from media import picture
from scenes import Scene, Thing, box, overlap
from tiny import tiny_extractor

from videoparts.clock import StageClock
from videoparts.config import FitSettings
from videoparts.foreground import from_afar
from videoparts.foreground.evidence import Cues
from videoparts.foreground.from_afar import learn_at_both
from videoparts.foreground.probe import LinearProbe
from videoparts.foreground.teaching import learn
from videoparts.one_thread import one_thread
from videoparts.sampling.sample import FrameSample, Sample
from videoparts.sampling.sampler import Sampler

STILL = Cues(motion=False)


class Look:
    """Shows a sample, and remembers that it was asked for."""

    def __init__(self, sample: Sample | None) -> None:
        self.sample, self.asked = sample, 0

    def __call__(self, frames: Sequence[FrameSample]) -> Sample | None:
        self.asked += 1
        return self.sample


def close_up(dull: float) -> Scene:
    """An object in two halves that look different: one is salient, the other as much as ``dull``."""
    halves = [Thing(5, lambda i: box(4, 6 + i % 3, 11, 8), 3.0), Thing(6, lambda i: box(4, 14 + i % 3, 11, 8), dull)]
    return Scene(halves, noise=0.2, flowing=False)


def test_the_whole_that_is_seen_from_afar_is_taken() -> None:
    near, far = close_up(0.2), close_up(3.0)
    sample, look = near.sample(), Look(far.sample())
    with one_thread():
        alone, both = learn(sample, STILL), learn_at_both(sample, STILL, look)
    assert overlap(alone.marks, near.truth(1, 2)) < 0.6
    assert overlap(both.marks, near.truth(1, 2)) > 0.95
    assert look.asked == 1


def test_where_nothing_moves_a_larger_object_must_be_clearer(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = close_up(0.2), close_up(3.0)
    sample, look = near.sample(), Look(far.sample())
    monkeypatch.setattr(from_afar, "_DOUBT", 10.0)
    with one_thread():
        assert np.array_equal(learn_at_both(sample, STILL, look).marks, learn(sample, STILL).marks)
        # Where motion has told what is of it, it is taken all the same.
        monkeypatch.setattr(from_afar, "learn", lambda *given: replace(learn(*given), moving=True))
        assert overlap(learn_at_both(sample, STILL, look).marks, near.truth(1, 2)) > 0.95


def test_a_worse_look_is_not_taken() -> None:
    near = close_up(3.0)
    # From afar there is nothing to be told apart.
    blurred = Scene(near.things, noise=2.0, flowing=False).sample()
    sample, look = near.sample(), Look(blurred)
    with one_thread():
        alone, both = learn(sample, STILL), learn_at_both(sample, STILL, look)
    assert look.asked == 1
    assert np.array_equal(both.marks, alone.marks)
    assert np.array_equal(both.evidence, alone.evidence)


def test_small_objects_and_those_that_are_known_are_not_looked_at_from_afar() -> None:
    small = Scene([Thing(5, lambda i: box(6, 5 + i, 4, 4), 3.0)], noise=0.2, flowing=False).sample()
    large = close_up(3.0).sample()
    marked = Sample([replace(frame, seed=box(5, 8, 2, 2)) for frame in large.frames])
    like = LinearProbe(torch.zeros(large.tokens.shape[1]), 0.0)
    look = Look(large)
    with one_thread():
        learn_at_both(small, STILL, look)
        learn_at_both(marked, STILL, look)
        learn_at_both(large, STILL, look, like)
        assert look.asked == 0
        learn_at_both(large, STILL, look)
        assert look.asked == 1


def test_where_there_is_no_far_look_the_near_one_counts() -> None:
    sample = close_up(3.0).sample()
    with one_thread():
        alone = learn(sample, STILL)
        for afar in (None, Look(None)):
            assert np.array_equal(learn_at_both(sample, STILL, afar).marks, alone.marks)


def sampler(extractor: object, **settings: object) -> Sampler:
    return Sampler(extractor, FitSettings(frames=3, **settings), None, StageClock())  # type: ignore[arg-type]


SOURCE = MemorySource(np.stack([picture(i, 128, 192) for i in range(6)]))


@pytest.mark.parametrize("threads", [1, 2])
def test_frames_are_seen_at_half_the_size(threads: int) -> None:
    near, far = tiny_extractor(load_size=64), tiny_extractor(load_size=32)
    torch.set_num_threads(threads)
    try:
        draws = sampler(near)
        drawn = draws.draw(SOURCE, 3, 0).frames
        with one_thread():
            seen = draws.afar(drawn)
    finally:
        torch.set_num_threads(1)
    assert seen is not None
    wanted = sampler(far).draw(SOURCE, 3, 0).frames
    for one, before, other in zip(seen.frames, drawn, wanted, strict=True):
        assert one.shape == other.shape == (before.shape[0] // 2, before.shape[1] // 2)
        assert np.abs(one.descriptors - other.descriptors).max() < 1e-5
        assert np.abs(one.tokens - other.tokens).max() < 1e-5
        assert np.abs(one.saliency - other.saliency).max() < 1e-4
        assert one.motion is before.motion
        assert one.small is None


def test_nothing_is_kept_for_it_where_it_is_not_wanted() -> None:
    extractor = tiny_extractor(load_size=64)
    for settings in ({"afar": False}, {"foreground": "vote"}, {"object": "90,60@0"}):
        draws = sampler(extractor, **settings)
        drawn = draws.draw(SOURCE, 3, 0).frames
        assert all(frame.small is None for frame in drawn)
        assert draws.afar(drawn) is None


def test_the_extractor_at_half_its_load_size() -> None:
    extractor = tiny_extractor(load_size=64)
    other = extractor.afar()
    assert other is not None
    wanted = tiny_extractor(load_size=32)
    assert other.identity == wanted.identity
    pixels = picture(0, 128, 192)[None]
    assert torch.equal(other.extract(pixels).descriptors, wanted.extract(pixels).descriptors)
    assert extractor.identity.load_size == 64
    assert other.afar() is None  # 16 pixels are 4 patches

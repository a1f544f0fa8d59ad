"""The paper's vote on samples whose object is known."""

from __future__ import annotations

import numpy as np

from videoparts.config import FitSettings
from videoparts.foreground import Sample, vote


def sample(in_frames: int, frames: int = 8, salient: float = 0.6) -> tuple[Sample, np.ndarray]:
    """Three things, of which the first is salient in ``in_frames`` of the frames; and which descriptors are it."""
    random = np.random.default_rng(0)
    centres = np.eye(12)[:3]
    thing = np.tile(np.repeat(np.arange(3), 40), frames)
    frame = np.repeat(np.arange(frames), 120)
    points = centres[thing] + 0.05 * random.normal(size=(len(thing), 12))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    saliency = np.where((thing == 0) & (frame < in_frames), salient, 0.02).astype(np.float32)
    return Sample(points, saliency, frame, frames), thing == 0


def test_a_cluster_with_enough_votes_is_foreground() -> None:
    given, wanted = sample(in_frames=6)  # 6 of 8 is the paper's share, 75 %
    found = vote(given, FitSettings())
    assert np.array_equal(found.mask, wanted)
    assert len(found.background) >= 2
    assert np.all(found.background @ given.descriptors[wanted][0] < 0.5)


def test_a_higher_share_of_votes_can_be_asked_for() -> None:
    given, _ = sample(in_frames=6)
    strict = vote(given, FitSettings(votes=1.0))
    # No cluster has all votes: then the most salient one is taken all the same.
    assert strict.mask.any()


def test_the_threshold_decides() -> None:
    given, wanted = sample(in_frames=8, salient=0.3)
    assert np.array_equal(vote(given, FitSettings(threshold=0.1)).mask, wanted)
    assert vote(given, FitSettings(threshold=0.01)).mask.all()


def test_an_object_that_fills_the_frame_leaves_no_background() -> None:
    given, _ = sample(in_frames=8)
    everything = vote(given, FitSettings(threshold=-1.0))
    assert everything.mask.all()
    assert everything.background.shape == (0, 12)

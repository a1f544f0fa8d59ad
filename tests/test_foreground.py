"""The paper's vote, and the consensus of several, on samples whose object is known."""

from __future__ import annotations

import numpy as np

from videoparts.config import FitSettings
from videoparts.foreground import Sample, consensus, vote


def sample(in_frames: int, frames: int = 8, salient: float = 0.6) -> tuple[Sample, np.ndarray]:
    """Three things, of which the first is salient in ``in_frames`` of the frames; and which descriptors are it."""
    random = np.random.default_rng(0)
    centres = np.eye(12)[:3]
    thing = np.tile(np.repeat(np.arange(3), 40), frames)
    frame = np.repeat(np.arange(frames), 120)
    points = centres[thing] + 0.05 * random.normal(size=(len(thing), 12))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    saliency = np.where((thing == 0) & (frame < in_frames), salient, 0.02).astype(np.float32)
    # The object lies in the middle, the second thing along the border, the third everywhere.
    place = np.stack([random.uniform(*limits, size=2) for limits in np.array([(0.4, 0.6), (0, 0.1), (0, 1)])[thing]])
    border = (thing == 1) | ((thing == 2) & (random.random(len(thing)) < 0.2))
    return Sample(points, saliency, frame, frames, place.astype(np.float32), border), thing == 0


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


def test_the_consensus_finds_the_object_and_describes_the_rest() -> None:
    given, wanted = sample(in_frames=7)
    found = consensus(given, FitSettings())
    assert np.array_equal(found.mask, wanted)
    assert len(found.background) == 32
    assert np.all((found.background @ given.descriptors[wanted].T).max() < 0.6)


def test_the_consensus_takes_what_is_most_salient_where_nothing_has_enough_votes() -> None:
    given, wanted = sample(in_frames=3)
    found = consensus(given, FitSettings(votes=1.0))
    assert found.mask.any()
    assert not found.mask[~wanted].any()


def test_what_is_spread_or_keeps_to_the_border_is_no_object() -> None:
    given, wanted = sample(in_frames=8)
    assert np.array_equal(consensus(given, FitSettings(threshold=-1.0)).mask, wanted)


def test_an_object_that_is_everything_leaves_no_background() -> None:
    given, wanted = sample(in_frames=8)
    alone = Sample(*(getattr(given, f)[wanted] for f in ("descriptors", "saliency", "frame")), 8,
                   given.place[wanted], given.border[wanted])  # fmt: skip
    found = consensus(alone, FitSettings(threshold=-1.0))
    assert found.mask.all()
    assert len(found.background) == 0


def test_the_same_seed_gives_the_same_foreground() -> None:
    given, _ = sample(in_frames=6, salient=0.2)
    one, other = consensus(given, FitSettings(seed=5)), consensus(given, FitSettings(seed=5))
    assert np.array_equal(one.mask, other.mask)
    assert np.array_equal(one.background, other.background)

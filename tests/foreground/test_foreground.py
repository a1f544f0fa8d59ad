"""The paper's vote, and the probe that the clip teaches itself, on scenes whose object is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scenes import FINE, SIZE, H, Scene, Thing, W, box, overlap

from videoparts.config import FitSettings
from videoparts.features import Features
from videoparts.foreground.evidence import Cues
from videoparts.foreground.finding import Foreground, find_foreground, vote
from videoparts.foreground.probe import CentroidProbe, LinearProbe
from videoparts.grid import Grid
from videoparts.sampling.motion import Motion
from videoparts.sampling.sample import FrameSample, Sample

# The vote


def voting(in_frames: int, frames: int = 8, salient: float = 0.6) -> tuple[Sample, npt.NDArray[np.bool_]]:
    """Three things, of which the first is salient in ``in_frames`` of the frames; and which patches are it."""
    random = np.random.default_rng(0)
    thing = np.arange(3).repeat(4)[:, None].repeat(10, axis=1)  # (12, 10)
    seen = []
    for i in range(frames):
        points = np.eye(12)[thing] + 0.05 * random.normal(size=(12, 10, 12))
        points = (points / np.linalg.norm(points, axis=-1, keepdims=True)).astype(np.float32)
        saliency = np.where((thing == 0) & (i < in_frames), salient, 0.02).astype(np.float32)
        seen.append(FrameSample(points, points, np.ones_like(saliency), saliency, aspect=1.0))
    return Sample(seen), np.tile(thing.ravel() == 0, frames)


def centroids(found: Foreground) -> CentroidProbe:
    assert isinstance(found.probe, CentroidProbe)
    return found.probe


def test_a_cluster_with_enough_votes_is_foreground() -> None:
    given, wanted = voting(in_frames=6)  # 6 of 8 is the paper's share, 75 %
    found = vote(given, FitSettings())
    assert np.array_equal(found.mask, wanted)
    background = centroids(found).background.numpy()
    assert len(background) >= 2
    assert np.all(background @ given.descriptors[wanted][0] < 0.5)


def test_with_too_few_votes_the_most_salient_on_average_is_taken() -> None:
    given, wanted = voting(in_frames=5)
    given.frames[0].paper_saliency[8:] = 8.0  # the third thing: one vote, and more saliency in all
    assert not (vote(given, FitSettings()).mask & wanted).any()
    assert np.array_equal(vote(given, FitSettings(votes=5 / 8)).mask, wanted)


def test_the_threshold_decides() -> None:
    given, wanted = voting(in_frames=8, salient=0.3)
    assert np.array_equal(vote(given, FitSettings(threshold=0.1)).mask, wanted)
    assert vote(given, FitSettings(threshold=0.01)).mask.all()


def test_an_object_that_fills_the_frame_leaves_no_background() -> None:
    given, _ = voting(in_frames=8)
    everything = vote(given, FitSettings(threshold=-1.0))
    assert everything.mask.all()
    assert centroids(everything).background.shape == (0, 12)


def test_the_probe_of_a_vote_says_what_the_vote_says() -> None:
    given, wanted = voting(in_frames=8)
    found = vote(given, FitSettings())
    odds = found.probe.odds(features(given))
    assert np.array_equal(odds.numpy().ravel() > 0, wanted)


def of_clips(sample: Sample, clips: list[int]) -> Sample:
    """The same frames, of several clips."""
    return Sample([replace(frame, clip=k) for frame, k in zip(sample.frames, clips, strict=True)])


def test_each_clip_has_one_vote_however_many_frames_it_has() -> None:
    given, wanted = voting(in_frames=6)
    # Six of eight frames are enough of one clip, but not where the other two are half of the clips,
    assert not (vote(of_clips(given, [0] * 6 + [1] * 2), FitSettings()).mask & wanted).all()
    # nor where they are two of three; where they are one of four, they are outvoted.
    assert not (vote(of_clips(given, [0] * 6 + [1, 2]), FitSettings()).mask & wanted).all()
    assert np.array_equal(vote(of_clips(given, [0, 0, 0, 0, 1, 2, 3, 3]), FitSettings()).mask, wanted)


def test_a_clip_votes_for_what_wins_in_enough_of_its_frames() -> None:
    given, wanted = voting(in_frames=5)  # too few of eight
    given.frames[0].paper_saliency[8:] = 8.0  # what would be taken instead
    split = of_clips(given, [0, 0, 0, 1, 2, 3, 3, 3])  # but three of four clips have it in all of their frames
    assert np.array_equal(vote(split, FitSettings()).mask, wanted)
    assert not (vote(of_clips(given, [0, 0, 0, 0, 0, 1, 1, 1]), FitSettings()).mask & wanted).any()


def test_pictures_vote_as_frames_do() -> None:
    for in_frames in (5, 6):
        given, _ = voting(in_frames)
        assert np.array_equal(
            vote(of_clips(given, list(range(8))), FitSettings()).mask, vote(given, FitSettings()).mask
        )


def test_the_most_salient_is_so_over_clips() -> None:
    given, wanted = voting(in_frames=5)
    given.frames[0].paper_saliency[8:] = 8.0  # most over frames, and in the one long clip; nothing in the others
    split = of_clips(given, [0] * 6 + [1, 2])
    for frame in split.frames[6:]:
        frame.paper_saliency[:4] = 0.06  # below the threshold, yet more than the rest
    split.frames[0].paper_saliency[8:] = 0.6
    found = vote(
        split, FitSettings()
    ).mask  # one cluster; the elbow is one past the three things, so it may be half of one
    assert found.sum() > wanted.sum() / 3
    assert not (found & ~wanted).any()


def features(sample: Sample) -> Features:
    """All frames of a sample as an extractor would give them."""
    descriptors = torch.from_numpy(np.stack([f.descriptors for f in sample.frames]))
    tokens = torch.from_numpy(np.stack([f.tokens for f in sample.frames]))
    _, h, w, _ = descriptors.shape
    return Features(descriptors, Grid(8 * h, 8 * w, 8, 8), tokens=tokens)


# The probe


def find(scene: Scene, *, motion: bool = True, draw: int = 0) -> npt.NDArray[np.bool_]:
    return find_foreground(scene.sample(), FitSettings(), Cues(motion=motion, draw=draw)).mask


def wanderer(salient: float = 3.0, looks: int = 5) -> Thing:
    return Thing(looks, lambda i: box(6 + i % 3, 4 + 2 * i, 6, 8), salient, lambda _: (1.5, 0.5))


BOTH = pytest.mark.parametrize("motion", [True, False], ids=["motion", "looks"])


@BOTH
@pytest.mark.parametrize("noise", [0.02, 0.12, 0.2])
def test_a_salient_object_that_moves_is_found(noise: float, motion: bool) -> None:
    scene = Scene([wanderer()], noise=noise)
    assert overlap(find(scene, motion=motion), scene.truth(1)) > 0.97


@BOTH
def test_the_probe_says_in_every_frame_what_the_mask_says(motion: bool) -> None:
    scene = Scene([wanderer()])
    sample = scene.sample()
    found = find_foreground(sample, FitSettings(motion="auto" if motion else "off"))
    assert isinstance(found.probe, LinearProbe)
    odds = found.probe.odds(features(sample)).numpy().ravel()
    # The mask is made in float64, the probe works in float32: they differ at 0 only.
    sure = np.abs(odds) > 1e-3
    assert sure.mean() > 0.999
    assert np.array_equal(odds[sure] > 0, found.mask[sure])
    assert np.abs(odds).max() < 100  # log-odds, not a step


def test_the_probe_finds_the_object_in_frames_it_has_not_seen() -> None:
    found = find_foreground(Scene([wanderer()]).sample(), FitSettings())
    other = Scene([Thing(5, lambda i: box(2 + i, 20, 9, 7))], seed=7)
    seen = found.probe.odds(features(other.sample())).numpy().ravel() > 0
    assert overlap(seen, other.truth(1)) > 0.97


def test_what_moves_by_itself_is_the_object_though_something_still_is_more_salient() -> None:
    poster = Thing(5, lambda _: box(4, 3, 6, 8), 4.0)
    walker = Thing(6, lambda i: box(8, 14 + i, 6, 7), 0.8, lambda _: (1.5, 0.0))
    scene = Scene([poster, walker])
    assert overlap(find(scene), scene.truth(2)) > 0.97
    assert overlap(find(scene, motion=False), scene.truth(1)) > 0.97


def test_a_salient_body_that_hardly_moves_is_found_with_the_head_that_does() -> None:
    body = Thing(6, lambda i: box(9, 5 + i, 9, 11), 2.5, lambda _: (0.3, 0.0))  # to the border of the frame
    head = Thing(5, lambda i: box(4, 8 + i, 5, 6), 3.0, lambda _: (1.5, 0.0))
    scene = Scene([body, head])
    assert overlap(find(scene), scene.truth(1, 2)) > 0.97


def test_motion_can_be_left_out_of_the_evidence() -> None:
    scene = Scene([Thing(5, lambda _: box(4, 3, 6, 8), 4.0), replace(wanderer(0.8), looks=6)])
    found = find_foreground(scene.sample(), FitSettings(), Cues(motion=False))
    assert np.array_equal(found.mask, find(scene, motion=False))
    assert not np.array_equal(found.mask, find(scene))


CAMERAS: dict[str, Callable[[int, npt.NDArray[np.float64], npt.NDArray[np.float64]], tuple[object, object]]] = {
    "pan": lambda i, y, x: (4.0 + i, -1.0),
    "zoom": lambda i, y, x: (0.08 * (x - 40), 0.08 * (y - 20)),
    "turn": lambda i, y, x: (0.05 * (y - 27), -0.05 * (x - 48)),
    "still": lambda i, y, x: (0.0, 0.0),
}


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_camera_that_moves_over_a_still_world_changes_nothing(camera: str) -> None:
    things = [Thing(5, lambda _: box(6, 10, 7, 9), 3.0)]
    filmed = Scene(things, camera=CAMERAS[camera])
    found = find(filmed)
    assert overlap(found, filmed.truth(1)) > 0.97
    assert np.array_equal(found, find(Scene(things, flowing=False)))


@pytest.mark.parametrize("camera", CAMERAS)
def test_what_moves_by_itself_is_seen_by_a_camera_that_moves(camera: str) -> None:
    poster = Thing(5, lambda _: box(4, 3, 6, 8), 4.0)
    scene = Scene([poster, replace(wanderer(0.8), looks=6)], camera=CAMERAS[camera])
    assert overlap(find(scene), scene.truth(2)) > 0.97


def test_what_is_painted_on_the_screen_is_not_the_object() -> None:
    # It moves by itself, for the camera follows the wanderer.
    logo = Thing(5, lambda _: box(3, 3, 5, 6), 6.0, lambda _: (-4.0, 0.0))
    scene = Scene([logo, replace(wanderer(1.5), looks=6)], camera=lambda i, y, x: (4.0, 0.0))
    assert find(scene)[scene.truth(1)].mean() > 0.9
    sample = scene.sample()
    marks = (scene.labels[0] == 1).repeat(FINE, axis=0).repeat(FINE, axis=1)
    told = [replace(frame, motion=Motion(frame.motion.flows, marks)) for frame in sample.frames]
    assert overlap(find_foreground(Sample(told), FitSettings()).mask, scene.truth(2)) > 0.97


@pytest.mark.parametrize(("salient", "moves"), [(4.0, 0.11), (5.0, 0.1), (6.0, 0.08)])
def test_a_thing_that_hardly_moves_is_no_piece_of_one_that_walks_by(salient: float, moves: float) -> None:
    # It is larger and stands out more, and where the two touch it is one component with who walks by.
    car = Thing(5, lambda _: box(4, 9, 7, 12), salient, lambda _: (moves, 0.0))
    walker = Thing(6, lambda i: box(5, 1 + 3 * i if i < 9 else 26, 7, 4), 3.0, lambda _: (3.0, 0.0))
    scene = Scene([car, walker])
    assert overlap(find(scene), scene.truth(2)) > 0.97


@pytest.mark.parametrize("ship_moves", [False, True])
def test_a_sky_whose_flow_is_a_guess_is_not_the_object(ship_moves: bool) -> None:
    sky = Thing(5, lambda _: box(0, 2, 6, 14), 1.2, lambda i: (3.0, -2.0 + i % 3))
    ship = replace(wanderer(1.5), looks=6) if ship_moves else Thing(6, lambda _: box(10, 6, 6, 8), 4.0)
    scene = Scene([sky, ship])
    assert find(scene)[scene.truth(1)].mean() > 0.9
    sample = scene.sample()
    empty = (scene.labels[0] == 1).repeat(FINE, axis=0).repeat(FINE, axis=1)
    told = [replace(frame, motion=Motion(frame.motion.flows, plain=empty)) for frame in sample.frames]
    assert overlap(find_foreground(Sample(told), FitSettings()).mask, scene.truth(2)) > 0.97


def test_frames_that_do_not_follow_each_other_are_judged_by_looks() -> None:
    things = [Thing(5, lambda _: box(4, 3, 6, 8), 4.0), replace(wanderer(0.8), looks=6)]
    apart = Scene(things, flowing=False)
    assert np.array_equal(find(apart), find(apart, motion=False))
    assert np.array_equal(find(apart), find(Scene(things), motion=False))


@pytest.mark.parametrize(("known", "wanted"), [(0, 1), (4, 2), (8, 2)])
def test_motion_counts_by_the_share_of_frames_that_have_it(known: int, wanted: int) -> None:
    scene = Scene([Thing(5, lambda _: box(4, 3, 6, 8), 4.0), replace(wanderer(0.8), looks=6)])
    sample = scene.sample()
    for i, frame in enumerate(sample.frames):
        if i >= known:
            sample.frames[i] = replace(frame, motion=Motion())
    found = find_foreground(sample, FitSettings()).mask
    assert overlap(found, scene.truth(wanted)) > 0.97


# Frames are lifted until, in four of five, the first patch comes to the threshold where the object is not there.
NEARLY_NONE = 0.004


@BOTH
def test_an_object_that_enters_late(motion: bool) -> None:
    late = Thing(5, lambda i: box(6, 4 + 2 * i, 6, 8 if i >= 5 else 0), 3.0, lambda _: (1.5, 0.0))
    scene = Scene([late])
    found = find(scene, motion=motion)
    assert overlap(found, scene.truth(1)) > 0.95
    assert found[: 5 * H * W].mean() < NEARLY_NONE


@BOTH
def test_an_object_that_leaves(motion: bool) -> None:
    leaving = Thing(5, lambda i: box(6, 10 - 4 * i, 6, 8), 3.0, lambda _: (-1.5, 0.0))
    scene = Scene([leaving])
    assert not scene.labels[5].any()
    found = find(scene, motion=motion)
    assert overlap(found, scene.truth(1)) > 0.95
    assert found[5 * H * W :].mean() < NEARLY_NONE


@BOTH
@pytest.mark.parametrize("margin", [1, 2])
def test_an_object_that_fills_most_of_the_frame(margin: int, motion: bool) -> None:
    large = Thing(
        5, lambda i: box(margin, margin + i % 2, H - 2 * margin, W - 2 * margin - 1), 1.5, lambda _: (1.5, 0.5)
    )
    scene = Scene([large])
    assert scene.truth(1).mean() > 0.6
    assert overlap(find(scene, motion=motion), scene.truth(1)) > 0.97


@BOTH
@pytest.mark.parametrize("looks", [5, 6], ids=["alike", "unlike"])
def test_two_objects_of_similar_size_are_both_kept(looks: int, motion: bool) -> None:
    left = Thing(5, lambda i: box(5, 3 + i, 6, 6), 3.0, lambda _: (1.0, 0.0))
    right = Thing(looks, lambda i: box(7, 26 - i, 6, 5), 2.5, lambda _: (-1.0, 0.0))
    scene = Scene([left, right])
    found = find(scene, motion=motion)
    for k in (1, 2):
        assert found[scene.truth(k)].mean() > 0.95
    assert overlap(found, scene.truth(1, 2)) > 0.95


def test_a_crumb_beside_a_large_object_is_dropped() -> None:
    crumb = Thing(6, lambda i: box(14, 24, 2, 3), 3.0)
    scene = Scene([wanderer(), crumb])
    found = find(scene, motion=False)
    assert found[scene.truth(1)].mean() > 0.97
    assert found[scene.truth(2)].mean() < 0.1


@BOTH
def test_what_spreads_over_the_frame_or_keeps_to_its_border_is_no_object(motion: bool) -> None:
    # As salient as the object, and moving: leaves along the left border, and rain everywhere.
    leaves = Thing(6, lambda _: box(0, 0, H, 3), 2.5, lambda _: (1.0, 0.0))
    rain = np.random.default_rng(3).random((8, H, W)) < 0.08
    scene = Scene([leaves, Thing(7, lambda i: rain[i], 2.5, lambda _: (0.0, 1.5)), wanderer()])
    found = find(scene, motion=motion)
    assert found[scene.truth(3)].mean() > 0.95
    assert found[scene.truth(1)].mean() < 0.1
    assert found[scene.truth(2)].mean() < 0.1


@BOTH
def test_the_same_frames_give_the_same_bytes_whatever_the_seed(motion: bool) -> None:
    settings = [FitSettings(motion="auto" if motion else "off", seed=seed) for seed in (0, 5)]
    one, other = (find_foreground(Scene([wanderer()], noise=0.25).sample(), some) for some in settings)
    assert np.array_equal(one.mask, other.mask)
    assert isinstance(one.probe, LinearProbe)
    assert isinstance(other.probe, LinearProbe)
    assert one.probe.weight.equal(other.probe.weight)
    assert one.probe.bias == other.probe.bias


@BOTH
def test_other_draws_agree(motion: bool) -> None:
    scene = Scene([Thing(5, lambda _: box(4, 3, 6, 8), 1.2), replace(wanderer(), looks=6)], noise=0.25)
    first = find(scene, motion=motion)
    for draw in (1, 2, 3):
        assert overlap(find(scene, motion=motion, draw=draw), first) > 0.97


def test_the_settings_name_the_method() -> None:
    sample = Scene([wanderer()]).sample()
    assert isinstance(find_foreground(sample, FitSettings(foreground="vote")).probe, CentroidProbe)
    probe = find_foreground(sample, FitSettings(foreground="probe")).probe
    assert isinstance(probe, LinearProbe)
    assert len(probe.weight) == 2 * SIZE


def test_one_frame_is_enough() -> None:
    scene = Scene([wanderer()], frames=1)
    assert overlap(find(scene), scene.truth(1)) > 0.97

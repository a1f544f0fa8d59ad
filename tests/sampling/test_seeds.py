"""Where the user says the object is: how it is written, what it marks, and that it decides."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scenes import H, Scene, Thing, W, box, overlap

from videoparts.config import FitSettings
from videoparts.errors import SettingsError
from videoparts.foreground.finding import find_foreground
from videoparts.frames import VideoInfo
from videoparts.grid import Grid
from videoparts.sampling.sample import Sample
from videoparts.sampling.seeds import Seed, parse_box, parse_object


def test_a_point_is_read() -> None:
    assert parse_object("320,180@1.5") == Seed(320, 180, 320, 180, 1.5)
    assert parse_object(" 3.5 , 4 @0:01:02") == Seed(3.5, 4, 3.5, 4, 62)
    assert parse_object("1,2").seconds == 0


def test_a_box_is_read() -> None:
    assert parse_box("10,20,200,120@2") == Seed(10, 20, 200, 120, 2)
    assert not parse_box("10,20,200,120").is_point


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b@1", "1,2@", "1,2@x", "1,2@-1"])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--object must be"):
        parse_object(text)


@pytest.mark.parametrize("text", ["1,2@1", "5,5,1,9", "5,5,9,5", "1,2,3,4,5"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--box must"):
        parse_box(text)


@pytest.mark.parametrize("seed", [Seed(-1, 0, -1, 0, 0), Seed(0, 0, 161, 20, 0), Seed(0, 97, 0, 97, 0)])
def test_what_lies_outside_the_frame_is_refused(seed: Seed) -> None:
    info = VideoInfo(Path("clip.mp4"), 96, 160, 10, Fraction(1, 25), Fraction(25))
    with pytest.raises(SettingsError, match=r"clip.mp4 is 160 x 96 pixels"):
        seed.require_inside(info)


@pytest.mark.parametrize("mark", [{"object": "1,2@0"}, {"box": "1,2,3,4@0"}])
def test_the_vote_takes_no_mark(mark: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="--foreground probe"):
        FitSettings(foreground="vote", **mark)


CENTRES = Grid(4, 8, 1, 1).centres((40, 80))


def test_centres_of_patches_that_overlap_lie_closer_together_than_the_frame_is_wide() -> None:
    """Four of 14 pixels, each 7 from the next, in a picture of 35 that stands for 70."""
    down, right = Grid(35, 14, 14, 7).centres((70, 28))
    assert down.tolist() == [14, 28, 42, 56]
    assert right.tolist() == [14]


def test_a_point_marks_the_patch_that_it_is_in() -> None:
    marked = Seed(25, 15, 25, 15, 0).patches(*CENTRES)
    assert np.argwhere(marked).tolist() == [[1, 2]]
    assert Seed(80, 40, 80, 40, 0).patches(*CENTRES)[3, 7]


def test_a_box_marks_the_patches_whose_centres_it_holds() -> None:
    marked = Seed(10, 0, 40, 20, 0).patches(*CENTRES)
    wanted = np.zeros((4, 8), bool)
    wanted[:2, 1:4] = True
    assert (marked == wanted).all()


def _seeded(scene: Scene, marked: np.ndarray) -> Sample:  # type: ignore[type-arg]
    frames = scene.sample().frames
    return Sample([replace(frames[0], seed=marked), *frames[1:]])


def _two(flowing: bool) -> Scene:
    return Scene(
        [
            Thing(4, lambda i: box(3, 3 + i, 6, 6), salient=6, motion=lambda i: (3.0, 0.0)),
            Thing(6, lambda i: box(10, 22 - i, 5, 6), salient=1, motion=lambda i: (-3.0, 0.0)),
        ],
        flowing=flowing,
    )


@pytest.mark.parametrize("flowing", [True, False])
def test_a_click_on_what_is_not_salient_finds_that(flowing: bool) -> None:
    scene = _two(flowing)
    unasked = find_foreground(scene.sample(), FitSettings()).mask
    assert overlap(unasked, scene.truth(1)) > overlap(unasked, scene.truth(2))
    marked = np.zeros((H, W), bool)
    marked[12, 25] = True
    found = find_foreground(_seeded(scene, marked), FitSettings()).mask
    assert overlap(found, scene.truth(2)) > 0.9


@pytest.mark.parametrize("flowing", [True, False])
def test_a_box_around_it_finds_it_and_not_the_ground(flowing: bool) -> None:
    scene = _two(flowing)
    scene = replace(scene, things=[scene.things[0], replace(scene.things[1], salient=3)])
    found = find_foreground(_seeded(scene, box(8, 20, 9, 10)), FitSettings()).mask
    assert overlap(found, scene.truth(2)) > 0.9

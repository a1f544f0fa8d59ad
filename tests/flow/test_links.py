"""Links between frames whose motion is known, and what is a cut and what is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from moving import moved, texture

from videoparts.flow import links
from videoparts.flow.dense import Flow, Preset, dense_flow, warp
from videoparts.flow.links import Link, link
from videoparts.frames import Pixels


def inner(plane: Pixels | np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return plane[20:-20, 20:-20]


def test_a_pan_is_measured_both_ways_and_trusted() -> None:
    picture = texture(0)
    found = link(picture, moved(picture, 5, -3))
    assert not found.cut
    assert np.abs(inner(found.forward) - (5, -3)).mean() < 0.1
    assert np.abs(inner(found.backward) - (-5, 3)).mean() < 0.1
    assert inner(found.forward_trust).mean() > 0.97
    assert inner(found.backward_trust).mean() > 0.97
    assert found.size == picture.shape


def test_shapes_and_kinds() -> None:
    found = link(texture(0), texture(1))
    for flow in (found.forward, found.backward):
        assert flow.shape == (160, 240, 2)
        assert flow.dtype == np.float32
    for trust in (found.forward_trust, found.backward_trust):
        assert trust.shape == (160, 240)
        assert trust.dtype == np.float32
        assert trust.min() >= 0
        assert trust.max() <= 1


def test_what_leaves_the_picture_is_not_trusted() -> None:
    picture = texture(0)
    found = link(picture, moved(picture, -16, 0))
    assert found.forward_trust[20:-20, :14].mean() < 0.1
    assert found.backward_trust[20:-20, -14:].mean() < 0.1
    assert found.forward_trust[20:-20, 30:-30].mean() > 0.95


def test_what_is_hidden_is_not_trusted() -> None:
    """A square moves over a picture: what it covers cannot be found again, all else can."""
    ground, square = texture(0), texture(1)[:50, :50]
    earlier, later = ground.copy(), ground.copy()
    earlier[50:100, 80:130] = square
    later[50:100, 95:145] = square
    found = link(earlier, later)
    assert not found.cut
    assert found.forward_trust[55:95, 132:143].mean() < 0.3  # about to be covered
    assert found.backward_trust[55:95, 82:93].mean() < 0.3  # just uncovered
    assert found.forward_trust[60:90, 90:120].mean() > 0.9  # the square
    assert np.abs(np.median(found.forward[60:90, 90:120], axis=(0, 1)) - (15, 0)).max() < 0.5
    assert found.forward_trust[:40].mean() > 0.95


@pytest.mark.parametrize("seed", range(4))
def test_another_picture_is_a_cut(seed: int) -> None:
    found = link(texture(seed), texture(seed + 10))
    assert found.cut
    assert found.forward_trust.mean() < 0.1


def test_from_and_to_black_is_a_cut() -> None:
    picture, black = texture(0), np.zeros((160, 240), np.uint8)
    assert link(black, picture).cut
    assert link(picture, black).cut


def test_nothing_happens_in_the_dark() -> None:
    black = np.zeros((160, 240), np.uint8)
    found = link(black, black)
    assert not found.cut
    assert found.forward_trust.min() == 1


def blurred(picture: Pixels, length: int) -> Pixels:
    return np.asarray(cv2.blur(picture, (length, 1), borderType=cv2.BORDER_REFLECT), dtype=np.uint8)


def test_fast_motion_with_motion_blur_is_no_cut() -> None:
    picture = texture(0)
    found = link(blurred(picture, 9), blurred(moved(picture, 24, 4), 15))  # a tenth of the width a frame
    assert not found.cut
    assert np.abs(np.median(inner(found.forward), axis=(0, 1)) - (24, 4)).max() < 1


def lit(picture: Pixels, gain: float, offset: float) -> Pixels:
    return np.asarray(np.clip(picture * gain + offset, 0, 255), dtype=np.uint8)


@pytest.mark.parametrize(("gain", "offset"), [(1, 60), (1.6, 0), (0.6, 10), (0.8, -20)])
def test_light_that_changes_is_no_cut(gain: float, offset: float) -> None:
    picture = texture(0)
    for earlier, later in [(picture, lit(moved(picture, 3, 1), gain, offset)), (lit(picture, gain, offset), picture)]:
        found = link(earlier, later)
        assert not found.cut
        assert found.forward_trust.mean() > 0.5  # what is clipped to white is lost


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_contrast_that_changes_is_made_up_for(gain: float) -> None:
    picture = lit(texture(0), 0.4, 40)  # nothing is clipped
    found = link(picture, lit(moved(picture, 3, 1), gain, -40))
    assert inner(found.forward_trust).mean() > 0.9
    assert inner(found.backward_trust).mean() > 0.95


def test_something_large_that_crosses_is_no_cut() -> None:
    ground, passer = texture(0), texture(1)
    later = moved(ground, 2, 0)
    later[:, 40:200] = passer[:, 40:200]
    assert not link(ground, later).cut


def test_the_same_frames_give_the_same_link() -> None:
    picture = texture(0)
    one, other = (link(picture, moved(picture, 4, 2)) for _ in range(2))
    assert np.array_equal(one.forward, other.forward)
    assert np.array_equal(one.backward_trust, other.backward_trust)


def test_the_flow_fetches_the_other_frame() -> None:
    picture = texture(0)
    later = moved(picture, 6, 2)
    found: Link = link(picture, later)
    change = np.abs(warp(later.astype(np.float32), found.forward, "bilinear") - picture)
    assert change[found.forward_trust > 0].mean() < 3


def test_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="of one size"):
        link(texture(0), texture(0, 100, 240))


def test_the_number_of_threads_changes_nothing() -> None:
    picture = texture(0)
    later = moved(picture, 4, 2)
    threads = cv2.getNumThreads()
    try:
        found = []
        for number in (1, 2):
            cv2.setNumThreads(number)
            found.append(link(picture, later))
    finally:
        cv2.setNumThreads(threads)
    assert torch.equal(torch.from_numpy(found[0].forward), torch.from_numpy(found[1].forward))
    assert np.array_equal(found[0].forward_trust, found[1].forward_trust)


def test_only_frames_that_are_hard_to_follow_get_a_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Preset] = []

    def counted(a: Pixels, b: Pixels, preset: Preset) -> Flow:
        looks.append(preset)
        return dense_flow(a, b, preset)

    monkeypatch.setattr(links, "dense_flow", counted)
    picture = texture(0)
    link(picture, moved(picture, 3, 1))
    assert looks == ["quick"] * 2
    assert link(picture, texture(1)).cut
    assert looks[2:] == ["quick"] * 2 + ["medium"] * 2

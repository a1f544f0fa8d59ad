"""What stands still on the screen while the camera moves, with corners, is painted there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from moving import coloured, moved, texture

from videoparts.frames import Pixels
from videoparts.luma import small_luma
from videoparts.sampling.painted import painted

BOX = np.s_[12:32, 180:225]


def pan(count: int = 3, step: float = 7) -> list[Pixels]:
    return [moved(texture(1), step * i, 0) for i in range(count)]


def stamped(frames: list[Pixels], noise: float = 0) -> list[Pixels]:
    """With a logo in a corner."""
    logo = np.full((20, 45), 40, np.uint8)
    logo[4:16, 5:40:7] = logo[4:16, 6:40:7] = 230
    out, random = [frame.copy() for frame in frames], np.random.default_rng(0)
    for frame in out:
        frame[BOX] = np.clip(logo + noise * random.normal(size=logo.shape), 0, 255)
    return out


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("beside", [1, 2])
def test_a_logo_is_found_where_it_is(beside: int, noise: float) -> None:
    here, *others = stamped(pan(1 + beside), noise)
    found = painted(here, others)
    assert found is not None
    assert found[14:30, 183:222].all()
    around = np.zeros_like(found)
    around[12 - 9 : 32 + 9, 180 - 9 : 225 + 9] = True
    assert not found[~around].any()


def test_letters_are_found_through_which_what_is_filmed_is_seen() -> None:
    frames = [cv2.resize(60 + frame // 2, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC) for frame in pan()]
    for frame in frames:
        for grey, wide in ((0, 6), (255, 2)):
            cv2.putText(
                frame, "what they say to each other", (60, 420), cv2.FONT_HERSHEY_DUPLEX, 1, grey, wide, cv2.LINE_AA
            )
    before, here, after = (small_luma(coloured(frame)) for frame in frames)
    found = painted(here, [before, after])
    assert found is not None
    assert found[132:142, 22:180].mean() > 0.5
    assert not found[:115].any()


def test_a_bright_spot_that_the_camera_follows_is_filmed() -> None:
    frames = pan()
    for frame in frames:
        cv2.circle(frame, (120, 80), 3, 255, cv2.FILLED)
    assert painted(frames[1], [frames[0], frames[2]]) is None


def test_nothing_is_painted_on_what_is_only_filmed() -> None:
    here, *others = pan()
    assert painted(here, others) is None


def test_an_edge_along_which_the_camera_moves_is_filmed() -> None:
    frames = pan()
    for frame in frames:
        frame[40:80] = 255
    assert painted(frames[1], [frames[0], frames[2]]) is None


@pytest.mark.parametrize("side", [20, 36])
def test_bars_beside_the_picture_are_no_logo(side: int) -> None:
    here, *others = [np.pad(frame, ((0, 0), (side, side))) for frame in pan()]
    assert painted(here, others) is None


def test_where_the_most_stands_still_nothing_is_told() -> None:
    here, *others = (255 * (frame > 128).astype(np.uint8) for frame in pan(step=0))
    assert painted(here, others) is None


def test_what_comes_only_now_is_not_told() -> None:
    before, here, after = pan()
    assert painted(stamped([here])[0], [before, after]) is None


def test_a_frame_alone_tells_nothing() -> None:
    assert painted(stamped(pan(1))[0], []) is None

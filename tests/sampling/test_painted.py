"""What stands still on the screen while the camera moves, with edges, is painted there."""

from __future__ import annotations

import numpy as np
import pytest
from moving import moved, texture

from videoparts.frames import Pixels
from videoparts.sampling.painted import painted

BOX = np.s_[12:32, 180:225]


def pan(count: int = 8, step: float = 7) -> list[Pixels]:
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
def test_a_logo_is_found_where_it_is(noise: float) -> None:
    found = painted(stamped(pan(), noise))
    assert found is not None
    assert found[BOX].all()
    around = np.zeros_like(found)
    around[12 - 4 : 32 + 4, 180 - 4 : 225 + 4] = True
    assert not found[~around].any()


def test_nothing_is_painted_on_what_is_only_filmed() -> None:
    assert painted(pan()) is None


def test_sky_that_is_alike_in_all_frames_is_filmed() -> None:
    frames = pan()
    for frame in frames:
        frame[:40, 20:100] = 180
    assert painted(frames) is None


@pytest.mark.parametrize("side", [20, 36])
def test_bars_beside_the_picture_are_no_logo(side: int) -> None:
    assert painted([np.pad(frame, ((0, 0), (side, side))) for frame in pan()]) is None


def test_a_still_camera_paints_nothing() -> None:
    assert painted(stamped(pan(step=0))) is None


def test_a_logo_that_comes_and_goes_is_not_told() -> None:
    assert painted([*stamped(pan(4)), *pan(4)]) is None


def test_few_frames_or_frames_of_several_sizes_tell_nothing() -> None:
    frames = stamped(pan(4))
    assert painted(frames) is not None
    assert painted(frames[:3]) is None
    assert painted([]) is None
    assert painted([*frames, frames[0][:-1]]) is None

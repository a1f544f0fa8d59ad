"""The motion of a sampled frame, and what of it is painted on the screen."""

from __future__ import annotations

import numpy as np
import pytest
from moving import moved, texture

from videoparts.frames import Pixels
from videoparts.sampling.motion import Lumas, Motion
from videoparts.sampling.sampler import _motion, _often_painted

SHAPE = (16, 24)


def stamped(luma: Pixels) -> Pixels:
    luma = luma.copy()
    luma[12:40, 180:229] = 40
    luma[18:34, 185:224:7] = luma[18:34, 186:225:7] = 230
    return luma


@pytest.mark.parametrize(("step", "marked"), [(4, True), (0, False)])
def test_nothing_is_painted_where_the_camera_stands_still(step: float, marked: bool) -> None:
    before, here, after = (stamped(moved(texture(1), step * i, 0)) for i in range(3))
    found = _motion(Lumas(here, before, after), 100_000)
    assert len(found.flows) == 2
    assert found.on_screen(SHAPE)[1:4, 18:22].all() == marked
    assert found.on_screen(SHAPE).sum() < 24
    assert (found.painted is not None) == marked


@pytest.mark.parametrize(("share", "stays"), [(1, False), (2, True), (8, True)])
def test_what_is_seldom_painted_is_what_the_camera_follows(share: int, stays: bool) -> None:
    marks = np.ones((4, 6), bool)
    flows = [np.zeros((4, 6, 2), np.float32)]
    motions = [Motion(flows, marks if i < share else None) for i in range(8)]
    found = _often_painted(motions)
    assert [one.flows for one in found] == [flows] * 8
    assert sum(one.painted is marks for one in found) == (share if stays else 0)
    kept = zip(found, motions, strict=True)  # with what has been worked out of them
    assert sum(one is given for one, given in kept) == (8 if stays else 8 - share)


def test_what_the_user_marks_may_be_painted() -> None:
    before, here, after = (stamped(moved(texture(1), 4 * i, 0)) for i in range(3))
    assert not _motion(Lumas(here, before, after), 100_000, marked=True).on_screen(SHAPE).any()


def test_a_frame_that_is_shown_twice_tells_what_is_painted() -> None:
    first, second = (stamped(moved(texture(1), 4 * i, 0)) for i in range(2))
    assert _motion(Lumas(first, first, second), 100_000).on_screen(SHAPE)[1:4, 18:22].all()


def test_a_frame_between_two_cuts_knows_what_is_painted_too() -> None:
    found = _motion(Lumas(*map(stamped, (texture(1), texture(7), texture(8)))), 1000)
    assert list(found.flows) == []
    assert found.on_screen(SHAPE)[1:4, 18:22].all()
    assert found.on_screen(SHAPE).sum() < 24

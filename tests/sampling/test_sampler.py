"""What is taken for painted on the screen, over the frames of a clip."""

from __future__ import annotations

import numpy as np
import pytest
from moving import texture

from videoparts.flow.dense import Flow
from videoparts.sampling.motion import Lumas, Motion
from videoparts.sampling.sampler import _motion, _still_painted

LOGO = np.zeros((20, 30), bool)
LOGO[2:6, 20:28] = True


def flow(right: float) -> Flow:
    return np.stack([np.where(LOGO, 0, right), np.zeros(LOGO.shape)], axis=-1).astype(np.float32)


@pytest.mark.parametrize(("moving", "stays"), [(0, False), (4, False), (5, True), (8, True)])
def test_nothing_is_painted_where_the_camera_mostly_stands_still(moving: int, stays: bool) -> None:
    motions = [Motion([flow(2 if i < moving else 0)], LOGO) for i in range(8)]
    found = _still_painted(motions)
    assert [one.flows for one in found] == [one.flows for one in motions]
    assert all((one.painted is LOGO) == stays for one in found)


def test_where_nothing_is_painted_nothing_changes() -> None:
    motions = [Motion([flow(2)]), Motion()]
    assert _still_painted(motions) == motions


def test_a_frame_between_two_cuts_knows_what_is_painted_too() -> None:
    logo = np.zeros((160, 240), bool)
    logo[10:40, 180:230] = True
    found = _motion(Lumas(texture(1), texture(7), texture(8)), logo, 1000)
    assert list(found.flows) == []
    assert found.on_screen((16, 24))[1:4, 18:23].all()
    assert found.on_screen((16, 24)).sum() < 20

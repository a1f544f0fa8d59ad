"""What is taken for painted on the screen, over the frames of a clip."""

from __future__ import annotations

import numpy as np
import pytest

from videoparts.flow.dense import Flow
from videoparts.sampling.motion import Motion
from videoparts.sampling.sampler import _still_painted

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

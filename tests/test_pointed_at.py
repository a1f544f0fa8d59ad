"""On real footage with real weights, a point says which object is meant."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from places import SHARED
from real import FRAMES, found_in, mask_of

from videoparts.frames import Pixels

DAVIS = SHARED / "data/davis"
SIZE = (427, 240)  # of each of two clips side by side, width and height

pytestmark = pytest.mark.skipif(not DAVIS.is_dir(), reason="shared/data is not beside the checkout")


def inner_point(mask: Pixels) -> str:
    """That of a mask which lies farthest inside."""
    y, x = np.unravel_index(cv2.distanceTransform(mask, cv2.DIST_L2, 5).argmax(), mask.shape)
    return f"{x},{y}"


@pytest.mark.parametrize(("meant", "least"), [(0, 0.75), (1, 0.75)])
def test_one_of_two_objects(meant: int, least: float, tmp_path: Path) -> None:
    clips = [DAVIS / "blackswan", DAVIS / "car-shadow"]
    stems = [path.stem for path in sorted((clips[1] / "frames").iterdir())][:FRAMES]
    masks: dict[str, Pixels] = {}
    for stem in stems:
        frames = [cv2.resize(np.asarray(cv2.imread(str(c / "frames" / f"{stem}.jpg"))), SIZE) for c in clips]
        cv2.imwrite(str(tmp_path / f"{stem}.png"), np.hstack(frames))
        both = [cv2.resize(mask_of(c / "masks" / f"{stem}.png"), SIZE, interpolation=cv2.INTER_NEAREST) for c in clips]
        both[1 - meant][:] = 0
        masks[stem] = np.asarray(np.hstack(both), np.uint8)
    scores = found_in(tmp_path, masks.__getitem__, inner_point(masks[stems[0]]))
    assert np.mean(scores) > least, scores


@pytest.mark.parametrize(("name", "least"), [("soapbox", 0.72), ("drift-straight", 0.6), ("libby", 0.62)])
def test_the_only_object(name: str, least: float) -> None:
    masks = sorted((DAVIS / name / "masks").iterdir())
    scores = found_in(
        DAVIS / name / "frames",
        lambda stem: mask_of(DAVIS / name / "masks" / f"{stem}.png"),
        inner_point(mask_of(masks[0])),
    )
    assert np.mean(scores) > least, scores

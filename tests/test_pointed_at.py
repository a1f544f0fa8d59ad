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


def side_by_side(folder: Path, left: tuple[Path, str | None], right: Path, meant: int) -> dict[str, Pixels]:
    """Write frames of two clips beside each other; of the left one always the same, where a stem is given.

    Returns the masks of one of the two objects, 0 left and 1 right, by the stems of the frames.
    """
    masks = {}
    for stem in [path.stem for path in sorted((right / "frames").iterdir())][:FRAMES]:
        of_each = [(left[0], left[1] or stem), (right, stem)]
        frames = [cv2.resize(np.asarray(cv2.imread(str(c / "frames" / f"{one}.jpg"))), SIZE) for c, one in of_each]
        cv2.imwrite(str(folder / f"{stem}.png"), np.hstack(frames))
        both = [
            cv2.resize(mask_of(c / "masks" / f"{one}.png"), SIZE, interpolation=cv2.INTER_NEAREST) for c, one in of_each
        ]
        both[1 - meant][:] = 0
        masks[stem] = np.asarray(np.hstack(both), np.uint8)
    return masks


@pytest.mark.parametrize(("meant", "least"), [(0, 0.75), (1, 0.75)])
def test_one_of_two_objects(meant: int, least: float, tmp_path: Path) -> None:
    masks = side_by_side(tmp_path, (DAVIS / "blackswan", None), DAVIS / "car-shadow", meant)
    scores = found_in(tmp_path, masks.__getitem__, inner_point(masks[min(masks)]))
    assert np.mean(scores) > least, scores


@pytest.mark.parametrize(("still", "moving"), [("soapbox", "car-shadow"), ("kite-surf", "blackswan")])
def test_one_that_keeps_still_beside_one_that_moves(still: str, moving: str, tmp_path: Path) -> None:
    """The other is more salient, moves by itself, and has no mark on it but in one frame."""
    masks = side_by_side(tmp_path, (DAVIS / still, "00020"), DAVIS / moving, 0)
    scores = found_in(tmp_path, masks.__getitem__, inner_point(masks[min(masks)]))
    assert np.mean(scores) > 0.6, scores


@pytest.mark.parametrize(("name", "least"), [("soapbox", 0.72), ("drift-straight", 0.6), ("libby", 0.62)])
def test_the_only_object(name: str, least: float) -> None:
    masks = sorted((DAVIS / name / "masks").iterdir())
    scores = found_in(
        DAVIS / name / "frames",
        lambda stem: mask_of(DAVIS / name / "masks" / f"{stem}.png"),
        inner_point(mask_of(masks[0])),
    )
    assert np.mean(scores) > least, scores

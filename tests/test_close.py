"""On real footage with real weights, an object that is large and cut by the border is found as it is in the whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from places import SHARED
from real import found_in, mask_of

H, W = 288, 512  # of the crop: of a frame's 480 x 854


@pytest.mark.parametrize(("name", "top", "left", "least"), [("blackswan", 192, 249, 0.7), ("soapbox", 60, 58, 0.7)])
def test_a_crop_that_cuts_the_object(name: str, top: int, left: int, least: float, tmp_path: Path) -> None:
    clip = SHARED / "data/davis" / name
    if not clip.is_dir():
        pytest.skip("shared/data is not beside the checkout")
    for path in sorted((clip / "frames").iterdir()):
        crop = cv2.imread(str(path))[top : top + H, left : left + W]
        cv2.imwrite(str(tmp_path / f"{path.stem}.png"), crop)
    inside = np.s_[top : top + H, left : left + W]
    scores = found_in(tmp_path, lambda stem: mask_of(clip / "masks" / f"{stem}.png")[inside])
    assert np.mean(scores) > least, scores

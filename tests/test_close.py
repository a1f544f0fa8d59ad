"""On real footage with real weights, an object that is large and cut by the border is found as it is in the whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from places import SHARED

from videoparts import ViTExtractor, fit_parts, open_source
from videoparts.config import ExtractorSettings, FitSettings
from videoparts.evaluation.metrics import jaccard

FRAMES = 12
H, W = 288, 512  # of the crop: of a frame's 480 x 854


@pytest.mark.parametrize(("name", "top", "left", "least"), [("blackswan", 192, 249, 0.7), ("soapbox", 60, 58, 0.7)])
def test_a_crop_that_cuts_the_object(name: str, top: int, left: int, least: float, tmp_path: Path) -> None:
    clip = SHARED / "data/davis" / name
    if not clip.is_dir():
        pytest.skip("shared/data is not beside the checkout")
    for path in sorted((clip / "frames").iterdir()):
        crop = cv2.imread(str(path))[top : top + H, left : left + W]
        cv2.imwrite(str(tmp_path / f"{path.stem}.png"), crop)
    source, extractor = open_source(tmp_path), ViTExtractor(ExtractorSettings(load_size=336))
    model = fit_parts(source, extractor, FitSettings(frames=FRAMES))
    scores = []
    for batch in source.sample(FRAMES, 1):
        found = model.probabilities(extractor.extract(batch.pixels, tokens=True))[0, 0].numpy() < 0.5
        truth = cv2.imread(str(clip / "masks" / f"{batch.stem(0)}.png"), cv2.IMREAD_GRAYSCALE)
        inside = truth[top : top + H, left : left + W].astype(np.float32) / 255
        patches = cv2.resize(inside, found.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
        scores.append(jaccard(found, patches))
    assert np.mean(scores) > least, scores

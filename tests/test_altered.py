"""On real footage with real weights, what was done to a clip on its way does not hide the object."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import SHARED

from videoparts import ViTExtractor, fit_parts, open_source
from videoparts.config import ExtractorSettings, FitSettings
from videoparts.evaluation.metrics import jaccard
from videoparts.frames import Pixels

FRAMES = 12
CLIP = SHARED / "data/davis/libby"  # whose object is found by its motion


def with_logo(frame: Pixels) -> list[Pixels]:
    frame = frame.copy()
    cv2.rectangle(frame, (720, 25), (825, 80), (30, 30, 200), cv2.FILLED)
    cv2.putText(frame, "TV 5", (728, 65), cv2.FONT_HERSHEY_DUPLEX, 1.1, (255, 255, 255), 2, cv2.LINE_AA)
    return [frame]


def twice(frame: Pixels) -> list[Pixels]:
    return [frame, frame]


@pytest.mark.parametrize("alter", [with_logo, twice])
def test_it_is_found_all_the_same(alter: Callable[[Pixels], list[Pixels]], tmp_path: Path) -> None:
    if not CLIP.is_dir():
        pytest.skip("shared/data is not beside the checkout")
    for path in sorted((CLIP / "frames").iterdir()):
        for number, frame in enumerate(alter(np.asarray(cv2.imread(str(path)), np.uint8))):
            cv2.imwrite(str(tmp_path / f"{path.stem}_{number}.jpg"), frame)
    source, extractor = open_source(tmp_path), ViTExtractor(ExtractorSettings(load_size=336))
    model = fit_parts(source, extractor, FitSettings(frames=FRAMES))
    scores = []
    for batch in source.sample(FRAMES, 1):
        found = model.probabilities(extractor.extract(batch.pixels, tokens=True))[0, 0].numpy() < 0.5
        truth = cv2.imread(str(CLIP / "masks" / f"{batch.stem(0).partition('_')[0]}.png"), cv2.IMREAD_GRAYSCALE)
        patches = cv2.resize(truth.astype(np.float32) / 255, found.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
        scores.append(jaccard(found, patches))
    assert np.mean(scores) > 0.62, scores

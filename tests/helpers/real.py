"""How well the object is found in real frames, with real weights, to the patch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from videoparts import ViTExtractor, fit_parts, open_source
from videoparts.config import ExtractorSettings, FitSettings
from videoparts.evaluation.metrics import jaccard
from videoparts.frames import Pixels

FRAMES = 12


def found_in(folder: Path, truth: Callable[[str], Pixels], marked: str | None = None) -> list[float]:
    """J of those frames of a folder that a fit to it has seen, given the true mask, 0 or 255, by a frame's stem.

    Where frames have black bars, the mask is that of the picture between them. ``marked``: the point that the user
    gives, as `FitSettings.object`.
    """
    source, extractor = open_source(folder), ViTExtractor(ExtractorSettings(load_size=336))
    model = fit_parts(source, extractor, FitSettings(frames=FRAMES, object=marked))
    scores, area = [], source.active_area
    for batch in source.sample(FRAMES, 1):
        pixels = batch.pixels if area is None else area.of_frames(batch.pixels)
        found = model.probabilities(extractor.extract(pixels, tokens=True))[0, 0].numpy() < 0.5
        share = truth(batch.stem(0)).astype(np.float32) / 255
        scores.append(jaccard(found, cv2.resize(share, found.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5))
    return scores


def mask_of(path: Path) -> Pixels:
    """The mask (H, W) uint8 in a file."""
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)

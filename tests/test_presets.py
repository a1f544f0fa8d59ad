"""Presets: what they set, and that they are real settings for every model."""

from __future__ import annotations

import re

import pytest
from tiny import TINY

from videoparts.config import ComputeSettings, ExtractorSettings, FitSettings, RefineSettings
from videoparts.errors import SettingsError
from videoparts.presets import DEFAULT, PRESETS, Preset
from videoparts.vit.naming import TIMM_NAMES, timm_name


def test_balanced_is_what_the_config_says() -> None:
    assert DEFAULT == "balanced"
    assert PRESETS[DEFAULT] == Preset(ExtractorSettings(), FitSettings(), RefineSettings(), ComputeSettings())


def test_from_fast_to_best_more_is_looked_at() -> None:
    def patches(preset: Preset) -> float:
        """On the short side."""
        return preset.extractor.load_size / (preset.extractor.stride or 14)

    fast, balanced, best = PRESETS["fast"], PRESETS["balanced"], PRESETS["best"]
    assert patches(fast) < patches(balanced) < patches(best)
    assert fast.refine.keys > balanced.refine.keys > best.refine.keys == 1
    # More frames are averaged where each is less sure: what is carried.
    assert balanced.refine.window == best.refine.window < fast.refine.window
    learned = [preset.fit.frames * patches(preset) ** 2 for preset in (fast, balanced, best)]
    assert sorted(learned) == learned


@pytest.mark.parametrize("model", TIMM_NAMES)
def test_the_stride_suits_every_model(model: str) -> None:
    patch = re.search(r"patch(\d+)", timm_name(model))
    assert patch is not None
    stride = PRESETS["best"].with_model(model).extractor.stride
    assert stride == {"8": 8, "14": 7, "16": 8}[patch[1]]
    assert PRESETS["balanced"].with_model(model).extractor == ExtractorSettings(model)


def test_the_nearest_stride_is_taken_and_all_else_stays() -> None:
    best = PRESETS["best"]
    other = best.with_model(TINY["v2"])  # patches of 4
    assert other.extractor.stride == 4
    assert other.extractor.load_size == best.extractor.load_size
    assert (other.fit, other.refine) == (best.fit, best.refine)
    with pytest.raises(SettingsError, match="dinov2_vits14"):
        best.with_model("dinov2_vits15")

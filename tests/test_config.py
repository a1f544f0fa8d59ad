"""Settings refuse what they cannot mean when they are made."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from videoparts import config
from videoparts.config import (
    MOST_PARTS,
    ComputeSettings,
    ExtractorSettings,
    FitSettings,
    OverlaySettings,
    RefineSettings,
    SourceSettings,
)
from videoparts.errors import SettingsError

ALL = (SourceSettings, ExtractorSettings, ComputeSettings, FitSettings, OverlaySettings, RefineSettings)


@pytest.mark.parametrize("parts", ["6", "many", 2.5, 0, MOST_PARTS + 1, None, True])
def test_parts_are_a_number_or_auto(parts: Any) -> None:
    with pytest.raises(SettingsError, match=rf"--parts must be 1 to {MOST_PARTS} or auto, got "):
        FitSettings(parts=parts)


@pytest.mark.parametrize("parts", ["auto", 1, MOST_PARTS])
def test_these_are_fine(parts: Any) -> None:
    assert FitSettings(parts=parts).parts == parts


@pytest.mark.parametrize(
    ("kind", "name", "value", "said"),
    [
        (FitSettings, "motion", "on", "--motion must be auto or off, got 'on'"),
        (FitSettings, "foreground", "prob", "--foreground must be probe or vote, got 'prob'"),
        (FitSettings, "foreground", None, "--foreground must be probe or vote, got None"),
        (ComputeSettings, "runtime", "onnx", "--runtime must be torch or openvino, got 'onnx'"),
        (ComputeSettings, "precision", "x", "--precision must be auto, quick, fp32, fp16, bf16 or int8, got 'x'"),
        (ExtractorSettings, "facet", "foo", "--facet must be key, query, value or token, got 'foo'"),
        (SourceSettings, "decoder", "x", "--decoder must be auto, decord or pyav, got 'x'"),
        (FitSettings, "object", (320, 180), "--object must be text such as 320,180@1.5, got (320, 180)"),
        (FitSettings, "box", [0, 0, 9, 9], "--box must be text such as 300,160,340,200@1.5, got [0, 0, 9, 9]"),
        (FitSettings, "frames", "a", "--frames must be a whole number, got 'a'"),
        (FitSettings, "frames", 2.5, "--frames must be a whole number, got 2.5"),
        (FitSettings, "frames", True, "--frames must be a whole number, got True"),
        (FitSettings, "frames", np.ones((2, 2)), "--frames must be a whole number, got array([[1., 1.], [1., 1.]])"),
        (FitSettings, "votes", "many", "--votes must be a number or None, got 'many'"),
        (FitSettings, "threshold", float("nan"), "--threshold must be a number or None, got nan"),
        (FitSettings, "afar", "no", "--afar must be True or False, got 'no'"),
        (RefineSettings, "window", 2.5, "--window must be a whole number, got 2.5"),
        (RefineSettings, "keys", "3", "--keys must be a whole number, got '3'"),
        (RefineSettings, "eps", False, "--eps must be a number, got False"),
        (ExtractorSettings, "stride", 1.5, "--stride must be a whole number or None, got 1.5"),
        (ExtractorSettings, "load_size", None, "--load-size must be a whole number, got None"),
        (ExtractorSettings, "model", Path("a"), f"--model must be text, got {Path('a')!r}"),
        (ComputeSettings, "weights", "a.pth", "--weights must be a Path or None, got 'a.pth'"),
        (ComputeSettings, "device", 0, "--device must be text, got 0"),
        (SourceSettings, "start", (0, 1), "--start must be seconds (2.5) or h:mm:ss.s (0:01:02.5), got (0, 1)"),
        (OverlaySettings, "speed", 8, "--speed must be text or None, got 8"),
    ],
)
def test_a_value_of_another_type_is_one_line(kind: Any, name: str, value: Any, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        kind(**{name: value})
    assert str(caught.value) == said


@pytest.mark.parametrize("kind", ALL)
def test_every_field_of_all_settings_is_checked(kind: Any) -> None:
    assert {name for name in vars(config) if name.endswith("Settings")} == {each.__name__ for each in ALL}
    for field in fields(kind):
        with pytest.raises(SettingsError, match=rf"^--{field.name.replace('_', '-')} must be .*, got object\(\)$"):
            replace(kind(), **{field.name: type("_", (), {"__repr__": lambda _: "object()"})()})


def test_numbers_of_numpy_and_torch_become_pythons() -> None:
    given: dict[str, Any] = {
        "parts": np.int32(2),
        "frames": np.int64(9),
        "seed": torch.tensor(3),
        "afar": np.False_,
        "votes": np.float32(0.5),
        "elbow": np.float64(0.5),
    }
    made = FitSettings(**given)
    assert made == FitSettings(parts=2, frames=9, seed=3, afar=False, votes=0.5, elbow=0.5)
    assert json.loads(json.dumps(asdict(made))) == asdict(made)
    with pytest.raises(SettingsError, match="--frames must be at least 1, got 0"):
        FitSettings(frames=np.int64(0))  # type: ignore[arg-type]


def test_what_is_as_good_as_the_type_is_taken() -> None:
    assert OverlaySettings(alpha=1) == OverlaySettings(alpha=1.0)
    assert SourceSettings(fps=Fraction(30000, 1001)).fps == Fraction(30000, 1001)  # type: ignore[arg-type]
    times: dict[str, Any] = {"start": 1, "end": 2.5}
    assert (SourceSettings(**times).start, SourceSettings(**times).end) == (1, 2.5)
    device: Any = torch.device("cuda:1")
    assert ComputeSettings(device=device) == ComputeSettings(device="cuda:1")

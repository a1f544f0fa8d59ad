"""The commands on frames with black bars beside their picture."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import QUICK, davis, forget_chances
from PIL import Image
from videoparts.pipelines.main import main

from videoparts.sources import open_source

NOTE = "note: frames has black bars beside a picture of "
BAR = 200  # pixels: bars so wide hide a cut where they are not left out


@pytest.fixture(scope="module")
def barred(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of the clip, then six that show something else."""
    folder = tmp_path_factory.mktemp("barred") / "frames"
    folder.mkdir()
    frames = [frame for batch in open_source(short_clip).batches(8) for frame in batch.pixels][:18]
    frames[12:] = [255 - frame[::-1, ::-1] for frame in frames[12:]]
    for i, frame in enumerate(frames):
        Image.fromarray(np.pad(frame, ((0, 0), (BAR, BAR), (0, 0)))).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture(scope="module")
def found(barred: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("found") / "out"
    assert main(["masks", str(barred), "-o", str(out), "--formats", "davis,mattes", "--keep-features", *QUICK]) == 0
    return out


@pytest.fixture
def out(found: Path, tmp_path: Path) -> Path:
    shutil.copytree(found, tmp_path / "out")
    return tmp_path / "out"


def cuts(folder: Path) -> list[int]:
    return [cut["index"] for cut in json.loads((folder / "manifest.json").read_text())["report"]["cuts"]]


def require_within(labels: np.ndarray) -> None:
    assert labels[:, :, BAR:-BAR].any()
    assert not labels[:, :, : BAR - 4].any()  # bars are measured on a small picture
    assert not labels[:, :, -BAR + 4 :].any()


def test_parts_lie_in_the_picture_and_cuts_are_seen(found: Path) -> None:
    require_within(davis(found))
    assert cuts(found) == [12]


@pytest.mark.parametrize("command", ["fit", "masks"])
def test_it_is_said(
    command: str, barred: Path, found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = next(found.glob(".videoparts/*/parts.safetensors"))
    learned = ["--model-file", str(model), "--offline", "--device", "cpu", "--end", "0.2", "--no-page"]
    more = learned if command == "masks" else ["--parts", "3", *QUICK]
    capsys.readouterr()
    assert main([command, str(barred), "-o", str(tmp_path / "a.safetensors"), *more]) == 0
    assert NOTE in capsys.readouterr().err


def test_nothing_is_said_of_frames_without_them(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(short_clip), "-o", str(tmp_path / "a.safetensors"), *QUICK]) == 0
    assert "black bars" not in capsys.readouterr().err


def test_kept_features_divide_as_the_vit_does(found: Path, out: Path) -> None:
    without = out.parent / "without"
    shutil.copytree(found, without)
    forget_chances(without)
    for folder in (out, without):
        assert main(["edit", str(folder), "--split", "1", "--offline", "-q"]) == 0
        require_within(davis(folder))
        assert cuts(folder) == [12]
    assert len(np.unique(davis(out))) == len(np.unique(davis(found))) + 1
    assert (davis(out) == davis(without)).mean() > 0.999


def test_smoothing_stops_at_a_cut(found: Path, out: Path) -> None:
    assert main(["edit", str(out), "--smooth", "5", "-q"]) == 0
    require_within(davis(out))
    assert cuts(out) == [12]
    assert 0 < (davis(out) != davis(found)).mean() < 0.02

"""``videoparts extract`` as a user runs it, with tiny weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media import SIZES, Clip, picture
from PIL import Image
from tiny import tiny_extractor
from videoparts.pipelines.command_line import parse
from videoparts.pipelines.commands import extract
from videoparts.pipelines.main import main

from videoparts import load_features
from videoparts.config import ComputeSettings
from videoparts.pictures.saved_features import SavedFeatures
from videoparts.sampling.saliency import saliency


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are written, in order."""
    from videoparts.pictures import saved_features

    names: list[str] = []
    save = saved_features.save_features

    def noted(path: Path, features: SavedFeatures) -> None:
        save(path, features)
        names.append(path.name)

    monkeypatch.setattr(saved_features, "save_features", noted)
    return names


def test_they_are_what_the_extractor_gives(pictures: Path, tiny: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["--layer", "1", "--facet", "query", "--stride", "2", "--heads", "0,2"]
    assert main(["extract", str(pictures), "-o", str(out), *given, *tiny]) == 0
    extractor = tiny_extractor(layer=1, facet="query", stride=2)
    for i, size in enumerate(SIZES):
        found = load_features(out / f"p{i}.safetensors")
        expected = extractor.extract(picture(i, *size)[None], attention=True)
        assert np.array_equal(found.descriptors, expected.descriptors[0].numpy())
        assert expected.attention is not None
        assert np.array_equal(found.saliency, saliency(expected.attention, [0, 2])[0].numpy())
        about = found.about
        assert (about.picture, about.size, about.index) == (f"p{i}.png", size, None)
        assert about.shape == found.descriptors.shape
        assert about.settings.extractor == extractor.identity
        assert about.precision == "float32"
    assert sorted(path.name for path in out.iterdir()) == [f"p{i}.safetensors" for i in range(4)]


def test_half_and_binned(pictures: Path, tiny: list[str], tmp_path: Path) -> None:
    assert main(["extract", str(pictures), "-o", str(tmp_path / "a"), "--log-bin", "--half", *tiny]) == 0
    assert main(["extract", str(pictures), "-o", str(tmp_path / "b"), "--binned", "--format", "npz", *tiny]) == 0
    half, whole = load_features(tmp_path / "a" / "p2.safetensors"), load_features(tmp_path / "b" / "p2.npz")
    expected = tiny_extractor(binned=True).extract(picture(2, *SIZES[2])[None]).descriptors[0].numpy()
    assert np.array_equal(whole.descriptors, expected)
    assert half.descriptors.dtype == half.saliency.dtype == np.float16
    assert np.array_equal(half.descriptors, whole.descriptors.astype(np.float16))


def test_a_run_goes_on_where_it_was(
    pictures: Path, tiny: list[str], tmp_path: Path, written: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["extract", str(pictures), "-o", str(out), *tiny]
    broken = (pictures / "p2.png").read_bytes()
    (pictures / "p2.png").write_bytes(b"no picture")
    assert main([*command, "--heads", "1"]) == 1  # the others are done
    assert "left out: " in (said := capsys.readouterr().err)
    assert "p2.png: this is not a picture" in said
    assert sorted(written) == ["p0.safetensors", "p1.safetensors", "p3.safetensors"]
    (pictures / "p2.png").write_bytes(broken)
    before = set(written)
    written.clear()
    assert main(command) == 0  # the heads are those of the files that are there
    assert {*written} == {f"p{i}.safetensors" for i in range(4)} - before
    assert {load_features(path).about.settings.heads for path in out.iterdir()} == {(1,)}
    written.clear()
    assert main(command) == 0
    assert written == []
    Image.fromarray(picture(9, 64, 96)).save(pictures / "p1.png")  # another picture of that name
    assert main(command) == 0
    assert written == ["p1.safetensors"]
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert main(["extract", str(pictures), "-o", str(tmp_path / "again"), *tiny, "--heads", "1"]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == first


def test_other_settings_are_refused_or_made_anew(
    pictures: Path, tiny: list[str], tmp_path: Path, written: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["extract", str(pictures), "-o", str(out), *tiny, "--layer", "1"]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    written.clear()
    for options, difference in (
        (["--layer", "2"], "layer 1, not 2"),
        (["--layer", "1", "--half"], "half False, not True"),
        (["--layer", "1", "--heads", "2"], "not 2"),
        (["--layer", "1", "--precision", "bf16"], "precision float32, not bfloat16"),
    ):
        assert main(["extract", str(pictures), "-o", str(out), *tiny, *options]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert "p0.safetensors: made with" in line
        assert difference in line
        assert "--redo" in line
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert written == []
    redo = ["extract", str(pictures), "-o", str(out), *tiny, "--layer", "2", "--redo"]
    assert main(redo) == 0
    assert len(written) == 4
    assert load_features(out / "p0.safetensors").about.settings.extractor.layer == 2
    written.clear()
    assert main(redo) == 0  # one that was stopped goes on too
    assert written == []


def test_every_frame_of_a_clip(tiny: list[str], tmp_path: Path, written: list[str]) -> None:
    clip = Clip(frames=9).write(tmp_path / "clip.mp4")
    out = tmp_path / "out"
    command = ["extract", str(clip), "-o", str(out), "--every", "2", *tiny]
    assert main(command) == 0
    assert written == [f"{i:05d}.safetensors" for i in range(0, 9, 2)]
    about = load_features(out / "00004.safetensors").about
    assert (about.picture, about.index) == ("clip.mp4", 4)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    for i in (0, 4, 8):
        (out / f"{i:05d}.safetensors").unlink()
    written.clear()
    assert main(command) == 0
    assert written == [f"{i:05d}.safetensors" for i in (0, 4, 8)]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_stopped_it_says_how_to_go_on(
    pictures: Path, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from videoparts.pictures import saved_features

    save, count = saved_features.save_features, [0]

    def stopped(path: Path, features: SavedFeatures) -> None:
        if count[0] == 2:
            raise KeyboardInterrupt
        count[0] += 1
        save(path, features)

    monkeypatch.setattr(saved_features, "save_features", stopped)
    assert main(["extract", str(pictures), "-o", str(tmp_path / "out"), *tiny]) == 130
    assert "stopped; the same command goes on after 2 of 4 files" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p0.safetensors", "p1.safetensors"]


def test_what_is_there_already_and_foreign_is_left(
    pictures: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "p1.safetensors").write_text("mine")
    for redo in ([], ["--redo"]):
        assert main(["extract", str(pictures), "-o", str(out), *tiny, *redo]) == 2
        assert "p1.safetensors is there, and holds no features" in capsys.readouterr().err
        assert [path.name for path in out.iterdir()] == ["p1.safetensors"]
    assert (out / "p1.safetensors").read_text() == "mine"
    assert main(["extract", str(pictures), "-o", str(out / "p1.safetensors"), *tiny]) == 2
    assert "is a file: give the name of a folder" in capsys.readouterr().err


def test_a_head_that_is_not_there(
    pictures: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", str(pictures), "-o", str(tmp_path / "out"), "--heads", "3", *tiny]) == 2
    assert "--heads 3" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_presets_are_read() -> None:
    read = parse(["extract", "images", "-o", "out", "--preset", "best"])
    assert read.extractor.stride == 7  # type: ignore[union-attr]
    assert read.compute == ComputeSettings()  # type: ignore[union-attr]


def test_runs_of_numbers() -> None:
    assert list(extract._runs([0, 1, 2, 5, 7, 8])) == [(0, 3), (5, 6), (7, 9)]
    assert list(extract._runs([])) == []

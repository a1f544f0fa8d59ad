"""``videoparts cosegment`` as a user runs it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from videoparts.pipelines.main import main

QUICK = ["--load-size", "112", "--offline", "--device", "cpu", "--augment", "off"]
COMMAND = [sys.executable, "-m", "videoparts.pipelines.main", "cosegment"]
SIZES = {"a": (360, 480), "b": (300, 300), "c": (340, 260), "d": (200, 420)}
Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures(photograph: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pieces of a picture of an animal, of different sizes and shapes."""
    folder = tmp_path_factory.mktemp("pictures")
    for k, (name, (height, width)) in enumerate(SIZES.items()):
        top, left = (360 - height) // 2, (640 - width) // 2 + 30 * (k - 1)
        Image.fromarray(photograph[top : top + height, left : left + width]).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def done(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("done") / "out"
    given = ["cosegment", str(pictures), "-o", str(out), "--parts", "3", *QUICK]
    assert main([*given, "--formats", "davis,object,mattes,cutouts"]) == 0
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def shown(folder: Path) -> dict[str, bytes]:
    """What a run has made for people: not what it keeps for itself."""
    return {name: content for name, content in files(folder).items() if not name.startswith(".videoparts")}


def image(path: Path) -> Pixels:
    with Image.open(path) as one:
        return np.array(one)


def test_every_picture_has_masks_of_its_own_size(done: Path) -> None:
    about = json.loads((done / "cosegment.json").read_text())
    assert [one["name"] for one in about["pictures"]] == list(SIZES)
    assert [part["number"] for part in about["parts"]] == [1, 2, 3]
    for one in about["pictures"]:
        name, size = one["name"], SIZES[one["name"]]
        assert (one["height"], one["width"]) == size
        labels = image(done / "davis" / f"{name}.png")
        assert labels.shape == size
        assert {int(k) for k in one["parts"]} == set(np.unique(labels)) - {0}
        for part, share in one["parts"].items():
            assert share == pytest.approx((labels == int(part)).mean(), abs=1e-5)
        assert np.array_equal(image(done / "object" / f"{name}.png") > 0, labels > 0)
        cutout = image(done / "cutouts" / f"{name}.png")
        assert cutout.shape == (*size, 4)
        assert np.array_equal(cutout[..., 3] > 127, labels > 0)
        mattes = [image(path / f"{name}.png") for path in sorted((done / "mattes").iterdir())]
        assert np.array_equal(sum(matte.astype(int) for matte in mattes), cutout[..., 3])
    assert {name.split("/")[0] for name in about["outputs"]} == {
        *("contact", "cutouts", "davis", "mattes", "object", "parts.safetensors")
    }
    assert [path.name for path in (done / "contact").iterdir()] == ["001.jpg"]


def test_the_same_command_gives_the_same_and_other_formats_need_no_vit(
    done: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(done)
    given = ["cosegment", str(pictures), "-o", str(done), "--parts", "3", *QUICK]
    assert main([*given, "--formats", "davis,object,mattes,cutouts"]) == 0
    assert files(done) == before
    assert main([*given, "--exclude", "1", "--formats", "davis", "--no-contact"]) == 0
    assert "4 pictures are labelled already" in capsys.readouterr().err
    assert {name.split("/")[0] for name in shown(done)} == {"davis", "parts.safetensors", "cosegment.json"}
    for name in SIZES:
        with_all = np.array(Image.open(io.BytesIO(before[f"davis/{name}.png"])))
        assert np.array_equal(image(done / "davis" / f"{name}.png"), np.where(with_all == 1, 0, with_all))
    assert main([*given, "--formats", "davis,object,mattes,cutouts"]) == 0
    assert files(done) == before


def test_without_parts_it_is_one_object(pictures: Path, tmp_path: Path) -> None:
    assert main(["cosegment", str(pictures), "-o", str(tmp_path / "out"), "-q", *QUICK]) == 0
    for name in SIZES:
        assert set(np.unique(image(tmp_path / "out" / "davis" / f"{name}.png"))) <= {0, 1}


def test_a_saved_model_labels_one_picture(done: Path, pictures: Path, tmp_path: Path) -> None:
    given = ["cosegment", str(pictures / "b.png"), "-o", str(tmp_path), "-q", *QUICK]
    assert main([*given, "--model-file", str(done / "parts.safetensors")]) == 0
    assert np.array_equal(image(tmp_path / "davis" / "b.png"), image(done / "davis" / "b.png"))


def test_pictures_that_cannot_be_used_are_named_and_the_rest_is_done(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for path in pictures.iterdir():
        (mixed / path.name).write_bytes(path.read_bytes())
    (mixed / "broken.jpg").write_bytes(b"no picture")
    Image.new("RGB", (13, 40)).save(mixed / "tiny.png")
    assert main(["cosegment", str(mixed), "-o", str(tmp_path / "out"), *QUICK]) == 1
    said = capsys.readouterr().err.splitlines()
    named = [
        f"{mixed / 'broken.jpg'}: this is not a picture, or a broken one; make it again or remove it",
        f"{mixed / 'tiny.png'}: is 13x40, smaller than one patch of 14x14; leave it out",
    ]
    end = [
        *(f"left out: {one}" for one in named),
        "videoparts: 2 of 6 pictures could not be used, the others are done",
    ]
    assert said[-3:] == end
    assert {f"note: {one}" for one in named} < set(said)  # at once: there may be hours in between
    assert main(["cosegment", str(mixed), "-o", str(tmp_path / "out"), "-q", *QUICK]) == 1
    assert capsys.readouterr().err.splitlines() == end
    about = json.loads((tmp_path / "out" / "cosegment.json").read_text())
    assert [one["name"] for one in about["pictures"]] == list(SIZES)
    assert set(about["left_out"]) == {"broken", "tiny"}


def test_a_folder_of_sets(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, wanted in {"one": "ab", "two": "cd", "alone": "a"}.items():
        (tmp_path / "sets" / name).mkdir(parents=True)
        for stem in wanted:
            (tmp_path / "sets" / name / f"{stem}.png").write_bytes((pictures / f"{stem}.png").read_bytes())
    start = time.perf_counter()
    assert main(["cosegment", str(tmp_path / "sets"), "-o", str(tmp_path / "out"), *QUICK]) == 1
    whole = time.perf_counter() - start
    said = capsys.readouterr().err.splitlines()
    assert said[-2].startswith(f"failed: alone: {tmp_path / 'sets' / 'alone'}: 1 picture that can be used, and what")
    assert said[-1].endswith("1 of 3 sets could not be done, or not whole: alone")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one", "two"]
    assert sorted(path.name for path in (tmp_path / "out" / "two" / "davis").iterdir()) == ["c.png", "d.png"]
    assert (tmp_path / "out" / "one" / "parts.safetensors").exists()
    assert sum(" from " in line for line in said) == 1  # the model is loaded once, for all
    seconds = [float(line.split()[3]) for line in said if line.startswith("2 pictures in ")]
    assert len(seconds) == 2
    assert sum(seconds) < whole + 0.1  # each set's own, not those of all before it too; they are said to a tenth


def test_pictures_of_other_kinds_are_told(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "set").mkdir()
    for stem in "ab":
        (tmp_path / "set" / f"{stem}.png").write_bytes((pictures / f"{stem}.png").read_bytes())
    (tmp_path / "set" / "c.gif").touch()
    assert main(["cosegment", str(tmp_path / "set"), "-o", str(tmp_path / "out"), *QUICK]) == 0
    told = "note: set holds 1 picture more, of kinds that are not read (.gif); make .png files of them"
    assert told in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        (["--formats", "prores"], "--formats prores: unknown; take davis, object, mattes, cutouts"),
        (["--start", "2"], "--start 2: pictures have no times"),
        (["--fps", "30"], "--fps is of clips, and these are pictures: leave it out"),
        (["--decoder", "pyav"], "--decoder is of clips, and these are pictures: leave it out"),
        (["--timeout", "9"], "--timeout is of clips, and these are pictures: leave it out"),
        (["--window", "5"], "--window 5: pictures have no times"),
        (["--motion", "auto"], "--motion auto: pictures have no times"),
        (["--afar"], "--afar is of clips, and these are pictures: leave it out"),
        (["--votes", "0.5", "--common", "off"], "--votes is of --common and of --foreground vote: take one of these"),
        (["--object", "3,4@0"], "--object 3,4@0: pictures have no times"),
        (["--parts", "3", "--exclude", "4"], "there is no part 4"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    more: list[str], wrong: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cosegment", str(pictures), "-o", str(tmp_path / "out"), *QUICK, *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert wrong in line
    assert not (tmp_path / "out").exists()


def test_one_picture_and_what_others_made(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cosegment", str(pictures / "a.png"), "-o", str(tmp_path / "out"), "-q", *QUICK]) == 2
    assert "1 picture that can be used" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine" / "davis").mkdir(parents=True)
    (tmp_path / "mine" / "davis" / "a.png").write_bytes((pictures / "a.png").read_bytes())
    before = files(tmp_path / "mine")
    assert main(["cosegment", str(pictures), "-o", str(tmp_path / "mine"), "-q", *QUICK]) == 2
    assert "holds a.png, which an earlier run did not make" in capsys.readouterr().err
    assert files(tmp_path / "mine") == before
    assert main(["cosegment", str(pictures), "-o", str(pictures), "-q", *QUICK]) == 2
    assert "is an input too" in capsys.readouterr().err


def test_a_killed_run_goes_on(pictures: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for k in range(24):
        stem = "abcd"[k % 4]
        (many / f"{k:02d}.png").write_bytes((pictures / f"{stem}.png").read_bytes())
    given = ["--parts", "2", "--frames", "256", *QUICK]
    out = tmp_path / "killed"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.Popen([*COMMAND, str(many), "-o", str(out), "-q", *given], env=environment)
    until = time.monotonic() + 120
    while len(list(out.glob(".videoparts/*/00*.png"))) < 5:
        assert run.poll() is None, "it was done before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.005)
    run.kill()
    run.wait()
    assert not (out / "davis").exists()
    kept = {path: path.stat().st_mtime_ns for path in out.glob(".videoparts/*/00*.png")}
    assert 5 <= len(kept) < 24
    assert main(["cosegment", str(many), "-o", str(out), "-q", *given]) == 0
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    whole = tmp_path / "whole"
    assert main(["cosegment", str(many), "-o", str(whole), "-q", *given]) == 0
    assert shown(out) == shown(whole)


def test_options_that_would_do_nothing_are_refused(
    pictures: Path, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets, model = tmp_path / "sets", done / "parts.safetensors"
    shutil.copytree(pictures, sets / "a")
    given = ["cosegment", str(sets), "-o", str(tmp_path / "out"), "--offline"]
    for options, says in (
        (["--save-model", str(tmp_path / "m.safetensors")], "each set keeps a model of its own"),
        (["--model-file", str(model), "--augment", "on"], "--augment says how to fit"),
        (["--model-file", str(model), "--frames", "8"], "--frames says how to fit"),
    ):
        assert main([*given, *options]) == 2
        assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sets"]

"""``videoparts masks`` as a user runs it: many formats, stopped and started again."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import av
import jsonschema
import numpy as np
import pytest
from commands import COMMAND, QUICK, davis, files
from PIL import Image
from videoparts.pipelines import labelling
from videoparts.pipelines.commands.demo import demo_clip
from videoparts.pipelines.main import main

from videoparts.editing.edits import Rename, save_edits
from videoparts.files.lock import only_run_in
from videoparts.results.manifest import Manifest, manifest_schema
from videoparts.sinks.formats import FORMATS


@pytest.fixture(scope="module")
def everything(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All formats of the short clip, whose times are variable."""
    out = tmp_path_factory.mktemp("everything") / "out"
    assert main(["masks", str(short_clip), "-o", str(out), "--formats", ",".join(FORMATS), *QUICK]) == 0
    return out


def test_the_manifest_tells_what_is_there(everything: Path, short_clip: Path) -> None:
    given = json.loads((everything / "manifest.json").read_text())
    jsonschema.validate(given, manifest_schema())
    manifest = Manifest.load(everything)
    assert manifest.source.path == str(short_clip)
    assert set(manifest.formats) == {*FORMATS, "viewer"}
    for paths in manifest.formats.values():
        assert all((everything / path).exists() for path in paths)
    named = {path.split("/")[0] for paths in manifest.formats.values() for path in paths}
    assert {path.name for path in everything.iterdir()} == {*named, "manifest.json", ".videoparts"}
    labels = davis(everything)
    for part, track in zip(manifest.parts, manifest.tracks, strict=True):
        assert track.area.tolist() == (labels == part.number).sum((1, 2)).tolist()


def test_all_formats_hold_the_same_labels_and_times(everything: Path, short_clip: Path) -> None:
    labels, manifest = davis(everything), Manifest.load(everything)
    with av.open(str(short_clip)) as clip:
        times = [frame.time for frame in clip.decode(video=0)]
    with av.open(str(everything / "labels.mkv")) as video:
        frames = list(video.decode(video=0))
    assert np.array_equal(np.stack([frame.to_ndarray(format="gray") for frame in frames]), labels)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.0006)  # Matroska's milliseconds
    for path in manifest.formats["prores"]:
        with av.open(str(everything / path)) as video:
            assert [frame.time for frame in video.decode(video=0)] == times
    for entry, one in zip(manifest.frames, labels, strict=True):
        with np.load(everything / "npz" / f"{entry.stem}.npz", allow_pickle=False) as arrays:
            assert np.array_equal(arrays["labels"], one)
            mattes = arrays["mattes"]
        for part, matte in zip(manifest.parts, mattes, strict=True):
            folder = next(path for path in manifest.formats["mattes"] if f"/{part.number:02d}" in path)
            assert np.array_equal(np.asarray(Image.open(everything / folder / f"{entry.stem}.png")), matte)
        whole = mattes.sum(0, dtype=np.int64)
        assert whole.max() <= 255
        assert np.array_equal(np.where(whole > 127, mattes.argmax(0) + 1, 0), one)


def test_its_overlay_is_that_of_the_overlay_command(everything: Path, short_clip: Path, tmp_path: Path) -> None:
    assert main(["overlay", str(short_clip), "-o", str(tmp_path / "other.mp4"), *QUICK]) == 0
    assert (everything / "overlay.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()


@pytest.mark.parametrize("more", [["--formats", "davis,labels", "--keep-features"], ["--keys", "6"]])
def test_killed_it_goes_on_and_ends_with_the_same_bytes(more: list[str], tmp_path: Path) -> None:
    given = ["--end", "2.4", "--load-size", "224", "--frames", "6", "--offline", *more]

    def command(out: str) -> list[str]:
        return [*COMMAND, "masks", str(demo_clip()), "-o", str(tmp_path / out), *given]

    subprocess.run([*command("whole"), "-q"], check=True)
    run = subprocess.Popen([*command("cut"), "-q"])
    deadline = time.monotonic() + 120
    while not (pieces := list((tmp_path / "cut").glob(".videoparts/*/masks-*.npz"))):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    assert run.wait() < 0
    assert 1 <= len(pieces) < 4
    assert [path.name for path in (tmp_path / "cut").iterdir() if not path.name.startswith(".")] == []
    said = subprocess.run(command("cut"), check=True, capture_output=True, text=True).stderr
    assert "frames are labelled already, by an earlier run" in said
    whole, cut = files(tmp_path / "whole"), files(tmp_path / "cut")
    assert cut.keys() == whole.keys()
    assert [name for name in whole if cut[name] != whole[name]] == []


def test_what_was_labelled_is_written_in_other_formats_without_labelling_again(
    short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["masks", str(short_clip), "-o", str(tmp_path), *QUICK]
    assert main(given) == 0
    before = davis(tmp_path)
    monkeypatch.setattr(labelling, "segment", None)
    assert main([*given, "--formats", "coco"]) == 0
    assert "24 frames are labelled already" in capsys.readouterr().err
    assert np.array_equal(davis(tmp_path), before)
    assert set(Manifest.load(tmp_path).formats) == {"davis", "coco", "viewer"}  # what was true stays


@pytest.mark.parametrize("more", [["--timeout", "61"], ["--decoder", "pyav"]])
def test_how_frames_are_read_does_not_count(
    more: list[str],
    short_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["masks", str(short_clip), "-o", str(tmp_path), *QUICK]
    assert main(given) == 0
    before = davis(tmp_path)
    monkeypatch.setattr(labelling, "segment", None)
    assert main([*given, *more]) == 0
    assert "24 frames are labelled already" in capsys.readouterr().err
    assert np.array_equal(davis(tmp_path), before)
    (run,) = (path.name for path in (tmp_path / ".videoparts").iterdir() if path.is_dir())
    settings = Manifest.load(tmp_path).settings
    assert settings["run"] == run
    name, value = more[0].removeprefix("--"), more[1]
    assert str(settings["source"][name]).startswith(value)  # edits open the clip in the way that the last run has


def test_other_settings_replace_what_was_there_once_they_are_done(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["masks", str(short_clip), "-o", str(tmp_path), *QUICK]
    assert main([*given, "--formats", "coco,davis", "--levels", "2"]) == 0
    assert "removed" not in capsys.readouterr().err
    assert main([*given, "--parts", "2", "--no-page"]) == 0
    assert "removed, for other settings had made it: coco.json, levels/2, viewer.html\n" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [".videoparts", "davis", "manifest.json"]
    assert len([path for path in (tmp_path / ".videoparts").iterdir() if path.is_dir()]) == 1
    assert len(Manifest.load(tmp_path).parts) == 2


def test_a_frame_that_breaks_off_the_run_loses_nothing(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    given = ["masks", str(short_clip), "-o", str(out), *QUICK]
    segment = labelling.segment

    def broken(*arguments: object, **more: object) -> object:
        for k, masks in enumerate(segment(*arguments, **more)):  # type: ignore[arg-type]
            if k == 20:
                raise KeyboardInterrupt
            yield masks

    monkeypatch.setattr(labelling, "segment", broken)
    assert main(given) == 130
    assert "stopped; the same command goes on after 16 frames" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == [".videoparts"]
    monkeypatch.setattr(labelling, "segment", segment)
    assert main(given) == 0
    assert "16 frames are labelled already" in capsys.readouterr().err
    assert len(davis(out)) == 24


def test_a_second_run_in_the_same_folder_leaves(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["masks", str(short_clip), "-o", str(tmp_path), *QUICK]
    assert main(given) == 0
    before = files(tmp_path)
    with only_run_in(tmp_path / ".videoparts"):
        assert main(given) == 2
    assert f"{tmp_path}: another run is writing there" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_edits_are_not_thrown_away(short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_edits(tmp_path / "edits.json", [Rename(1, "head")])
    assert main(["masks", str(short_clip), "-o", str(tmp_path), *QUICK]) == 2
    assert "holds 1 edit of the masks that are there" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["edits.json"]


def test_stopped_before_a_frame_is_kept(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object, **more: object) -> Iterator[object]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(labelling, "segment", stopped)
    assert main(["masks", str(short_clip), "-o", str(tmp_path / "out"), *QUICK]) == 130
    assert "stopped; the same command goes on from the parts that it found" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("formats", "said"), [("davis,tiff", "--formats tiff: unknown; take davis, labels"), ("prores,", None)]
)
def test_formats_are_checked_before_anything_else(
    formats: str, said: str | None, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["masks", str(short_clip), "-o", str(tmp_path / "out"), "--formats", formats, *QUICK])
    assert (status == 2) == (said is not None)
    if said is not None:
        assert said in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


def test_where_what_every_frame_tells_is_kept_the_vit_sees_every_frame(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["masks", str(short_clip), *QUICK, "--preset", "fast"]
    for out, more in (("kept", ["--keep-features"]), ("seen", ["--keys", "1"])):
        assert main([*given, "-o", str(tmp_path / out), *more]) == 0
    assert np.array_equal(davis(tmp_path / "kept"), davis(tmp_path / "seen"))
    capsys.readouterr()
    for option, value in (("--keys", "4"), ("--tolerance", "0.2")):
        assert main([*given, "-o", str(tmp_path / "out"), "--keep-features", option, value]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"leave out {option}" in line
    assert not (tmp_path / "out").exists()

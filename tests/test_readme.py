"""What README and the pages beside the samples say is so: commands are understood, Python runs, files are there."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from places import ROOT
from videoparts.pipelines.command_line import parse

import videoparts
from videoparts.config import ComputeSettings
from videoparts.foreground.probe import CentroidProbe
from videoparts.parts.model import PartModel
from videoparts.parts.space import PartSpace
from videoparts.parts.tree import PartTree
from videoparts.vit.extractor import ViTExtractor
from videoparts.vit.naming import TIMM_NAMES

README = (ROOT / "README.md").read_text()
PAGES = "\n".join([README, *(page.read_text() for page in sorted((ROOT / "samples").glob("*.md")))])


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("videoparts ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_its_commands_are_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extractor: ViTExtractor
) -> None:
    monkeypatch.chdir(tmp_path)
    tree = PartTree(
        torch.zeros(2), torch.eye(2)[:1], torch.tensor([-1]), torch.ones(1), torch.zeros(1, 2), torch.ones(1), 9.0
    )
    probe = CentroidProbe(torch.ones(1, 2), torch.eye(1, 2))
    space = PartSpace("one", torch.zeros(0, 2), torch.zeros(0), torch.zeros(0))
    PartModel.of(probe, space, tree, 1, extractor.identity).save("cat.safetensors")
    (jobs,) = blocks("toml")
    Path("jobs.toml").write_text(jobs)
    command = parse(shlex.split(line, comments=True)[1:])
    assert hasattr(command, "run")


PICTURES = ("cosegment", "correspond", "evaluate-points", "similarity", "pca", "extract")


def test_its_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    known = ""
    for command in (
        "overlay",
        "masks",
        "batch",
        "status",
        "edit",
        "effect",
        "view",
        "fit",
        "demo",
        "evaluate",
        "benchmark",
        "info",
        *PICTURES,
    ):
        with pytest.raises(SystemExit):
            parse([command, "--help"])
        known += capsys.readouterr().out
    for option in set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", re.sub(r"`(?:ruff|python)[^`]*`", "", PAGES))):
        assert re.search(rf"{option}(?![-\w])", known), option


def test_its_models_exist() -> None:
    for model in re.findall(r"`(dino[v\d]*_vit\w+)`", README):
        assert model in TIMM_NAMES


def test_its_python_runs(short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    shutil.copy(short_clip, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    # On a CPU and without network, so that the test is the same everywhere.
    monkeypatch.setattr("videoparts.vit.extractor.ComputeSettings", lambda: ComputeSettings(device="cpu", offline=True))
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "parts.mp4").stat().st_size > 10_000


def test_its_pictures_and_scripts_are_there() -> None:
    named = re.findall(r"\]\((samples/[^)]+)\)", README)
    named += re.findall(r"(?:python|pytest) ((?:samples|tests)/\S+\.py)", PAGES)
    assert len(named) >= 15
    for path in named:
        assert (ROOT / path).is_file(), path


def test_no_public_name_is_also_a_module() -> None:
    """``from videoparts import name`` would give the module, once something has imported that."""
    assert not [name for name in videoparts.__all__ if (ROOT / "videoparts" / f"{name}.py").exists()]


def test_the_library_does_not_import_the_chains() -> None:
    for path in (ROOT / "videoparts").rglob("*.py"):
        if path.name != "__init__.py":
            assert "pipelines" not in path.read_text(), path

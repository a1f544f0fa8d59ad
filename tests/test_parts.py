"""The part model: scores, and its file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import safetensors.torch
import torch

from videoparts.errors import ModelMismatchError, OutputError, SettingsError
from videoparts.features import ExtractorIdentity, Features
from videoparts.grid import Grid
from videoparts.parts import PartModel, check_model_path

IDENTITY = ExtractorIdentity("vit", 11, "key", 14, 336, False, "abc")
EYE = torch.eye(6)


def model(background: int = 2, parts: int = 3) -> PartModel:
    colours = tuple((k, 2 * k, 3 * k) for k in range(parts))
    names = tuple(f"part{k + 1}" for k in range(parts))
    return PartModel(EYE[:background], EYE[background : background + parts], names, colours, IDENTITY)


def features(*rows: int) -> Features:
    return Features(EYE[list(rows)].view(1, 1, len(rows), 6), Grid(14, 14 * len(rows), 14, 14))


def test_scores_are_cosines_and_background_is_the_nearest_of_its_centroids() -> None:
    scores = model().score(features(1, 2, 4, 5))
    assert scores.shape == (1, 4, 1, 4)
    assert scores[0, :, 0].T.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    chance = model().probabilities(features(1, 2, 4, 5))
    assert torch.allclose(chance.sum(1), torch.ones(1, 1, 4))
    assert chance[0, :, 0, :3].argmax(0).tolist() == [0, 1, 3]


def test_without_background_every_patch_is_a_part() -> None:
    assert model(background=0).score(features(5))[0, 0].item() == -1


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    before = model()
    before.save(tmp_path / "new" / "m.safetensors")
    after = PartModel.load(tmp_path / "new" / "m.safetensors")
    assert after.parts.equal(before.parts)
    assert after.background.equal(before.background)
    assert (after.names, after.colours, after.identity) == (before.names, before.colours, before.identity)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m.safetensors"]


def test_the_same_model_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        model().save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(ExtractorIdentity)])
def test_every_difference_is_named(field: str) -> None:
    other = dataclasses.replace(IDENTITY, **{field: "other"})
    with pytest.raises(ModelMismatchError, match=rf"{field} .*, not 'other'"):
        model().require(other)
    model().require(IDENTITY)


@pytest.mark.parametrize("content", [b"", b"no model", b"\xff" * 100])
def test_what_is_not_a_model_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="not a readable part model") as caught:
        PartModel.load(path)
    assert "\n" not in str(caught.value)


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    safetensors.torch.save_file({"x": EYE}, tmp_path / "m.safetensors")
    with pytest.raises(SettingsError, match="not a part model"):
        PartModel.load(tmp_path / "m.safetensors")


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model().save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SettingsError, match="not a readable part model"):
        PartModel.load(path)


def test_a_missing_model_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="videoparts fit"):
        PartModel.load(tmp_path / "none.safetensors")


def test_names_and_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.safetensors"):
        check_model_path(tmp_path / "cat.pt")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        model().save(tmp_path / "file" / "m.safetensors")


def test_a_model_checks_itself_at_birth() -> None:
    with pytest.raises(ValueError, match="3 parts need as many names"):
        dataclasses.replace(model(), names=("one",))
    with pytest.raises(ValueError, match="centroids must be"):
        dataclasses.replace(model(), background=torch.zeros(2, 5))

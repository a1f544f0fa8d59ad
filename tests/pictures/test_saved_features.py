"""Features in files of each format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

import videoparts
from videoparts.errors import OutputError, SourceError
from videoparts.grid import Grid
from videoparts.identity import ExtractorIdentity
from videoparts.pictures.extraction import patch_places
from videoparts.pictures.saved_features import (
    AboutFeatures,
    FeatureSettings,
    SavedFeatures,
    about_features,
    load_features,
    save_features,
)

IDENTITY = ExtractorIdentity("tiny", 3, "key", 4, 32, False, "f" * 16)
SETTINGS = FeatureSettings(IDENTITY, (0, 2), True)
ABOUT = AboutFeatures(
    "a cat.jpg", "0" * 64, None, (50, 70), (3, 5, 4), (1 / 3, 0.5), (2 / 3, 1.0), (12, 20), 4, SETTINGS, "float32"
)


@pytest.fixture(params=["safetensors", "npz", "zarr"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "zarr":
        pytest.importorskip("zarr", reason="zarr is an extra")
    return tmp_path / f"cat.{request.param}"


def features(number: type = np.float16) -> SavedFeatures:
    random = np.random.default_rng(0)
    return SavedFeatures(random.random((3, 5, 4)).astype(number), random.random((3, 5)).astype(number), ABOUT)


@pytest.mark.parametrize("number", [np.float16, np.float32])
def test_what_is_written_is_read(path: Path, number: type) -> None:
    given = features(number)
    save_features(path, given)
    save_features(path, given)  # one's own is replaced
    read = videoparts.load_features(path)
    for name in ("descriptors", "saliency"):
        assert getattr(read, name).dtype == number
        assert np.array_equal(getattr(read, name), getattr(given, name))
    assert read.about == about_features(path) == ABOUT
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_usual_readers_need_one_line(tmp_path: Path) -> None:
    given = features()
    save_features(tmp_path / "a.safetensors", given)
    save_features(tmp_path / "a.npz", given)
    assert np.array_equal(safetensors.numpy.load_file(tmp_path / "a.safetensors")["descriptors"], given.descriptors)
    as_torch = safetensors.torch.load_file(tmp_path / "a.safetensors")["saliency"]
    assert torch.equal(as_torch, torch.from_numpy(given.saliency))
    assert np.array_equal(np.load(tmp_path / "a.npz")["descriptors"], given.descriptors)


def test_the_same_features_give_the_same_bytes(tmp_path: Path) -> None:
    for suffix in ("safetensors", "npz"):
        save_features(tmp_path / f"a.{suffix}", features())
        save_features(tmp_path / f"b.{suffix}", features())
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_something_else_is_not_replaced(path: Path) -> None:
    if path.suffix == ".zarr":
        path.mkdir()
        (path / "mine.txt").write_text("mine")
    else:
        path.write_text("mine")
    with pytest.raises(OutputError, match="is there, and holds no features"):
        save_features(path, features())
    assert (path / "mine.txt" if path.is_dir() else path).read_text() == "mine"
    with pytest.raises(SourceError, match="holds no features"):
        load_features(path)


def test_a_file_that_is_not_there(path: Path) -> None:
    assert about_features(path) is None
    with pytest.raises(SourceError, match="there is no such file"):
        load_features(path)


def test_differences_are_named() -> None:
    other = replace(SETTINGS, extractor=replace(IDENTITY, layer=2, binned=True), heads=(1,))
    assert SETTINGS.differences(other) == ["layer 3, not 2", "binned False, not True", "heads 0,2, not 1"]
    assert SETTINGS.differences(SETTINGS) == []


@pytest.mark.parametrize(("patch", "stride"), [(14, 14), (14, 7), (8, 4)])
@pytest.mark.parametrize("size", [(480, 854), (1080, 607), (33, 100)])
def test_positions_are_where_the_patches_are(size: tuple[int, int], patch: int, stride: int) -> None:
    """Of a picture whose pixels tell where they are, each patch of the resized picture has the mean it should."""
    grid = Grid.fit(size, 112, patch, stride)
    origin, step = patch_places(grid, size)
    about = replace(ABOUT, size=size, shape=(grid.rows, grid.columns, 1), origin=origin, step=step)
    positions = SavedFeatures(np.zeros((grid.rows, grid.columns, 1)), np.zeros((1, 1)), about).positions
    # Pixel k of the resized picture spans k to k + 1, which is this much of the picture:
    y = (np.arange(grid.height) + 0.5) * size[0] / grid.height
    x = (np.arange(grid.width) + 0.5) * size[1] / grid.width
    for i in (0, grid.rows - 1):
        for j in (0, grid.columns - 1):
            middle = y[i * stride : i * stride + patch].mean(), x[j * stride : j * stride + patch].mean()
            assert positions[i, j] == pytest.approx(middle, rel=1e-12)
    # Patches reach from border to border, so that their centres lie alike on both sides.
    assert positions[0, 0] + positions[-1, -1] == pytest.approx(size, rel=1e-12)

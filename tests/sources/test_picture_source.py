"""Pictures of any sizes, as a source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media import picture
from PIL import Image

from videoparts.errors import SettingsError, SourceError
from videoparts.sources.picture_set import pictures_of
from videoparts.sources.picture_source import PictureSource

SIZES = [(40, 60), (40, 60), (40, 60), (64, 32), (40, 60)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, (height, width) in enumerate(SIZES):
        Image.fromarray(picture(i, height, width)).save(tmp_path / f"p{i + 8}.png")  # p10 after p9
    return tmp_path


def test_batches_hold_pictures_of_one_size_in_natural_order(folder: Path) -> None:
    source = PictureSource(pictures_of([folder]))
    batches = list(source.batches(2))
    assert [batch.names for batch in batches] == [("p8", "p9"), ("p10",), ("p11",), ("p12",)]
    assert [batch.size for batch in batches] == [(40, 60), (40, 60), (64, 32), (40, 60)]
    for batch in batches:
        for index, pixels in zip(batch.index.tolist(), batch.pixels, strict=True):
            assert np.array_equal(pixels, picture(index, *SIZES[index]))
    assert source.info.path == folder
    assert (source.info.frames, source.info.height, source.info.width) == (5, 40, 60)


def test_some_of_them(folder: Path) -> None:
    source = PictureSource(pictures_of([folder]), range(0, 5, 2))
    assert [batch.stem(0) for batch in source.batches(1)] == ["p8", "p10", "p12"]
    assert [batch.stem(0) for batch in source.part(1).batches(1)] == ["p10", "p12"]
    assert source.part(1, 2).info.frames == 1
    assert [batch.stem(0) for batch in source.sample(1, 1)] == ["p10"]
    assert source.frame(3).stem(0) == "p11"


def test_none_is_next_to_another(folder: Path) -> None:
    source = PictureSource(pictures_of([folder]))
    around = list(source.sample_around(3))
    assert [one.frame.stem(0) for one in around] == ["p8", "p10", "p12"]
    assert all(one.before is None and one.after is None for one in around)
    with pytest.raises(SettingsError, match="pictures have no times"):
        source.sample_around(3, 1.0)


def test_a_broken_one_is_named(folder: Path) -> None:
    (folder / "p9.png").write_bytes((folder / "p9.png").read_bytes()[:90])
    source = PictureSource(pictures_of([folder]))
    with pytest.raises(SourceError, match=r"p9\.png"):
        list(source.batches(1))

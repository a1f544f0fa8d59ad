from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from videoparts.errors import OutputError
from videoparts.frames import FrameBatch
from videoparts.mask_store import MaskStore, save_arrays
from videoparts.masks import PartMasks

FRAMES = 150


def masks(batch: int = 3, first: int = 0) -> Iterator[PartMasks]:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, (FRAMES, 6, 8), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    matte = np.where(random.random(labels.shape) < 0.1, random.integers(0, 256, labels.shape), 255 * (labels > 0))
    for at in range(first, FRAMES, batch):
        some = slice(at, min(at + batch, FRAMES))
        index = np.arange(some.start, some.stop) * 2
        frames = FrameBatch(np.zeros((len(index), 24, 32, 3), np.uint8), index, index * 512 + 7, Fraction(1, 12800))
        yield PartMasks(frames, labels[some], matte[some].astype(np.uint8))


def write(folder: Path, batch: int = 3, first: int = 0) -> None:
    store = MaskStore(folder)
    assert store.frames == first
    for some in masks(batch, first):
        store.write(some)
    store.close()
    assert store.frames == FRAMES


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    write(tmp_path)
    for first in (0, 1, 64, 100, FRAMES):
        wanted = [
            (m.labels[0], m.matte[0], m.frames.index[0], m.frames.pts[0]) for m in masks(1) if m.matte is not None
        ]
        kept = list(MaskStore(tmp_path).read(first))
        assert len(kept) == FRAMES - first
        for one, (labels, matte, index, pts) in zip(kept, wanted[first:], strict=True):
            assert np.array_equal(one.labels, labels)
            assert np.array_equal(one.matte, matte)
            assert (one.index, one.pts) == (index, pts)


def test_a_run_that_goes_on_ends_with_the_same_files(tmp_path: Path) -> None:
    write(tmp_path / "whole", batch=7)
    write(tmp_path / "cut", batch=3)
    assert len(files(tmp_path / "cut")) == 3
    last = max((tmp_path / "cut").iterdir())
    last.unlink()
    write(tmp_path / "cut", batch=5, first=128)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_what_follows_a_gap_is_written_again(tmp_path: Path) -> None:
    write(tmp_path)
    before = files(tmp_path)
    min(tmp_path.iterdir()).unlink()
    assert MaskStore(tmp_path).frames == 0
    assert list(MaskStore(tmp_path).read()) == []
    write(tmp_path)
    assert files(tmp_path) == before


def test_large_frames_make_small_pieces(tmp_path: Path) -> None:
    store = MaskStore(tmp_path)
    size = (1, 4000, 4100)
    labels = np.zeros(size, np.uint8)
    pixels = np.broadcast_to(np.uint8(0), (*size, 3))
    for k in range(3):
        frames = FrameBatch(pixels, np.array([k]), np.array([k]), Fraction(1, 25))
        store.write(PartMasks(frames, labels, labels))
    assert sorted(files(tmp_path)) == ["masks-0000000.npz", "masks-0000002.npz"][:1]
    assert store.frames == 2


def test_a_broken_piece_is_told(tmp_path: Path) -> None:
    write(tmp_path)
    piece = min(tmp_path.iterdir())
    piece.write_bytes(piece.read_bytes()[:500])
    with pytest.raises(OutputError, match=r"masks-0000000.npz: cannot be read .*; remove it and run the command again"):
        MaskStore(tmp_path)


def test_arrays_need_no_pickle_and_are_the_same_bytes(tmp_path: Path) -> None:
    arrays = {"a": np.arange(5), "name": np.array(["left ear", "<b>"])}
    save_arrays(tmp_path / "one.npz", arrays)
    save_arrays(tmp_path / "two.npz", arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as read:
        assert read["name"].tolist() == ["left ear", "<b>"]
        assert read["a"].tolist() == [0, 1, 2, 3, 4]

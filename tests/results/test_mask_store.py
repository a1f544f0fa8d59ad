from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from videoparts.errors import OutputError
from videoparts.frames import FrameBatch
from videoparts.masks import PartMasks
from videoparts.reports.joints import Joint
from videoparts.results.mask_store import MaskStore

FRAMES = 150


def joint(k: int) -> Joint:
    counts = np.arange(12 * (k % 3), dtype=np.int32)
    return Joint(k % 5 == 0, counts.reshape(-1, 3) + k, counts.reshape(-1, 4) + k)


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
        store.write(some, [joint(k) for k in some.frames.index.tolist()])
    store.close()
    assert store.frames == FRAMES


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    write(tmp_path)
    for first in (0, 1, 16, 100, FRAMES):
        wanted = [
            (m.labels[0], m.matte[0], m.frames.index[0], m.frames.pts[0]) for m in masks(1) if m.matte is not None
        ]
        kept = list(MaskStore(tmp_path).read(first))
        assert len(kept) == FRAMES - first
        for one, (labels, matte, index, pts) in zip(kept, wanted[first:], strict=True):
            assert np.array_equal(one.labels, labels)
            assert np.array_equal(one.matte, matte)
            assert (one.index, one.pts) == (index, pts)
            wanted_joint = joint(one.index)
            assert one.joint.cut == wanted_joint.cut
            assert np.array_equal(one.joint.pairs, wanted_joint.pairs)
            assert np.array_equal(one.joint.triples, wanted_joint.triples)
            assert one.chances is None


def test_a_run_that_goes_on_ends_with_the_same_files(tmp_path: Path) -> None:
    write(tmp_path / "whole", batch=7)
    write(tmp_path / "cut", batch=3)
    assert len(files(tmp_path / "cut")) == 10
    last = max((tmp_path / "cut").iterdir())
    last.unlink()
    write(tmp_path / "cut", batch=5, first=144)
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
        store.write(PartMasks(frames, labels, labels), [joint(0)])
    assert sorted(files(tmp_path)) == ["masks-0000000.npz", "masks-0000002.npz"][:1]
    assert store.frames == 2


def test_chances_come_back_but_for_rounding(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.full(6, 0.2), (FRAMES, 3, 4)).astype(np.float16)
    store = MaskStore(tmp_path)
    for k, some in enumerate(masks(1)):
        store.write(replace(some, chances=chances[k : k + 1]), [joint(k)])
    store.close()
    assert all(one.chances is None for one in store.read())
    for one, wanted in zip(store.read(chances=True), chances, strict=True):
        assert one.chances is not None
        assert np.abs(one.chances.astype(float) - wanted).max() < 0.01
        assert one.chances.sum(-1).astype(float) == pytest.approx(1, abs=2e-3)


def test_a_broken_piece_is_told(tmp_path: Path) -> None:
    write(tmp_path)
    piece = min(tmp_path.iterdir())
    piece.write_bytes(piece.read_bytes()[:500])
    with pytest.raises(
        OutputError, match=r"masks-0000000.npz: cannot be read; remove it and run videoparts masks again"
    ):
        MaskStore(tmp_path)

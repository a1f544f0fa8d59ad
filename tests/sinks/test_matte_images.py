"""Matte images and label images in the parts' own colours, and masks with mattes for the tests of other formats."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import clip
from covered import PARTS, covered, write
from PIL import Image

from videoparts.errors import OutputError
from videoparts.frames import FrameBatch
from videoparts.masks import PartMasks
from videoparts.sinks.formats import FORMATS, part_stem
from videoparts.sinks.images.davis import DavisImages
from videoparts.sinks.images.matte_images import MatteImages
from videoparts.sinks.images.png import png

# The formats of one folder or file, with mattes or without.
NAMES = ("davis", "mattes", "npz", "coco", "cvat", "cryptomatte")


def tree(folder):
    """Every file under a folder with a hash of its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_masks_of_these_tests_have_what_they_claim():
    made = clip("x", count=6)
    masks = list(covered(made))
    labels = np.concatenate([m.labels for m in masks])
    mattes = np.concatenate([m.mattes for m in masks])
    assert mattes.sum(1, dtype=int).max() <= 255
    assert np.unique(labels).tolist() == [0, 2, 5, 9, 200]
    assert not labels[4].any()
    shared = (mattes > 0).sum(1)
    assert all((shared == n).any() for n in range(5))


def test_mattes_are_read_back_exactly(tmp_path):
    made = clip("x", count=6, size=(33, 41))
    batches, sink = write(tmp_path, made, "mattes")
    wanted = np.concatenate([masks.mattes for masks in batches])
    assert sink.outputs == tuple(tmp_path / "mattes" / part_stem(part) for part in PARTS)
    assert sink.notes == ()
    assert sorted(path.name for path in (tmp_path / "mattes").iterdir()) == sorted(path.name for path in sink.outputs)
    for k, folder in enumerate(sink.outputs):
        assert sorted(path.name for path in folder.iterdir()) == [f"{n:05d}.png" for n in range(6)]
        for n in range(6):
            path = folder / f"{n:05d}.png"
            with Image.open(path) as image:
                image.load()
                assert image.mode == "L"
                assert np.array_equal(np.asarray(image), wanted[n, k])
            # A second reader: OpenCV's is libpng, Pillow has its own.
            assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), wanted[n, k])


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5)])
def test_every_value_and_size_survives(tmp_path, size):
    grey = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    palette = np.random.default_rng(2).integers(0, 256, (256, 3), np.uint8)
    (tmp_path / "grey.png").write_bytes(png(grey))
    (tmp_path / "palette.png").write_bytes(png(grey, palette.tobytes()))
    with Image.open(tmp_path / "grey.png") as image:
        assert np.array_equal(np.asarray(image), grey)
    with Image.open(tmp_path / "palette.png") as image:
        assert np.array_equal(np.asarray(image), grey)
    assert np.array_equal(cv2.imread(str(tmp_path / "palette.png"))[..., ::-1], palette[grey])


def test_label_images_have_the_parts_own_numbers_and_colours(tmp_path):
    made = clip("x", count=6, size=(33, 41))
    batches, sink = write(tmp_path, made, "davis")
    wanted = np.concatenate([masks.labels for masks in batches])
    assert sink.outputs == (tmp_path / "davis",)
    colours = {0: (0, 0, 0), **{part.number: part.colour for part in PARTS}}
    for n in range(6):
        with Image.open(tmp_path / "davis" / f"{n:05d}.png") as image:
            assert image.mode == "P"
            assert np.array_equal(np.asarray(image), wanted[n])
            palette = np.reshape(image.getpalette(), (-1, 3))
        assert all(tuple(palette[number]) == colour for number, colour in colours.items())
        assert (palette[[k for k in range(256) if k not in colours]] == 128).all()


@pytest.mark.parametrize("kind", NAMES)
def test_the_same_masks_give_the_same_bytes_whatever_the_batches(tmp_path, kind):
    made = clip("x", count=6)
    write(tmp_path / "a", made, kind, batch=6)
    with FORMATS[kind].open(tmp_path / "b", made.info, PARTS) as sink:
        for masks in covered(made, batch=6):
            for i in range(6):
                frames = masks.frames
                one = slice(i, i + 1)
                frames = FrameBatch(frames.pixels[one], frames.index[one], frames.pts[one], frames.time_base)
                sink.write(PartMasks(frames, masks.labels[one], mattes=masks.mattes[one]))
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert tree(tmp_path / "a")


@pytest.mark.parametrize("kind", NAMES)
def test_nothing_is_touched_before_and_nothing_left_after_an_exception(tmp_path, kind):
    made = clip("x", count=6)
    sink = FORMATS[kind].open(tmp_path / "a" / "b", made.info, PARTS)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), sink:  # noqa: PT012
        sink.write(next(covered(made)))
        assert not any(path.exists() for path in sink.outputs)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", NAMES)
def test_no_frames(tmp_path, kind):
    with pytest.raises(OutputError, match="no frame"), FORMATS[kind].open(tmp_path / "a", clip("x").info, PARTS):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", NAMES)
def test_frames_keep_their_files_names_and_no_two_are_alike(tmp_path, kind):
    made = clip("x", count=2)
    write(tmp_path / "a", made, kind, names=("shot 1", "shot-é"))
    with pytest.raises(OutputError, match="two frames are called shot"):
        write(tmp_path / "b", made, kind, names=("shot", "shot"))
    assert not (tmp_path / "b").exists()
    if kind in ("davis", "mattes", "npz", "cryptomatte"):
        assert {path.stem for path in (tmp_path / "a").rglob("*.*")} == {"shot 1", "shot-é"}


@pytest.mark.parametrize("kind", NAMES)
def test_an_earlier_run_is_replaced_whole(tmp_path, kind):
    write(tmp_path / "a", clip("x", count=6), kind)
    write(tmp_path / "a", clip("x", count=2), kind)
    write(tmp_path / "b", clip("x", count=2), kind)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


@pytest.mark.parametrize("kind", ["davis", "mattes", "npz", "cryptomatte"])
def test_what_others_made_is_never_replaced(tmp_path, kind):
    made = clip("x", count=2)
    _, sink = write(tmp_path, made, kind)
    suffix = next(sink.outputs[-1].iterdir()).suffix
    foreign = sink.outputs[-1] / f"00007{suffix}"
    foreign.write_bytes(b"mine")
    before = tree(tmp_path)
    with pytest.raises(OutputError, match="holds 00007"):
        write(tmp_path, made, kind)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("kind", NAMES)
def test_an_input_is_never_replaced(tmp_path, kind):
    info = clip("x").info
    for output in FORMATS[kind].open(tmp_path, info, PARTS).outputs:
        with pytest.raises(OutputError, match="is an input too"):
            FORMATS[kind].open(tmp_path, replace(info, path=Path(output)), PARTS)


@pytest.mark.parametrize("kind", ["mattes", "npz", "cryptomatte"])
def test_missing_mattes_are_told(tmp_path, kind):
    made = clip("x", count=2)
    masks = next(covered(made))
    with (
        pytest.raises(ValueError, match="4 parts is needed, got none"),
        FORMATS[kind].open(tmp_path, made.info, PARTS) as sink,
    ):
        sink.write(PartMasks(masks.frames, masks.labels))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", NAMES)
def test_a_full_disk_leaves_nothing_and_what_appears_is_whole(tmp_path, small_disk, kind):
    made = clip("x", count=6, size=(96, 128))
    write(tmp_path / "whole", made, kind)
    whole = tree(tmp_path / "whole")
    pages = sum(-(-path.stat().st_size // 4096) for path in (tmp_path / "whole").rglob("*.*"))
    outcomes = set()
    for size in sorted({1, pages // 3, 2 * pages // 3, *range(pages - 4, pages + 4)}):
        disk = small_disk(size * 4096)
        try:
            write(disk / "out", made, kind)
            assert tree(disk / "out") == whole
            outcomes.add("written")
        except OutputError as error:
            outcomes.add(str(error).partition(": ")[2])
            assert list(disk.iterdir()) == []
    assert outcomes == {"the disk is full: free some space or choose another place", "written"}


def test_classes_are_those_of_the_table():
    assert FORMATS["davis"].sink == DavisImages.__name__
    assert FORMATS["mattes"].sink == MatteImages.__name__

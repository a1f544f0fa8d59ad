from __future__ import annotations

import numpy as np
import pytest
from clips import clip
from PIL import Image

from videoparts.clock import StageClock
from videoparts.errors import OutputError
from videoparts.frames import FrameBatch
from videoparts.masks import PartMasks
from videoparts.painting.palette import palette
from videoparts.sinks.images.label_images import LabelImages


def write(folder, made, **more):
    with LabelImages(folder, **more) as sink:
        for masks in made.masks():
            sink.write(masks)


def test_labels_are_read_back_exactly(tmp_path):
    made = clip("x.mp4", count=6, size=(33, 41))
    clock = StageClock()
    write(tmp_path / "out", made, colours=palette(3), clock=clock)
    wanted = np.concatenate([masks.labels for masks in made.masks()])
    files = sorted((tmp_path / "out" / "davis").iterdir())
    assert [path.name for path in files] == [f"{n:05d}.png" for n in range(6)]
    for path, labels in zip(files, wanted, strict=True):
        with Image.open(path) as image:
            assert image.mode == "P"
            assert np.array_equal(np.asarray(image), labels)
            assert image.getpalette()[:12] == palette(3).ravel().tolist()
            assert np.array_equal(np.asarray(image.convert("RGB")), palette(3)[labels])
    assert clock.seconds["write"] > 0


def test_every_label_survives(tmp_path):
    labels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    frames = FrameBatch(np.zeros((1, 16, 16, 3), np.uint8), np.array([7]), np.array([0]), clip("x").info.time_base)
    with LabelImages(tmp_path) as sink:
        sink.write(PartMasks(frames, labels))
    with Image.open(tmp_path / "davis" / "00007.png") as image:
        assert np.array_equal(np.asarray(image), labels[0])


def named(made, names):
    (masks,) = made.masks(batch=len(names), only=slice(len(names)))
    frames = masks.frames
    return PartMasks(FrameBatch(frames.pixels, frames.index, frames.pts, frames.time_base, names), masks.labels)


def test_images_of_a_folder_keep_their_names(tmp_path):
    with LabelImages(tmp_path) as sink:
        sink.write(named(clip("x"), ("shot-1", "shot-2")))
    assert sorted(path.name for path in (tmp_path / "davis").iterdir()) == ["shot-1.png", "shot-2.png"]


def test_two_frames_of_one_name_are_refused(tmp_path):
    with pytest.raises(OutputError, match="two frames"), LabelImages(tmp_path / "out") as sink:
        sink.write(named(clip("x"), ("a", "a")))
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_run_is_replaced_whole(tmp_path):
    write(tmp_path, clip("x", count=6))
    write(tmp_path, clip("x", count=2))
    assert sorted(path.name for path in (tmp_path / "davis").iterdir()) == ["00000.png", "00001.png"]


def test_annotations_of_others_are_never_replaced(tmp_path):
    (tmp_path / "davis").mkdir()
    truth = tmp_path / "davis" / "00000.png"
    Image.fromarray(np.zeros((4, 4), np.uint8), "P").save(truth)
    with pytest.raises(OutputError, match=r"holds 00000\.png"):
        LabelImages(tmp_path)
    assert truth.exists()


def test_an_input_is_never_replaced(tmp_path):
    with pytest.raises(OutputError, match="is an input too"):
        LabelImages(tmp_path, inputs=[tmp_path / "davis"])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path, error):
    with pytest.raises(error), LabelImages(tmp_path / "a" / "b") as sink:  # noqa: PT012
        sink.write(next(clip("x").masks()))
        raise error
    assert list(tmp_path.iterdir()) == []


def test_no_frames(tmp_path):
    with pytest.raises(OutputError, match="no frame"), LabelImages(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(small_disk):
    disk = small_disk(5 * 4096)
    with pytest.raises(OutputError, match="the disk is full"):
        write(disk / "out", clip("x", count=12))
    assert list(disk.iterdir()) == []

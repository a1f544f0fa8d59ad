from __future__ import annotations

import zipfile

import numpy as np
from clips import clip
from covered import PARTS, write


def test_arrays_are_read_back_exactly(tmp_path):
    made = clip("x", "29.97", count=6, size=(33, 41))
    batches, sink = write(tmp_path, made, "npz")
    labels = np.concatenate([masks.labels for masks in batches])
    mattes = np.concatenate([masks.mattes for masks in batches])
    assert sink.outputs == (tmp_path / "npz",)
    for n in range(6):
        with np.load(tmp_path / "npz" / f"{n:05d}.npz", allow_pickle=False) as found:
            assert set(found) == {"labels", "mattes", "numbers", "names", "index", "pts", "time_base"}
            assert found["labels"].dtype == found["mattes"].dtype == np.uint8
            assert np.array_equal(found["labels"], labels[n])
            assert np.array_equal(found["mattes"], mattes[n])
            assert found["numbers"].dtype == np.int64
            assert found["numbers"].tolist() == [part.number for part in PARTS]
            assert found["names"].tolist() == [part.name for part in PARTS]
            assert found["index"] == n
            assert found["pts"] == made.pts[n]
            assert found["time_base"].tolist() == [1001, 30000]


def test_the_archives_are_sound_and_tell_no_time(tmp_path):
    write(tmp_path, clip("x", count=1), "npz")
    with zipfile.ZipFile(tmp_path / "npz" / "00000.npz") as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert sum(info.compress_size for info in archive.infolist()) < sum(
            info.file_size for info in archive.infolist()
        )


def test_no_parts(tmp_path):
    made = clip("x", count=1)
    from videoparts.frames import FrameBatch
    from videoparts.masks import PartMasks
    from videoparts.sinks.exchange.npz import Npz

    frames = FrameBatch(made.pixels, np.array([0]), np.array(made.pts), made.info.time_base)
    with Npz(tmp_path, made.info, ()) as sink:
        sink.write(PartMasks(frames, np.zeros((1, 48, 64), np.uint8), mattes=np.zeros((1, 0, 48, 64), np.uint8)))
    with np.load(tmp_path / "npz" / "00000.npz", allow_pickle=False) as found:
        assert found["mattes"].shape == (0, 48, 64)
        assert found["names"].shape == (0,)

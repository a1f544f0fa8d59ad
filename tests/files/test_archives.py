from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from videoparts.files.archives import add_entry, write_npz


def test_arrays_need_no_pickle_and_are_the_same_bytes(tmp_path: Path) -> None:
    arrays = {"a": np.arange(5), "name": np.array(["left ear", "<b>"])}
    write_npz(tmp_path / "one.npz", arrays)
    write_npz(tmp_path / "two.npz", arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as read:
        assert read["name"].tolist() == ["left ear", "<b>"]
        assert read["a"].tolist() == [0, 1, 2, 3, 4]


def test_entries_do_not_know_when_they_were_written(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            add_entry(archive, "a/b.txt", b"text")
            add_entry(archive, "c.bin", bytes(1000), level=6)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.read("a/b.txt") == b"text"
        assert archive.read("c.bin") == bytes(1000)
        assert archive.getinfo("c.bin").compress_size < 100

"""What a batch writes down of the clips that have come to their end."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from videoparts.pipelines.batches.journal import Entry, Journal, differences, settings_key, stamp_of

from videoparts.errors import OutputError

SETTINGS = {"parts": 4, "formats": ["davis"], "videoparts version": "1"}
DONE = Entry("day 1/horse", "/in/horse.mp4", "1 5 7", "ab" * 32, settings_key(SETTINGS), "done", 250)
FAILED = replace(DONE, clip="cow\nboy", sha256="", status="failed", frames=0, error="broken")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path)
    assert journal.settings is None
    journal.begin(SETTINGS)
    journal.add(FAILED)
    journal.add(DONE)
    return journal


def test_what_was_written_is_read(journal: Journal) -> None:
    again = Journal(journal.path.parent)
    assert again.settings == SETTINGS
    assert again.entries == {"cow\nboy": FAILED, "day 1/horse": DONE}
    assert len(journal.path.read_bytes().splitlines()) == 3


def test_a_line_that_a_kill_left_half_written_goes(journal: Journal) -> None:
    whole = journal.path.read_bytes()
    for cut in range(whole.index(b"\n") + 1, len(whole)):
        journal.path.write_bytes(whole[:cut])
        again = Journal(journal.path.parent)
        again.begin(SETTINGS)
        for entry in (FAILED, DONE):
            if entry.clip not in again.entries:
                again.add(entry)
        assert journal.path.read_bytes() == whole


def test_lines_come_into_the_order_of_the_clips_and_the_last_of_each_counts(journal: Journal) -> None:
    journal.add(again := replace(FAILED, status="done", error="", frames=3))
    journal.sort(["day 1/horse", "cow\nboy", "never begun"])
    assert [*Journal(journal.path.parent).entries.values()] == [DONE, again]
    assert len(journal.path.read_bytes().splitlines()) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b'{"format": "videoparts.batch/0", "settings": {}}\n',
        b'{"format": "videoparts.batch/1", "settings": {}}\n{"clip": 3}\n',
        b'{"format": "videoparts.batch/1", "settings": 3}\n',
        b"\xff\xfe\n",
    ],
)
def test_a_broken_journal_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.jsonl").write_bytes(content)
    with pytest.raises(OutputError, match=r"journal\.jsonl: .*"):
        Journal(tmp_path)


def test_differences_name_the_options() -> None:
    assert differences(SETTINGS, {"parts": "auto", "formats": ["davis", "npz"], "videoparts version": "2"}) == [
        "--parts 4, now auto",
        "--formats davis, now davis,npz",
        "videoparts version 1, now 2",
    ]
    assert differences({"page": True, "model_file": None}, {"page": False, "model_file": "ab"}) == [
        "--page true, now false",
        "--model-file none, now ab",
    ]


def test_a_stamp_changes_with_the_input(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"one")
    first = stamp_of(folder)
    assert stamp_of(folder) == first
    (folder / "2.png").write_bytes(b"")
    second = stamp_of(folder)
    os.utime(folder / "2.png", ns=(10**18, 2 * 10**18))
    assert len({first, second, stamp_of(folder), stamp_of(tmp_path / "none")}) == 4
    assert stamp_of(folder / "1.png") == first  # a folder of one file has its file's

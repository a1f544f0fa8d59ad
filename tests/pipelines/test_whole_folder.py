"""A run of ``masks`` or ``edit`` changes an output folder as a whole, whatever happens to it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, QUICK, files
from videoparts.pipelines import outputs
from videoparts.pipelines.main import main

from videoparts.editing.edits import Drop, Rename, load_edits, save_edits
from videoparts.files.lock import HOME
from videoparts.files.transaction import STAGE, Transaction
from videoparts.results.manifest import Manifest
from videoparts.sinks.encoding.video_file import VideoFile
from videoparts.sinks.exchange.coco import Coco
from videoparts.sinks.frame_sink import FrameSink
from videoparts.sinks.images.davis import DavisImages
from videoparts.sinks.images.matte_images import MatteImages
from videoparts.sinks.pages import viewer

EDIT = ["--rename", "1=head", "--drop", "4", "-q"]
AFTER = ["--rename", "2=tail", "-q"]


@pytest.fixture(scope="module")
def found(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("found") / "out"
    given = ["--formats", "davis,labels,mattes,coco", "--levels", "2", *QUICK, "-q"]
    assert main(["masks", str(short_clip), "-o", str(out), *given]) == 0
    return out


@pytest.fixture(scope="module")
def edited(found: Path) -> tuple[dict[str, bytes], dict[str, bytes], dict[str, bytes]]:
    """The folder after ``EDIT``, after ``AFTER``, and after both, undisturbed."""
    results: list[dict[str, bytes]] = []
    for commands in ((EDIT,), (AFTER,), (EDIT, AFTER)):
        out = shutil.copytree(found, found.parent / f"{len(results)}")
        for one in commands:
            assert main(["edit", str(out), *one]) == 0
        results.append(files(out))
    return results[0], results[1], results[2]


@pytest.fixture
def out(found: Path, tmp_path: Path) -> Path:
    return shutil.copytree(found, tmp_path / "out")


def agree(out: Path) -> None:
    """Whether the manifest is about the edits that are there, and nothing is left in the making."""
    edits = load_edits(out / "edits.json")[0] if (out / "edits.json").exists() else []
    assert Manifest.load(out).edits == len(edits)
    assert [path.name for path in out.rglob(f"{HOME}*") if path != out / HOME] == []


@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (DavisImages, "_end"),
        (VideoFile, "_encode_held"),
        (MatteImages, "_end"),
        (Coco, "_end"),
        (viewer, "bytes_element"),
        (outputs, "save_edits"),
        (Manifest, "_text"),
    ],
)
def test_a_full_disk_at_the_end_of_any_output_leaves_all_as_it_was(
    owner: Any, method: str, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(first: object, *_: object) -> str:
        assert (out / STAGE).is_dir()
        if first == "labels":  # of the page, whose copy of the clip comes last
            return ""
        raise OSError(errno.ENOSPC, "No space left on device")

    if owner is outputs:

        def not_saved(path: Path, *_: Any) -> None:
            path.mkdir()  # a name that cannot be written
            save_edits(path, [])

        monkeypatch.setattr(outputs, method, not_saved)
    else:
        assert method != "_end" or issubclass(owner, FrameSink)
        monkeypatch.setattr(owner, method, full)
    before = files(out)
    assert main(["edit", str(out), *EDIT]) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    assert "the disk is full" in said or "edits.json is a folder" in said
    assert STAGE not in said
    assert files(out) == before
    monkeypatch.undo()
    assert main(["edit", str(out), *EDIT]) == 0
    agree(out)


@contextmanager
def small_disk(at: Path, size: int) -> Iterator[Path]:
    at.mkdir()
    given = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(at)]
    if os.name == "nt" or os.geteuid() or subprocess.run(given, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def test_on_a_small_disk_an_edit_succeeds_or_changes_nothing(
    found: Path, edited: tuple[dict[str, bytes], ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk", 64 << 20) as disk:
        out = shutil.copytree(found, disk / "out")
        before, ballast, failed = files(out), disk / "ballast", 0
        for left in (0, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 23):
            ballast.unlink(missing_ok=True)
            ballast.write_bytes(b"\0" * (shutil.disk_usage(disk).free - left))
            if main(["edit", str(out), *EDIT]) == 0:
                break
            failed += 1
            assert "the disk is full" in capsys.readouterr().err
            assert files(out) == before
        assert failed >= 3
        assert files(out) == edited[0]


class Killed(BaseException):
    """Stands for a death in the middle of things: nobody catches it, and nothing is cleaned up after a commit."""


_left: list[int] = []  # steps until death; empty: no death is planned


def _die(event: str, _: object) -> None:
    if event in ("os.rename", "shutil.rmtree") and _left:
        _left[0] -= 1
        if _left[0] < 0:
            raise Killed


sys.addaudithook(_die)


def test_killed_between_any_two_renames_the_next_command_goes_on(
    found: Path, edited: tuple[dict[str, bytes], ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, reached = Transaction.commit, 0
    for steps in range(60):

        def dying(self: Any, *given: Any, steps: int = steps) -> None:
            _left[:] = [steps + 1]  # the first is the list's own
            try:
                commit(self, *given)
            finally:
                _left.clear()

        out = shutil.copytree(found, tmp_path / f"{steps}")
        with monkeypatch.context() as patch:
            patch.setattr(Transaction, "commit", dying)
            try:
                assert main(["edit", str(out), *EDIT]) == 0
                break
            except Killed:
                reached += 1
        if steps % 4 or not (out / STAGE / "commit.json").exists():
            assert main(["edit", str(out), *AFTER]) == 0
            assert files(out) == edited[2]
        else:
            assert main(["view", str(out), "--no-open", "-q"]) == 0
            assert files(out) == edited[0]
        agree(out)
        shutil.rmtree(out)
    assert reached == steps > 8


KILL = """
import os, sys
from videoparts.pipelines.main import main
def die(event, given):
    if event == "os.rename" and os.fspath(given[1]).endswith(sys.argv[1]):
        os._exit(9)
sys.addaudithook(die)
main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("at", "done"),
    [
        (f"{STAGE}/mattes/02-part2", False),
        (f"{STAGE}/manifest.json", False),
        (f"{STAGE}/commit.json", False),
        ("out/mattes/02-part2", True),
        ("out/edits.json", True),
        ("out/manifest.json", True),
    ],
)
def test_a_dead_process_leaves_what_the_next_one_brings_to_an_end(
    at: str, done: bool, out: Path, edited: tuple[dict[str, bytes], ...]
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILL, at, "edit", str(out), *EDIT])
    assert killed.returncode == 9
    assert (out / STAGE).is_dir()
    assert main(["edit", str(out), *AFTER]) == 0
    assert files(out) == edited[2 if done else 1]
    agree(out)


def test_masks_go_on_from_a_half_moved_run(found: Path, short_clip: Path, tmp_path: Path) -> None:
    given = [str(short_clip), "-o", str(tmp_path / "out"), *QUICK, "-q"]
    assert main(["masks", *given, "--parts", "2", "--formats", "coco,mattes"]) == 0
    anew = ["masks", *given, "--formats", "davis,labels,mattes,coco", "--levels", "2"]
    assert subprocess.run([sys.executable, "-c", KILL, "out/mattes/03-part3", *anew]).returncode == 9
    assert main(["effect", str(short_clip), "--masks", str(tmp_path / "out"), "-o", str(tmp_path / "x.mkv"),
                 "--part", "3", "--do", "grey", "-q"]) == 0  # fmt: skip
    assert files(tmp_path / "out") == files(found)
    agree(tmp_path / "out")


@pytest.mark.parametrize("name", ["coco.json", "viewer.html", "labels.mkv", "cvat.zip", "manifest.json"])
def test_masks_leave_a_file_alone_that_no_run_has_made(
    name: str, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from videoparts.pipelines.chain import Chain

    monkeypatch.setattr(Chain, "model", None)  # said before any work
    (tmp_path / name).write_text("mine")
    assert main(["masks", str(short_clip), "-o", str(tmp_path), "--formats", "coco,labels,cvat", *QUICK]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"videoparts: {tmp_path / name}")
    assert said.endswith("choose another folder")
    assert files(tmp_path) == {name: b"mine"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_edit_leaves_a_file_alone_that_no_run_has_made(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "cvat.zip").write_text("mine")
    before = files(out)
    assert main(["edit", str(out), "--formats", "cvat"]) == 2
    assert f"{out / 'cvat.zip'} is there" in capsys.readouterr().err
    assert files(out) == before
    (out / "cvat.zip").unlink()
    save = save_edits

    def late(*given: Any) -> None:  # comes into the folder while the run is working
        (out / "cvat.zip").write_text("mine")
        save(*given)

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "save_edits", late)
        assert main(["edit", str(out), "--formats", "cvat"]) == 2
    assert files(out) == before
    (out / "cvat.zip").unlink()
    for _ in range(2):
        assert main(["edit", str(out), "--formats", "cvat", "-q"]) == 0
    assert (out / "cvat.zip").read_bytes() != b"mine"
    agree(out)


def test_a_link_in_an_output_folder_is_told(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move(out / "mattes", tmp_path / "elsewhere")
    (out / "mattes").symlink_to(tmp_path / "elsewhere")
    before = files(tmp_path)
    assert main(["edit", str(out), *EDIT]) == 2
    assert f"{out / 'mattes'} is a link or another disk" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_a_page_that_view_has_made_is_kept_up(
    short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: True)
    given = ["masks", str(short_clip), "-o", str(tmp_path), *QUICK, "-q"]
    assert main([*given, "--no-page"]) == 0
    assert main(["view", str(tmp_path), "-q"]) == 0
    agree(tmp_path)
    assert main(["edit", str(tmp_path), "--rename", "1=head", "-q"]) == 0
    assert '"name":"head"' in (tmp_path / "viewer.html").read_text(encoding="utf-8")
    assert main(["edit", str(tmp_path), "--undo", "1", "-q"]) == 0
    assert main(given) == 0
    assert '"name":"head"' not in (tmp_path / "viewer.html").read_text(encoding="utf-8")


def test_two_edits_at_once_lose_nothing(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish, said = outputs.Outputs.finish, []

    def meanwhile(self: outputs.Outputs, *given: Any, **more: Any) -> Manifest:
        assert main(["edit", str(out), "--rename", "2=tail", "-q"]) == 2
        said.append(capsys.readouterr().err)
        return finish(self, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(outputs.Outputs, "finish", meanwhile)
        assert main(["edit", str(out), *EDIT]) == 0
    assert said == [f"videoparts: {out}: another run is writing there; wait for its end\n"]
    assert load_edits(out / "edits.json")[0] == [Rename(1, "head"), Drop((4,))]
    agree(out)


def test_two_processes_that_edit_at_once_lose_nothing(out: Path) -> None:
    given = [[*COMMAND, "edit", str(out), "--rename", f"{k}=part-{k}", "-q"] for k in (1, 2)]
    running = [subprocess.Popen(one, stderr=subprocess.PIPE, text=True) for one in given]
    said = [one.communicate()[1] for one in running]
    won = [k for k, one in enumerate(running, start=1) if one.returncode == 0]
    assert won
    for k, one in enumerate(running, start=1):
        assert k in won or (one.returncode, said[k - 1].count("another run is writing there")) == (2, 1)
    edits = load_edits(out / "edits.json")[0]
    assert sorted(edits, key=str) == [Rename(k, f"part-{k}") for k in won]
    names = {part["number"]: part["name"] for part in json.loads((out / "manifest.json").read_text())["parts"]}
    assert all(names[k] == f"part-{k}" for k in won)
    agree(out)

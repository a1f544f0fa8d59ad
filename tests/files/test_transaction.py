from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from videoparts.errors import OutputError, SourceError
from videoparts.files.atomic import atomic_file
from videoparts.files.lock import HOME, only_run_in
from videoparts.files.transaction import STAGE, finish_commit, refuse_foreign, transaction


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


OLD = {
    "a.json": "old",
    "davis/1.png": "old 1",
    "davis/2.png": "old 2",
    "mattes/01-old/1.png": "old",
    "mine.txt": "mine",
}
MADE = {"a.json": "new", "b.json": "new", "davis/1.png": "new 1", "mattes/01-new/1.png": "new"}
NEW = {**MADE, "mine.txt": "mine"}
MOVED, REMOVED = ("a.json", "b.json", "davis", "mattes/01-new"), ("mattes/01-old",)


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "out", OLD)
    return tmp_path / "out"


def committed(folder: Path, files: dict[str, str], **more: object) -> Path:
    """What a run leaves that is killed when its list is written."""
    fill(folder / STAGE, files)
    sizes = {name: sum(len(text) for path, text in files.items() if path.startswith(name)) for name in MOVED}
    about = {"format": "videoparts.commit/1", "move": sizes, "remove": REMOVED, **more}
    (folder / STAGE / "commit.json").write_text(json.dumps(about))
    return folder / STAGE


def test_all_appears_and_what_is_gone_vanishes(folder: Path) -> None:
    with transaction(folder) as made:
        fill(made.path, MADE)
        assert content(folder).items() >= OLD.items()
        made.commit(MOVED, REMOVED)
        assert content(folder) == NEW
    assert content(folder) == NEW
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "b.json", "davis", "mattes", "mine.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SourceError])
def test_an_exception_changes_nothing(folder: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), transaction(folder) as made:  # noqa: PT012
        fill(made.path, MADE)
        raise error
    assert content(folder) == OLD
    assert not (folder / STAGE).exists()


def test_a_folder_that_was_not_there_is_not_there_again(tmp_path: Path) -> None:
    with pytest.raises(SourceError), transaction(tmp_path / "new" / "out") as made:  # noqa: PT012
        fill(made.path, MADE)
        raise SourceError
    assert list(tmp_path.iterdir()) == []


def test_messages_are_about_the_files_to_be(folder: Path) -> None:
    with pytest.raises(OutputError) as caught, transaction(folder) as made, atomic_file(made.path / "b.json"):
        raise OSError(28, "No space left on device")
    assert str(caught.value).startswith(f"cannot write {folder / 'b.json'}: the disk is full")


KILLED = """
import os, shutil, sys
from itertools import count
from pathlib import Path
from videoparts.files.transaction import transaction

old, made, moved, removed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","), sys.argv[4].split(",")
steps = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree")

def run(folder, last):
    def hook(event, args, left=[last]):
        left[0] -= event in steps
        if left[0] < 0:
            os._exit(9)
    sys.addaudithook(hook)
    with transaction(folder) as new:
        shutil.copytree(made, new.path)
        new.commit(moved, removed)

for n in count():
    folder = shutil.copytree(old, old.parent / f"killed-{n}")
    if not (child := os.fork()):
        run(folder, n)
        os._exit(0)
    if not os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        break
"""


def test_killed_at_any_step_it_is_old_or_becomes_new(folder: Path) -> None:
    fill(folder.parent / "made", MADE)
    given = [str(folder), str(folder.parent / "made"), ",".join(MOVED), ",".join(REMOVED)]
    subprocess.run([sys.executable, "-c", KILLED, *given], check=True)
    killed = sorted(folder.parent.glob("killed-*"), key=lambda path: int(path.name[7:]))
    assert len(killed) > 40
    mixed, states = 0, []
    for one in killed:
        left = content(one)
        mixed += {name: text for name, text in left.items() if not name.startswith(".")} not in (OLD, NEW)
        listed = f"{STAGE}/commit.json" in left
        finish_commit(one)
        with transaction(one):
            pass
        after = content(one)
        assert after in (OLD, NEW)
        states.append(after == NEW)
        assert states[-1] or not listed
        assert {path.name for path in one.rglob(".*")} <= {HOME}
    assert mixed > 5
    assert states == sorted(states)  # first old, then new
    assert not states[0]
    assert states[-1]


def test_a_commit_that_is_interrupted_says_how_it_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def stop(self: Path, target: Path) -> Path:
        if target == folder / "b.json":
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt, match="the rest follows"), transaction(folder) as made:  # noqa: PT012
            fill(made.path, MADE)
            made.commit(MOVED, REMOVED)
    finish_commit(folder)
    assert content(folder) == NEW


def test_what_stops_a_commit_in_the_middle_can_be_put_right(folder: Path) -> None:
    (folder / "b.json").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*b\.json.*; the rest follows with the next command"):  # noqa: PT012, SIM117
        with transaction(folder) as made:
            fill(made.path, MADE)
            made.commit(MOVED, REMOVED)
    with pytest.raises(OutputError, match=r"cannot write .*b\.json"):
        finish_commit(folder)
    (folder / "b.json").rmdir()
    finish_commit(folder)
    assert content(folder) == NEW


def test_what_a_killed_run_held_goes_with_the_next(tmp_path: Path) -> None:
    home = tmp_path / "out" / HOME
    for left in ((), (".lock",)):  # nothing, or as a run leaves it that was killed
        fill(home, dict.fromkeys(left, ""))
        with only_run_in(home):
            assert (home / ".lock").exists()
        assert [path.name for path in tmp_path.iterdir()] == (["out"] if left else [])
        assert not home.exists()


def test_a_reader_ends_what_was_committed_and_leaves_the_rest(folder: Path) -> None:
    stage = committed(folder, MADE)
    with only_run_in(folder / HOME), pytest.raises(OutputError, match="another run is writing"):
        finish_commit(folder)
    finish_commit(folder)
    assert content(folder) == NEW
    fill(stage, {"a.json": "half"})
    finish_commit(folder)
    assert content(stage) == {"a.json": "half"}  # a living run's, as far as a reader knows
    with transaction(folder):
        assert not stage.exists()


def test_what_killed_runs_left_among_what_is_kept_is_removed(folder: Path) -> None:
    kept = {f"{HOME}/0123/masks-0000000.npz": "kept", f"{HOME}/0123/.videoparts-own/file": "not ours"}
    fill(folder, {**kept, f"{HOME}/0123/.videoparts-0a1b2c3d4e5f-7-0.npz": "half"})
    with transaction(folder):
        pass
    assert content(folder) == OLD | kept


def test_what_a_power_cut_took_is_not_put_in_place_of_the_old(folder: Path) -> None:
    stage = committed(folder, MADE)
    (stage / "davis" / "1.png").write_text("")
    with pytest.raises(OutputError, match="give its command again"), transaction(folder):
        pass
    assert content(folder) == OLD
    with transaction(folder):
        pass


@pytest.mark.parametrize(
    "told",
    [
        {"move": {"../victim.txt": 6}},
        {"move": {"davis/../../victim.txt": 6}},
        {"move": {"link/victim.txt": 6}},
        {"move": {"staged/victim.txt": 6}},
        {"move": {f"{STAGE}/a.json": 3}},
        {"move": {"": 0}},
        {"move": {"a\0/b": 0}},
        {"move": {"\ud800/b": 0}},
        {"move": {".": 0}},
        {"move": ["a.json"]},
        {"move": None},
        {"remove": ["../victim.txt"]},
        {"remove": [".."]},
        {"remove": ["."]},
        {"remove": [""]},
        {"remove": ["link/victim.txt"]},
        {"remove": ["link/sub"]},
        {"remove": [7]},
        {"format": "videoparts.commit/2"},
        {"absolute": True},
    ],
)
def test_a_list_made_by_hand_reaches_nothing_outside(folder: Path, told: dict[str, object]) -> None:
    outside = folder.parent / "outside"
    fill(outside, {"victim.txt": "victim", "sub/victim.txt": "victim"})
    fill(folder.parent, {"victim.txt": "victim"})
    (folder / "link").symlink_to(outside)
    if "absolute" in told:
        told = {"remove": [str(outside / "victim.txt")]}
    stage = committed(folder, MADE, **told)
    (stage / "staged").symlink_to(outside)
    before, others = content(folder), content(outside)
    with pytest.raises(OutputError, match=f"remove {stage} and run videoparts masks again") as caught:
        finish_commit(folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(OutputError), transaction(folder):
        pass
    assert content(folder) == before
    assert content(outside) == others
    assert (folder.parent / "victim.txt").read_text() == "victim"


def test_a_stage_that_is_a_link_is_not_followed(folder: Path) -> None:
    other = folder.parent / "other"
    fill(other, OLD)
    committed(other, MADE)
    shutil.move(other / STAGE, folder.parent / "elsewhere")
    before = content(folder.parent / "elsewhere")
    (folder / STAGE).symlink_to(folder.parent / "elsewhere")
    finish_commit(folder)
    with transaction(folder):
        pass
    assert content(folder) == OLD
    assert content(folder.parent / "elsewhere") == before
    assert not (folder / STAGE).is_symlink()


def test_what_lies_outside_through_a_link_is_not_removed(folder: Path) -> None:
    outside = folder.parent / "outside"
    shutil.move(folder / "mattes", outside)
    (folder / "mattes").symlink_to(outside)
    with transaction(folder) as made:
        fill(made.path, {"a.json": "new"})
        made.commit(["a.json"], REMOVED)
    assert content(outside) == {"01-old/1.png": "old"}
    assert (folder / "a.json").read_text() == "new"


def test_files_that_no_run_made_and_links_are_refused(folder: Path) -> None:
    refuse_foreign(folder, [folder / "a.json", folder / "b.json", folder / "davis"], {"a.json"})
    with pytest.raises(OutputError, match=r"a\.json is there, and no manifest of an earlier run names it"):
        refuse_foreign(folder, [folder / "a.json"], {"b.json"})
    (folder / "link").symlink_to(folder / "davis")
    for path in ("link", "link/1.png"):
        with pytest.raises(OutputError, match="link is a link or another disk"):
            refuse_foreign(folder, [folder / path], {path})

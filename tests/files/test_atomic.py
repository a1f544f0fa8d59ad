from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from videoparts.errors import OutputError
from videoparts.files.atomic import AtomicFile, AtomicFolder, atomic_file, ensure_not_input, output_errors


def test_a_file_appears_when_complete(tmp_path):
    target = tmp_path / "new" / "deep" / "out.mp4"
    with atomic_file(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.suffix == ".mp4"
        assert temporary.parent == target.parent
        assert temporary.name.startswith(".")
    assert target.read_text() == "half"
    assert [path.name for path in target.parent.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_leaves_nothing_and_keeps_the_old_file(tmp_path, error):
    old = tmp_path / "old.txt"
    old.write_text("old")
    for target in (old, tmp_path / "made" / "for" / "it.txt"):
        with pytest.raises(error), atomic_file(target) as temporary:  # noqa: PT012
            temporary.write_text("half")
            raise error
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_a_full_disk_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="the disk is full") as caught, atomic_file(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def test_targets_that_cannot_be_files(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target, said in [(tmp_path, "is a folder"), (pipe, "device or a pipe"), (pipe / "below", "cannot write")]:
        with pytest.raises(OutputError, match=said):
            AtomicFile(target).start()
    assert list(tmp_path.iterdir()) == [pipe]


def test_what_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for target in (tmp_path / "file" / "x.png", tmp_path / "file" / "below" / "x.png"):
        with pytest.raises(OutputError, match="a part of its path is a file"):
            AtomicFile(target)
        with pytest.raises(OutputError, match="a part of its path is a file"):
            AtomicFolder(target, lambda _: True)
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append(path))  # no: root may write anywhere
    with pytest.raises(OutputError, match="no permission: choose a place"):
        AtomicFile(tmp_path / "new" / "x.png")
    assert asked == [tmp_path]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_that_is_too_long(tmp_path):
    with atomic_file(tmp_path / ("x" * 255)) as temporary:
        temporary.write_text("fits")
    with pytest.raises(OutputError, match="name is too long"):
        AtomicFile(tmp_path / ("x" * 256)).start()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission"):
        AtomicFile(tmp_path / "a").start()


def test_permission_errors_are_one_line():
    with pytest.raises(OutputError, match="cannot write a: no permission"), output_errors("a"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_link_is_followed(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    with atomic_file(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


KILLED = """
import os, sys
from pathlib import Path
from videoparts.files.atomic import AtomicFile, AtomicFolder
AtomicFile(Path(sys.argv[1])).start().write_text("half")
(AtomicFolder(Path(sys.argv[2]), lambda path: True).start() / "a").write_text("half")
print("ready", flush=True)
if sys.argv[3] == "die":
    os.kill(os.getpid(), 9)
sys.stdin.read()
"""


def run_writer(tmp_path, end):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "a.mp4"), str(tmp_path / "b"), end]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "ready\n"
    return writer


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    run_writer(tmp_path, "die").communicate()
    other = tmp_path / ".videoparts-of-another-kind"
    other.touch()
    assert len(list(tmp_path.iterdir())) == 3
    with atomic_file(tmp_path / "c.mp4"):
        assert len(list(tmp_path.iterdir())) == 4  # another target's leftovers are not ours to judge
    with atomic_file(tmp_path / "a.mp4"):
        pass
    AtomicFolder(tmp_path / "b", lambda path: True).start()
    left = sorted(path.name for path in tmp_path.iterdir() if not path.is_dir())
    assert left == [other.name, "a.mp4", "c.mp4"]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1  # the one just started


def test_what_a_living_run_is_writing_stays(tmp_path):
    writer = run_writer(tmp_path, "wait")
    try:
        with atomic_file(tmp_path / "a.mp4"), atomic_file(tmp_path / "a.mp4"):
            assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 3
    finally:
        writer.communicate("")
    assert len([path for path in tmp_path.iterdir() if path.name.startswith(".")]) == 2


def ends_in_png(path):
    return path.suffix == ".png"


def test_a_folder_appears_when_complete_and_replaces_an_earlier_one(tmp_path):
    target = tmp_path / "masks"
    for names in (["a.png", "b.png"], ["c.png"]):
        folder = AtomicFolder(target, ends_in_png)
        making = folder.start()
        for name in names:
            (making / name).touch()
        folder.commit()
        assert sorted(path.name for path in target.iterdir()) == names
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    target = tmp_path / "masks"
    target.mkdir()
    (target / "a.png").touch()
    (target / "thesis.txt").touch()
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        AtomicFolder(target, ends_in_png)
    (target / "thesis.txt").unlink()
    folder = AtomicFolder(target, ends_in_png)
    folder.start()
    (target / "late.txt").touch()
    with pytest.raises(OutputError, match=r"late\.txt"):
        folder.commit()
    assert sorted(path.name for path in target.iterdir()) == ["a.png", "late.txt"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_cannot_replace_a_file(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(OutputError, match="is a file"):
        AtomicFolder(tmp_path / "a", ends_in_png)


def test_outputs_are_not_inputs(tmp_path):
    source = tmp_path / "in.mp4"
    source.touch()
    (tmp_path / "soft.mp4").symlink_to(source)
    (tmp_path / "hard.mp4").hardlink_to(source)
    (tmp_path / "sub").mkdir()
    for name in ("in.mp4", "soft.mp4", "hard.mp4", "sub/../in.mp4"):
        with pytest.raises(OutputError, match="is an input too"):
            ensure_not_input(tmp_path / name, [tmp_path / "missing", source])
    ensure_not_input(tmp_path / "out.mp4", [source, tmp_path / "missing"])
    with pytest.raises(OutputError, match="is an input too"):
        ensure_not_input(tmp_path / "missing", [tmp_path / "sub" / ".." / "missing"])

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from videoparts.errors import OutputError
from videoparts.files import lock
from videoparts.files.lock import is_held, only_run_in

pytest.importorskip("fcntl")


def test_a_folder_is_held_once(tmp_path: Path) -> None:
    folder = tmp_path / "out" / ".ours"
    with only_run_in(folder):
        assert is_held(folder)
        with pytest.raises(OutputError, match="another run is writing there"), only_run_in(folder):
            pass
        assert is_held(folder)
    assert not is_held(folder)
    assert not folder.parent.exists()  # nothing was kept in it


def test_who_asks_is_in_nobodys_way(tmp_path: Path) -> None:
    folder, stop = tmp_path / "ours", threading.Event()
    folder.mkdir()
    (folder / "kept").touch()  # so that the lock stays, and can be asked about all the time

    def ask() -> None:
        while not stop.is_set():
            is_held(folder)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(300):
            with only_run_in(folder):
                pass
    finally:
        stop.set()
        asking.join()


def test_a_lock_that_was_removed_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run ends, and takes its lock with it, just when this one has opened that file."""
    folder, ended = tmp_path / "ours", False

    @contextmanager
    def after_which_it_ends(where: Path):  # type: ignore[no-untyped-def]
        nonlocal ended
        yield
        if not ended:
            ended = True
            other.__exit__(None, None, None)

    other = only_run_in(folder)
    other.__enter__()
    monkeypatch.setattr(lock, "output_errors", after_which_it_ends)
    with only_run_in(folder):
        assert ended
        assert is_held(folder)


def test_many_runs_take_turns(tmp_path: Path) -> None:
    """Each removes the folder at its end, since nothing is kept in it."""
    mark, failures = tmp_path / "inside", list[Exception]()

    def run() -> None:
        for _ in range(100):
            try:
                with only_run_in(tmp_path / "ours"):
                    mark.touch(exist_ok=False)
                    mark.unlink()
            except Exception as error:
                failures.append(error)

    runs = [threading.Thread(target=run) for _ in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert [error for error in failures if not isinstance(error, OutputError)] == []

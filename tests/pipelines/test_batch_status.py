"""What ``videoparts status`` tells of a batch, and what a batch says of itself when it is stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from commands import QUICK_BATCH
from videoparts.pipelines.batches.events import Event, Tell
from videoparts.pipelines.batches.run import BatchRun
from videoparts.pipelines.batches.work import Task, Worker
from videoparts.pipelines.command_line import parse
from videoparts.pipelines.commands.batch import Batch
from videoparts.pipelines.main import main

from videoparts.errors import ClipsFailedError


class Here:
    """An engine in this process, of a worker's ``do`` or another."""

    jobs = 1

    def __init__(self, do: Callable[[Task, Tell], None]) -> None:
        self._do = do

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        for task in tasks:
            events: list[Event] = []
            if task.kind != "measure":
                self._do(task, events.append)
            yield from events


def parsed(*arguments: str | Path) -> Batch:
    command = parse(["batch", *map(str, arguments), *QUICK_BATCH, "--end", "0.3"])
    assert isinstance(command, Batch)
    return command


def run(command: Batch, do: Callable[[Task, Tell], None]) -> None:
    BatchRun(command).go(Here(do))  # type: ignore[arg-type]  # it needs no closing


@pytest.mark.parametrize("more", [[], ["--shared-parts"]])
def test_labels_of_earlier_settings_are_not_begun(
    more: list[str],
    short_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*_: object) -> Path:
        raise KeyboardInterrupt

    def begun(*options: str, labelled: bool) -> object:
        """What has begun once a batch was stopped: before its clip is labelled, or after that."""
        command = parsed(short_clip, "-o", tmp_path, "--levels", "2", *more, *options)
        worker = Worker(command)

        def do(task: Task, tell: Tell) -> None:
            if task.kind == "label" and not labelled:
                raise KeyboardInterrupt
            worker.do(task, tell)

        with pytest.raises(KeyboardInterrupt):
            run(command, do)
        capsys.readouterr()
        assert main(["status", str(tmp_path), "--json"]) == 0
        return json.loads(capsys.readouterr().out)["begun"]

    monkeypatch.setattr("videoparts.pipelines.batches.work.write_contact", stopped)
    assert begun(labelled=False) == {}
    assert begun(labelled=True) == {"bunny": 6}
    assert begun("--redo", "--window", "5", labelled=False) == {}
    assert begun("--window", "5", labelled=True) == {"bunny": 6}
    # For other formats, and read in another way, they are used again.
    more_formats = ["--window", "5", "--formats", "davis,coco", "--timeout", "50"]
    assert begun("--redo", *more_formats, labelled=False) == {"bunny": 6}
    for kept in (tmp_path / "bunny").glob(".videoparts/*/settings.json"):
        kept.write_text("[]")
    assert begun(*more_formats, labelled=False) == {}


def test_without_failures_the_exit_status_is_0(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def do(task: Task, tell: Tell) -> None:
        tell(Event("done", task.name, frames=6))

    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "bad.mp4").write_bytes(b"x")
    shutil.copy(short_clip, source / "good.mp4")
    with pytest.raises(ClipsFailedError, match="1 of 2"):
        run(parsed(source, "-o", out), do)
    assert main(["status", str(out)]) == 1
    assert capsys.readouterr().err.endswith(
        "videoparts: 1 of 2 clips failed; once that is put right, --retry-failed takes them again\n"
    )
    (source / "bad.mp4").unlink()
    (out / "good").mkdir()
    run(parsed(source, "-o", out), do)
    assert main(["status", str(out)]) == 0  # what is gone is no failure of the batch any more
    assert "1 of 1 clips done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "stopped; 1 clip failed; the same command goes on with 1 of 2 clips"),
        (["--retry-failed"], "stopped; 1 clip failed; the same command goes on with 2 of 2 clips"),
        (["--redo"], "stopped; 1 clip failed; the same command without --redo goes on with 1 of 2 clips"),
    ],
)
def test_stopped_it_says_what_has_failed_and_what_it_goes_on_with(
    more: list[str], said: str, short_clip: Path, tmp_path: Path
) -> None:
    def fail(task: Task, tell: Tell) -> None:
        tell(Event("failed", task.name, text="broken"))

    def fail_and_stop(task: Task, tell: Tell) -> None:
        if task.name == "b":
            raise KeyboardInterrupt
        fail(task, tell)

    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(short_clip, source / name)
    if more:
        with pytest.raises(ClipsFailedError, match="2 of 2"):
            run(parsed(source, "-o", out), fail)
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(parsed(source, "-o", out, *more), fail_and_stop)
    assert stopped.value.args == (said,)

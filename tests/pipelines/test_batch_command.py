"""``videoparts batch`` as a user runs it: many inputs, some of them bad, killed and started again."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import imageio.v3 as iio
import pytest
from commands import COMMAND, QUICK_BATCH, files, running
from videoparts.pipelines.batches.contact import write_contact
from videoparts.pipelines.batches.events import Event
from videoparts.pipelines.batches.journal import Journal
from videoparts.pipelines.batches.run import BatchRun
from videoparts.pipelines.batches.work import Task, Worker
from videoparts.pipelines.command_line import parse
from videoparts.pipelines.commands.batch import Batch
from videoparts.pipelines.main import main

from videoparts.errors import ClipsFailedError, OutputError
from videoparts.files.atomic import output_errors
from videoparts.files.lock import HOME, only_run_in
from videoparts.results.manifest import Manifest
from videoparts.sources import open_source
from videoparts.sources.base import Source

FRAMES = "främes #1"
GOOD = ["a clip", "deep/er/bunny", FRAMES]


def footage(folder: Path, clip: Path, frames: int = 8) -> Path:
    """Two clips, a folder of frames, a video that is none, and what no one wants."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / FRAMES).mkdir()
    with_sound = [batch.pixels[0] for batch in open_source(clip).part(0, frames).batches(1)]
    for k, pixels in enumerate(with_sound):
        iio.imwrite(folder / FRAMES / f"{k}.png", pixels)
    for name in ("a clip.mp4", "deep/er/bunny.mp4"):
        shutil.copy(clip, folder / name)
    (folder / "broken\n.mp4").write_bytes(b"not a video")
    (folder / "notes.txt").write_text("no clip")
    return folder


def batch(*arguments: str | Path) -> int:
    return main(["batch", *map(str, arguments), *QUICK_BATCH, "--end", "0.3"])


@pytest.fixture(scope="module")
def given(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return footage(tmp_path_factory.mktemp("footage"), short_clip)


@pytest.fixture(scope="module")
def quiet(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a run that nothing has disturbed."""
    out = tmp_path_factory.mktemp("quiet") / "out"
    assert batch(given, "-o", out) == 1  # one is broken
    return out


def test_every_clip_has_what_masks_writes(quiet: Path, given: Path, tmp_path: Path) -> None:
    for name, path in zip(GOOD, ["a clip.mp4", "deep/er/bunny.mp4", FRAMES], strict=True):
        assert main(["masks", str(given / path), "-o", str(tmp_path / name), *QUICK_BATCH, "--end", "0.3", "-q"]) == 0
        found = files(quiet / name)
        assert iio.imread(found.pop("contact.jpg")).ndim == 3
        assert found == files(tmp_path / name)


def test_what_is_at_the_top_tells_of_all(quiet: Path, given: Path) -> None:
    lines = [json.loads(line) for line in (quiet / "journal.jsonl").read_text().splitlines()]
    assert [(line["clip"], line["status"]) for line in lines[1:]] == [
        ("a clip", "done"),
        ("broken_", "failed"),
        ("deep/er/bunny", "done"),
        (FRAMES, "done"),
    ]
    assert lines[2]["sha256"] == hashlib.sha256((given / "broken\n.mp4").read_bytes()).hexdigest()
    rows = {row["clip"]: row for row in csv.DictReader((quiet / "summary.csv").open(encoding="utf-8"))}
    assert {name: row["status"] for name, row in rows.items()} == {**dict.fromkeys(GOOD, "done"), "broken_": "failed"}
    assert int(rows[FRAMES]["frames"]) == len(Manifest.load(quiet / FRAMES).frames) == 8
    page = (quiet / "index.html").read_text()
    assert all(name in page for name in ("a clip", "bunny", "broken_"))
    named = {"a clip", "deep", FRAMES, "journal.jsonl", "summary.csv", "index.html", ".videoparts"}
    assert {path.name for path in quiet.iterdir()} == named
    assert "notes.txt" not in {path.name for path in given.parent.rglob("*") if quiet in path.parents}


def test_the_same_command_again_does_nothing(quiet: Path, given: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in quiet.rglob("*") if "a clip" in str(path)}
    content = files(quiet)
    start = time.monotonic()
    assert batch(given, "-o", quiet) == 1
    said = capfd.readouterr().err
    assert "3 done already, 1 failed before" in said
    assert "1 of 4 clips failed" in said
    assert files(quiet) == content
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert time.monotonic() - start < 60


def test_clips_of_earlier_inputs_stay_in_the_summary(quiet: Path, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(quiet, out)
    assert batch(given / "a clip.mp4", "-o", out) == 0
    rows = [row["clip"] for row in csv.DictReader((out / "summary.csv").open(encoding="utf-8"))]
    assert rows == ["a clip", "broken_", "deep/er/bunny", FRAMES]
    shutil.rmtree(out / FRAMES)
    assert batch(given / "a clip.mp4", "-o", out) == 0
    assert FRAMES not in (out / "summary.csv").read_text(encoding="utf-8")


def test_killed_at_any_moment_it_ends_with_the_same_bytes(quiet: Path, given: Path, tmp_path: Path) -> None:
    out, chance = tmp_path / "out", random.Random(5)
    command = [*COMMAND, "batch", str(given), "-o", str(out), *QUICK_BATCH, "--end", "0.3", "--jobs", "2", "-q"]
    for _ in range(5):
        with running(command) as process:
            time.sleep(chance.uniform(2, 14))
            if chance.random() < 0.5:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()  # the workers see that it is gone
    assert subprocess.run(command, stderr=subprocess.PIPE, check=False).returncode == 1
    assert files(out) == files(quiet)


def test_a_worker_that_dies_is_replaced(quiet: Path, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["batch", str(given), "-o", str(out), *QUICK_BATCH, "--end", "0.3", "--progress", "json"]
    killed = 0
    with running([*COMMAND, *arguments], stdout=subprocess.PIPE) as process:
        events = []
        assert process.stdout is not None
        for line in process.stdout:
            events.append(event := json.loads(line))
            if event["kind"] == "stage" and event["clip"] == "a clip" and event["stage"] == "label" and not killed:
                killed = kill_workers(process.pid)
    assert killed == 1
    assert process.returncode == 1
    notes = [event["text"] for event in events if event["kind"] == "note"]
    assert any("was killed by signal 9" in note for note in notes)
    assert events[0]["kind"] == "plan"
    assert [one["state"] for one in events[0]["clips"]] == ["to do", "bad", "to do", "to do"]
    assert events[0]["seconds"] > 0
    assert events[-1] == {"kind": "end", "done": 3, "failed": ["broken_"]}
    assert files(out) == files(quiet)


def test_a_clip_that_kills_its_worker_fails_and_the_others_go_on(quiet: Path, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [*COMMAND, "batch", str(given), "-o", str(out), *QUICK_BATCH, "--end", "0.3"]
    killed = 0
    with running([*command, "--progress", "json"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["kind"] == "stage" and event["clip"] == "a clip" and event["stage"] == "label":
                killed += kill_workers(process.pid)
    assert killed == 2
    assert event["failed"] == ["a clip", "broken_"]
    (journal,) = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines() if '"a clip"' in line]
    assert journal["sha256"] == hashlib.sha256((given / "a clip.mp4").read_bytes()).hexdigest()
    errors = {row["clip"]: row["error"] for row in csv.DictReader((out / "summary.csv").open(encoding="utf-8"))}
    assert "was killed by signal 9 (Killed), twice; if memory ran out, take fewer --jobs" in errors["a clip"]
    assert subprocess.run([*command, "-q", "--retry-failed"], check=False).returncode == 1
    assert files(out) == files(quiet)


def test_ctrl_c_leaves_nothing_half_written(quiet: Path, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [*COMMAND, "batch", str(given), "-o", str(out), *QUICK_BATCH, "--end", "0.3"]
    with running(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "a clip: done" in line:
                os.killpg(process.pid, signal.SIGINT)
                break
        said = process.stderr.read()
    assert process.returncode == 130
    assert "the same command goes on with 2 of 3 clips" in said
    assert "Traceback" not in said
    assert not list(out.rglob(".videoparts-*"))
    assert subprocess.run([*command, "-q"], check=False).returncode == 1
    assert files(out) == files(quiet)


def test_two_runs_in_one_folder_the_second_leaves(
    given: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with only_run_in(tmp_path / HOME):
        assert batch(given, "-o", tmp_path) == 2
        assert "another run is writing there" in capfd.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_other_settings_are_refused_with_their_names_or_all_is_done_again(
    quiet: Path, given: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(quiet, out)
    assert batch(given, "-o", out, "--parts", "2", "--formats", "davis,npz") == 2
    said = capfd.readouterr().err
    assert "--parts 4, now 2" in said
    assert "--formats davis, now davis,npz" in said
    assert files(out) == files(quiet)
    assert batch(given, "-o", out, "--parts", "2", "--redo", "-q") == 1
    assert {len(Manifest.load(out / name).parts) for name in GOOD} == {2}


def test_a_slow_decoder_may_be_given_more_time(quiet: Path, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(quiet, out)
    assert batch(given, "-o", out, "--retry-failed", "--timeout", "90", "--decoder", "pyav", "-q") == 1
    assert files(out) == files(quiet)


@pytest.mark.parametrize("name", ["index.html", "summary.csv"])
def test_what_no_batch_has_made_is_left_alone(
    name: str, given: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("mine")
    assert batch(given, "-o", tmp_path, "-q") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert f"{tmp_path / name} is there" in line
    assert (tmp_path / name).read_text() == "mine"


def test_results_of_other_commands_are_left_alone(
    quiet: Path, given: Path, short_clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for command in (["masks", str(short_clip)], ["cosegment", str(given / FRAMES)]):
        assert main([*command, "-o", str(quiet), "-q"]) == 2
        assert f"{quiet} holds a batch" in capfd.readouterr().err
    (tmp_path / "cosegment.json").write_text("{}")
    for command in (["masks", str(short_clip)], ["batch", str(given)]):
        assert main([*command, "-o", str(tmp_path), "-q"]) == 2
        assert "a set of pictures" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["cosegment.json"]


def test_a_part_model_of_an_earlier_batch_is_not_lost(
    short_clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, model = tmp_path / "out", tmp_path / "out" / "parts.safetensors"
    assert batch(short_clip, "-o", out, "--shared-parts", "-q") == 0
    before = model.read_bytes()
    again = ["batch", str(short_clip), "-o", str(out), "--model-file", str(model), "--offline", "--redo", "-q"]
    assert main(again) == 2
    assert "is an input too" in capfd.readouterr().err
    assert model.read_bytes() == before


def test_the_vote_finds_shared_parts(short_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert batch(short_clip, "-o", out, "--shared-parts", "--foreground", "vote", "-q") == 0
    assert Manifest.load(out / short_clip.stem).frames


def test_a_reader_that_goes_away_stops_nothing(short_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [*COMMAND, "batch", str(short_clip), "-o", str(out), *QUICK_BATCH, "--end", "0.3", "--progress", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.wait() == 0
    assert Manifest.load(out / short_clip.stem).frames


@pytest.mark.skipif(shutil.which("mount") is None or os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_full_disk_stops_it_and_the_same_command_goes_on(
    quiet: Path,
    given: Path,
    small_disk: Callable[[int], Path],
    jobs: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    needed = sum(-(-len(content) // 4096) for content in files(quiet).values())
    disk = small_disk(needed // 2 * 4096)
    out = disk / "out"
    assert batch(given, "-o", out, "--jobs", jobs) == 2
    *_, last = capfd.readouterr().err.splitlines()
    assert "the disk is full: free some space" in last
    done = [entry.clip for entry in Journal(out).entries.values() if entry.status == "done"]
    assert last.endswith(f"; the same command goes on with {3 - len(done)} of 3 clips once there is room")
    assert {*Journal(out).entries} == {"broken_", *done}
    assert {path.parent.relative_to(out).as_posix() for path in out.rglob("manifest.json")} == {*done}
    subprocess.run(["mount", "-o", "remount,size=100%", str(disk)], check=True)
    assert batch(given, "-o", out, "--jobs", jobs, "-q") == 1
    assert files(out) == files(quiet)


def test_after_a_full_disk_no_other_clip_is_begun(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same where no disk can be made: it is full when the second clip's picture is written."""
    begun: list[str] = []

    class Here:
        jobs = 1

        def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
            for task in tasks:
                if task.kind == "label":
                    begun.append(task.name)
                events: list[Event] = []
                worker.do(task, events.append)
                yield from events

    def on_a_full_disk(folder: Path, source: Source) -> Path:
        with output_errors(folder):
            if len(begun) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        return write_contact(folder, source)

    monkeypatch.setattr("videoparts.pipelines.batches.work.write_contact", on_a_full_disk)
    out = tmp_path / "out"
    command = parse(["batch", str(given), "-o", str(out), *QUICK_BATCH, "--end", "0.3"])
    assert isinstance(command, Batch)
    worker = Worker(command)
    with pytest.raises(OutputError, match=r"disk is full: .*; the same command goes on with 2 of 3 clips once there"):
        BatchRun(command).go(Here())  # type: ignore[arg-type]  # it needs no closing
    assert begun == GOOD[:2]
    assert set(Journal(out).entries) == {"a clip", "broken_"}
    rows = {row["clip"]: row["status"] for row in csv.DictReader((out / "summary.csv").open(encoding="utf-8"))}
    assert rows == {"a clip": "done", "broken_": "failed", "deep/er/bunny": "waiting", FRAMES: "waiting"}
    begun.clear()
    monkeypatch.undo()
    with pytest.raises(ClipsFailedError, match="1 of 4 clips failed"):
        BatchRun(command).go(Here())  # type: ignore[arg-type]
    assert begun == GOOD[1:]


def test_failed_clips_are_taken_again_alone(
    given: Path, short_clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    bad = source / "bad.mp4"
    bad.write_bytes(b"x")
    assert batch(source, "-o", out) == 1
    shutil.copy(short_clip, source / "new.mp4")
    assert batch(source, "-o", out, "--retry-failed") == 1
    assert "1 left for a run without --retry-failed" in capfd.readouterr().err
    shutil.copy(short_clip, bad)  # another content: it is taken again by itself
    assert batch(source, "-o", out) == 0
    assert (out / "bad" / "manifest.json").exists()
    assert (out / "new" / "manifest.json").exists()


def test_a_changed_clip_is_done_again(short_clip: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "clip.mp4", tmp_path / "out"
    shutil.copy(short_clip, source)
    assert batch(source, "-o", out, "-q") == 0
    first = files(out / "clip")
    os.utime(source)  # written anew with the same content
    assert batch(source, "-o", out, "-q") == 0
    assert files(out / "clip") == first
    other = [some.pixels[0] for some in open_source(short_clip).part(10, 20).batches(1)]
    iio.imwrite(source, other, fps=25, codec="libx264")
    assert batch(source, "-o", out, "-q") == 0
    assert files(out / "clip")["manifest.json"] != first["manifest.json"]


def test_shared_parts_are_those_of_one_model(given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert batch(given, "-o", out, "--shared-parts", "--parts", "3", "-q") == 1
    manifests = [Manifest.load(out / name) for name in GOOD]
    assert (out / "parts.safetensors").exists()
    assert len({manifest.part_model.extractor for manifest in manifests}) == 1
    assert all([part.colour for part in one.parts] == [part.colour for part in manifests[0].parts] for one in manifests)
    labelled = [sum(track.area.sum() for track in one.tracks) for one in manifests]
    assert all(area > 0 for area in labelled)


def test_a_dry_run_writes_nothing(given: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert batch(given, "-o", out, "--dry-run") == 0
    said = capfd.readouterr().err
    assert "4 clips: 3 to do, 1 that cannot be read" in said
    assert "8 frames 320x180" in said
    assert "about" in said
    assert not out.exists()


def test_status(quiet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(quiet)]) == 1  # as the batch itself: one has failed
    out, err = capsys.readouterr()
    assert "3 of 4 clips done" in out
    assert "not running" in out
    assert "failed: broken_" in out
    assert err == ("videoparts: 1 of 4 clips failed; once that is put right, --retry-failed takes them again\n")
    with only_run_in(quiet / HOME):
        assert main(["status", str(quiet), "--json"]) == 1
    about = json.loads(capsys.readouterr().out)
    assert about["running"] is True
    assert set(about["done"]) == set(GOOD)
    assert main(["status", str(tmp_path)]) == 2


def test_a_jobs_file_holds_inputs_and_options(given: Path, quiet: Path, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(
        f"inputs = [{json.dumps(str(given))}]\noutput = 'out'\nload-size = 112\nframes = 4\noffline = true\n"
        "device = 'cpu'\nspecks = 0\n[source]\nend = '0.3'\n"
    )
    assert main(["batch", str(jobs), "-q"]) == 1
    assert files(tmp_path / "out") == files(quiet)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "there is no clip among the inputs"),
        (["nowhere", "--jobs", "0"], "--jobs must be at least 1"),
        (["nowhere", "--save-model", "m.safetensors"], "--save-model"),
        (["nowhere", "--object", "1,1@0"], "--object and --box"),
        (["nowhere", "--redo", "--retry-failed"], "--redo or --retry-failed"),
        (["nowhere", "--address", "auto"], "--engine ray"),
        (["nowhere", "--formats", "gif"], "--formats gif: unknown"),
        (["nothing.toml"], "nothing.toml"),
        (["nowhere", "--include", "9"], "no part 9"),
    ],
)
def test_bad_command_lines_are_one_line(
    arguments: list[str], says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["batch", *arguments, "-o", str(tmp_path / "out"), "-q"]) == 2
    said = capfd.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_jobs_file_comes_first(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text('inputs = ["nowhere"]\noutput = "out"\n')
    assert main(["batch", "--dry-run", str(jobs)]) == 2
    assert f"{jobs}: a jobs file comes first" in capfd.readouterr().err


def test_of_no_input_nothing_is_said_but_that(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "-o", str(tmp_path / "out")]) == 2
    (line,) = "".join(capfd.readouterr()).splitlines()
    assert line.startswith("videoparts: there is no clip among the inputs")


def kill_workers(pid: int) -> int:
    """Kill the workers of a batch; gives how many there were."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if parent == pid and b"spawn_main" in line:
                os.kill(int(entry.name), signal.SIGKILL)
                count += 1
    return count

"""``videoparts batch --engine ray`` on a local cluster of several worker processes, some of which die."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
import pytest
from commands import COMMAND, QUICK_BATCH, files, running
from videoparts.pipelines.batches.pieces import Piece, fit_together, pieces_of
from videoparts.pipelines.main import main

from videoparts.results.mask_store import MaskStore
from videoparts.sources import open_source

pytest.importorskip("ray", reason="needs ray: pip install 'videoparts[ray]'")

PIECES = """
import json, sys
from videoparts.pipelines.batches.ray_engine import RayEngine
from videoparts.pipelines.batches.run import BatchRun
from videoparts.pipelines.command_line import parse

if __name__ == "__main__":
    options, *arguments = sys.argv[1:]
    command = parse(arguments)
    with RayEngine(command, **json.loads(options)) as engine:
        BatchRun(command).go(engine)
"""
HOLD = """
import sys
from videoparts.pipelines.batches.cluster import connected

with connected(None, 4, 1) as ray:
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Cluster:
    """One that is running: four cores are declared, however many there are."""

    address: str
    environment: dict[str, str]
    folder: Path

    def command(self, *arguments: str | Path, **options: object) -> list[str]:
        """A batch on it whose long clips are cut into pieces of 16 frames."""
        script = self.folder / "pieces.py"  # a file: worker processes import what has started them
        script.write_text(PIECES)
        given = json.dumps({"piece": 16, **options})
        more = ["--engine", "ray", "--address", self.address, "--jobs", "2", "--progress", "json"]
        return [sys.executable, str(script), given, "batch", *map(str, arguments), *QUICK_BATCH, *more]

    def run(self, command: Sequence[str]) -> list[dict[str, object]]:
        """What a batch tells; its status is that of success, and it says nothing else."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def labelling(self) -> list[int]:
        """The processes that label at this moment."""
        mark = f"RAY_AUTH_TOKEN={self.environment['RAY_AUTH_TOKEN']}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                labels = (path / "cmdline").read_bytes().startswith(b"ray::Extracting.label")
                if labels and mark in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
        return found

    def kill_labelling(self, wait: float = 20) -> list[int]:
        """Kill one that labels, or will within so many seconds."""
        until = time.monotonic() + wait
        while not (found := self.labelling()) and time.monotonic() < until:
            time.sleep(0.02)
        for pid in found[:1]:
            os.kill(pid, signal.SIGKILL)
        return found[:1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with running(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Cluster(process.stdout.readline().strip(), environment, tmp_path_factory.mktemp("cluster"))
        process.stdin.close()


@pytest.fixture(scope="module")
def given(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of three pieces, and a folder of a few frames."""
    folder = tmp_path_factory.mktemp("given")
    frames = [batch.pixels[0] for batch in open_source(short_clip).batches(1)]
    iio.imwrite(folder / "a clip.mp4", np.stack([*frames, *frames[-2:6:-1]]), fps=25, codec="libx264")
    (folder / "främes #1").mkdir()
    for k, pixels in enumerate(frames[:4]):
        iio.imwrite(folder / "främes #1" / f"{k}.png", pixels)
    return folder


@pytest.fixture(scope="module")
def local(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the other engine makes of them."""
    out = tmp_path_factory.mktemp("local") / "out"
    assert main(["batch", str(given), "-o", str(out), *QUICK_BATCH, "--jobs", "2", "-q"]) == 0
    return out


def test_a_cluster_of_its_own_gives_the_same_bytes_and_leaves_nothing(given: Path, local: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [*COMMAND, "batch", str(given), "-o", str(out), *QUICK_BATCH, "--jobs", "2", "--engine", "ray"]
    said: list[str] = []
    started: dict[int, str] = {}
    with running(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line.rstrip())
            if line.startswith("about"):  # by now everything of Ray's has started
                started = descendants(process.pid)
                assert len(started) > 5
                assert {host.removeprefix("::ffff:") for host in listening({process.pid, *started})} == {"127.0.0.1"}
    assert process.returncode == 0
    gone_by = time.monotonic() + 10  # Python's own helper of the writers ends a moment after the command
    while left := [name for pid, name in started.items() if alive(pid)]:
        assert time.monotonic() < gone_by, left
        time.sleep(0.05)
    assert sorted(line.partition("]")[2] for line in said if line.endswith(": done")) == [
        " a clip: done",
        " främes #1: done",
    ]
    assert len(said) == 8, said  # and nothing of Ray's
    assert files(out) == files(local)


def test_a_run_that_is_killed_takes_ray_with_it_and_goes_on(
    cluster: Cluster, given: Path, local: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [*cluster.command(given, "-o", out)]
    at = command.index("--address")
    own = [*command[:at], *command[at + 2 :]]  # first on a cluster of its own
    with running(own, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).items() >= {"kind": "advanced", "clip": "a clip", "stage": "label"}.items():
                started = descendants(process.pid)
                process.kill()
                break
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("masks-*.npz") if "a clip" in str(path)}
    assert kept
    gone_by = time.monotonic() + 10
    while left := [name for pid, name in started.items() if alive(pid)]:
        assert time.monotonic() < gone_by, left
        time.sleep(0.1)
    events = cluster.run(command)  # and now on another
    advanced = [
        event["frames"]
        for event in events
        if (event["kind"], event.get("clip"), event.get("stage")) == ("advanced", "a clip", "label")
    ]
    assert advanced[0] == 16 * len(kept)
    assert sum(advanced) == 40
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert files(out) == files(local)


def test_frames_decoded_elsewhere_and_a_worker_that_dies(
    cluster: Cluster, given: Path, local: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = cluster.command(given, "-o", out, decode_apart=True)
    with running(command, env=cluster.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        events, killed = [], []
        for line in process.stdout:
            events.append(event := json.loads(line))
            if not killed and (event["kind"], event.get("clip"), event.get("stage")) == ("stage", "a clip", "label"):
                killed = cluster.kill_labelling()
    assert process.returncode == 0
    assert killed
    notes = [event["text"] for event in events if event["kind"] == "note"]
    assert notes
    assert all(note.startswith("its worker died at frames ") and note.endswith("begun again") for note in notes)
    assert files(out) == files(local)


def test_a_clip_that_kills_its_worker_fails_alone(cluster: Cluster, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = cluster.command(given / "a clip.mp4", "-o", out)
    with running(command, env=cluster.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ended = threading.Event()

        def kill() -> None:
            while not ended.is_set():
                cluster.kill_labelling(wait=0)
                time.sleep(0.05)

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            events = [json.loads(line) for line in process.stdout]
        finally:
            ended.set()
            thread.join()
    assert process.returncode == 1
    (failed,) = [event for event in events if event["kind"] == "failed"]
    assert "its worker died at frames" in failed["text"]
    assert "twice" in failed["text"]


def test_a_clip_with_frames_missing_is_labelled_as_a_whole(cluster: Cluster, given: Path, tmp_path: Path) -> None:
    source, out, pyav = tmp_path / "in" / "gaps.mov", tmp_path / "out", ["--decoder", "pyav"]
    source.parent.mkdir()
    with av.open(str(source), "w") as video:
        stream = video.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "rgb24"
        for some in open_source(given / "a clip.mp4").batches(1):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(some.pixels[0], format="rgb24")))
        video.mux(stream.encode())
    with av.open(str(source)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][9]
        where, length = packet.pos, packet.size
    content = bytearray(source.read_bytes())
    content[where : where + length] = bytes(length)
    source.write_bytes(content)
    assert main(["batch", str(source), "-o", str(tmp_path / "local"), *QUICK_BATCH, *pyav, "--jobs", "2", "-q"]) == 0
    events = cluster.run(cluster.command(source, "-o", out, *pyav))
    assert "frames are missing: it is labelled again, as a whole" in [event.get("text") for event in events]
    (done,) = [event for event in events if event["kind"] == "done" and "frames" in event]
    assert done["frames"] == 39
    assert files(out) == files(tmp_path / "local")


def test_a_clip_is_cut_into_what_is_left_of_it(given: Path, local: Path, tmp_path: Path) -> None:
    source = open_source(given / "a clip.mp4")
    whole = next((local / "a clip" / ".videoparts").rglob("masks-0000000.npz")).parent
    assert pieces_of(source, MaskStore(whole)) == []
    assert pieces_of(source, MaskStore(tmp_path)) == [Piece(0, 40)]
    assert pieces_of(source, MaskStore(tmp_path), 1) == [Piece(0, 16), Piece(16, 32), Piece(32, 40)]
    shutil.copy(whole / "masks-0000016.npz", tmp_path)
    assert pieces_of(source, MaskStore(tmp_path)) == [Piece(0, 16), Piece(32, 40)]
    assert not fit_together(MaskStore(tmp_path), source)
    shutil.copy(whole / "masks-0000000.npz", tmp_path)
    assert fit_together(MaskStore(tmp_path), source)
    assert pieces_of(source.part(0, 20), MaskStore(tmp_path)) == [Piece(16, 20)]  # a file of it holds too many


def test_without_ray_it_is_one_line(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["batch", str(given), "-o", str(tmp_path / "out"), "--engine", "ray", "-q"]) == 2
    assert "pip install 'videoparts[ray]'" in one_line(capfd)
    assert not (tmp_path / "out").exists()


def test_where_no_cluster_is_it_is_one_line(given: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["batch", str(given), "-o", str(tmp_path / "out"), "--engine", "ray", "--address", "127.0.0.1:1", "-q"]
    assert main(arguments) == 2
    assert "nobody is there" in one_line(capfd)
    assert not (tmp_path / "out").exists()


def one_line(capfd: pytest.CaptureFixture[str]) -> str:
    (line,) = capfd.readouterr().err.splitlines()
    return line


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> dict[int, str]:
    """The processes that a process has begun, and those that they have, with their command lines."""
    parents, names = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
    found: set[int] = set()
    reached = {pid}
    while reached:
        reached = {child for child, parent in parents.items() if parent in reached}
        found |= reached
    return {one: names[one] for one in found if one in names}


def listening(pids: set[int]) -> set[str]:
    """The addresses at which processes wait for others to connect."""
    sockets = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                sockets.add(str(path.readlink()))
    found = set()
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                words = bytes.fromhex(local.partition(":")[0])
                turned = b"".join(words[k : k + 4][::-1] for k in range(0, len(words), 4))
                found.add(socket.inet_ntop(family, turned))
    return found

"""What ``videoparts batch --engine ray`` costs over the local engine, and whether its bytes are the same.

::

    python samples/compare_engines.py [CLIP...] [--count 10] [--frames 80] [--jobs 1] [--options "--preset fast"]

Without clips, some are cut from the demo's, 854 x 480. Prints the time of each engine and the CPU seconds of all of its
processes, Ray's too: those of every process that carries a mark in its environment, looked at a few times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from videoparts.pipelines.commands.demo import demo_clip

_MARK = "VIDEOPARTS_COMPARED"


@dataclass(frozen=True)
class Cost:
    """Of one run."""

    seconds: float
    cpu: float


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="What the engine on Ray costs over the local one.")
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--count", type=int, default=10, help="clips that are cut from the demo's")
    parser.add_argument("--frames", type=int, default=80, help="of each")
    parser.add_argument("--jobs", default="1")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--options", default="--preset fast", help="of the batch, in one text")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = given.clips or cut(folder / "in", given.count, given.frames)
        command = [sys.executable, "-m", "videoparts.pipelines.main", "batch", *map(str, clips), "-q", "--offline"]
        command += ["--jobs", given.jobs, *given.options.split()]
        for k in range(given.rounds):
            local, ray = folder / f"local {k}", folder / f"ray {k}"
            first = run([*command, "-o", str(local)])
            second = run([*command, "-o", str(ray), "--engine", "ray"])
            print(f"local  {first.seconds:7.1f} s {first.cpu:8.1f} CPU seconds")
            print(f"ray    {second.seconds:7.1f} s {second.cpu:8.1f} CPU seconds")
            print(f"ratio  {second.seconds / first.seconds:7.3f}   {second.cpu / first.cpu:8.3f}")
            print("the bytes are the same" if files(local) == files(ray) else "THE BYTES DIFFER", flush=True)


def cut(folder: Path, count: int, frames: int) -> list[Path]:
    """Clips of the demo's, each from another frame on."""
    folder.mkdir()
    with av.open(str(demo_clip())) as source:
        whole = [frame.reformat(854, 480, "yuv420p") for frame in source.decode(video=0)]
    paths = []
    for k in range(count):
        paths.append(folder / f"clip {k}.mp4")
        with av.open(str(paths[-1]), "w") as out:
            stream = out.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 854, 480, "yuv420p"
            for i in range(frames):
                frame = whole[(5 * k + i) % len(whole)]
                frame.pts, frame.time_base, frame.pict_type = i, Fraction(1, 25), 0
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
    return paths


def run(command: Sequence[str]) -> Cost:
    """Run a command to its end, and see what it costs."""
    mark = os.urandom(8).hex()
    start = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {_MARK: mark})
    used: dict[tuple[str, str], float] = {}
    while process.poll() is None:
        used |= cpu_of(f"{_MARK}={mark}".encode())
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return Cost(time.perf_counter() - start, sum(used.values()))


def cpu_of(mark: bytes) -> dict[tuple[str, str], float]:
    """CPU seconds of the processes with a mark, by their ids and when they were started."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (path / "environ").read_bytes().split(b"\0"):
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                found[path.name, fields[19]] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def files(folder: Path) -> dict[str, bytes]:
    """All that is there, but for the locks."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


if __name__ == "__main__":
    main()

"""Does a batch that is killed again and again end with the bytes of one that was left alone?

    python samples/kill_batch.py [--clips 40] [--kills 20] [--jobs 2] [--frames 12] [--seed 0]

Cuts clips and folders of frames from the demo's clip, runs ``videoparts batch`` over them once in peace, and once
killed (SIGKILL, every process or the first alone, as chance has it) at random moments. Prints what differs.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
from videoparts.pipelines.commands.demo import demo_clip

from videoparts.sources import open_source

SIZE = (180, 320)


def make_footage(folder: Path, clips: int, frames: int) -> None:
    """Every third input is a folder of frames, the others are videos; two are no clips."""
    source = open_source(demo_clip())
    every = max(1, len(source.selected) // clips)
    for k in range(clips):
        pixels = [_small(batch.pixels[0]) for batch in source.part(k * every, k * every + frames).batches(1)]
        home = folder / f"day {k % 4}"
        home.mkdir(parents=True, exist_ok=True)
        if k % 3 == 0:
            (home / f"frames {k}").mkdir()
            for i, one in enumerate(pixels):
                iio.imwrite(home / f"frames {k}" / f"{i:03d}.png", one)
        else:
            iio.imwrite(home / f"clip {k}.mp4", np.stack(pixels), fps=25, codec="libx264", plugin="pyav")
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "empty.mp4").write_bytes(b"")


def _small(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return np.asarray(frame.reformat(width=SIZE[1], height=SIZE[0]).to_ndarray(), dtype=np.uint8)


def run(command: Sequence[str]) -> tuple[int, float]:
    """Run a command to its end; its status and how long it took."""
    start = time.monotonic()
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode, time.monotonic() - start


def run_and_kill(command: Sequence[str], output: Path, wait: float, *, at_once: bool, group: bool) -> int:
    """Run a command and kill it; its status.

    Args:
        command: what to run.
        output: where it writes.
        wait: seconds until it is killed, from when it has written something; less if it is done before.
        at_once: count them from its start.
        group: kill all of its processes together, and not the first alone.
    """
    before = _written(output)
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        while not at_once and process.poll() is None and _written(output) == before:
            time.sleep(0.02)
        try:
            return process.wait(wait)
        except subprocess.TimeoutExpired:
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            return process.wait()


def _written(folder: Path) -> int:
    """Changes with what a batch has done."""
    return sum(1 for path in folder.rglob("*") if path.suffix in (".npz", ".safetensors", ".jpg", ".png"))


def files(folder: Path) -> dict[str, bytes]:
    """All that is there, but for the locks."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("options", nargs="*", help="more options of videoparts batch, after --")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_footage(folder / "in", given.clips, given.frames)
        options = ["--load-size", "112", "--frames", "4", "--jobs", str(given.jobs), "--offline", "-q", *given.options]
        command = [sys.executable, "-m", "videoparts.pipelines.main", "batch", str(folder / "in"), *options, "-o"]
        status, quiet = run([*command, str(folder / "quiet")])
        print(f"in peace: status {status}, {quiet:.0f} s, {len(files(folder / 'quiet'))} files", flush=True)
        kills, output = 0, folder / "killed"
        while kills < given.kills:
            wait, at_once, group = (
                chance.uniform(0, 2 * quiet / given.kills),
                chance.random() < 0.2,
                chance.random() < 0.5,
            )
            status = run_and_kill([*command, str(output)], output, wait, at_once=at_once, group=group)
            done = (output / "journal.jsonl").read_text().count('"done"') if (output / "journal.jsonl").exists() else 0
            which = "all processes" if group else "one process"
            since = "its start" if at_once else "it went on"
            kills += status < 0
            print(f"kill {kills}: {wait:.1f} s after {since}, {which}; {done} clips done", flush=True)
            if status >= 0:
                print("done before the last kill; begun anew in a new folder")
                output = output.with_name(output.name + "+")
        killed = [*command, str(output)]
        status, lasted = run(killed)
        print(f"left alone at last: status {status}, {lasted:.0f} s")
        one, other = files(folder / "quiet"), files(output)
    differing = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    print(f"{len(differing)} files differ", *differing, sep="\n  ")
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())

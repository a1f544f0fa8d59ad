"""What a batch costs over its clips alone, and how many at a time are best.

::

    python samples/compare_batch.py CLIP... [--jobs 1 2] [--options ...]

Runs ``videoparts masks`` for each clip, one after the other, then ``videoparts batch`` over all of them with each
number of jobs, and prints the times of each and their ratios. With ``--repeat 8`` every clip counts as eight, and the
peak memory of each process tells whether it grows with their number.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

COMMAND = (sys.executable, "-m", "videoparts.pipelines.main")


def seconds(*commands: Sequence[str]) -> float:
    """How long commands take, one after the other."""
    start = time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True)
    return time.perf_counter() - start


def copied(clip: Path, target: Path) -> Path:
    """A clip or a folder of frames under another name."""
    return Path(shutil.copytree(clip, target) if clip.is_dir() else shutil.copy(clip, target))


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="What a batch costs over its clips alone.")
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=1, help="take every clip so many times")
    parser.add_argument("--no-single", action="store_true", help="leave out the clips one by one")
    parser.add_argument("--options", default="", help="of masks and batch, in one text")
    given = parser.parse_args()
    options = [*given.options.split(), "--offline", "-q"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        clips = [
            copied(clip, folder / "in" / f"{clip.stem} {k}{clip.suffix}")
            for k in range(given.repeat)
            for clip in given.clips
        ]
        single = 0.0
        if not given.no_single:
            each = [
                [*COMMAND, "masks", str(clip), "-o", str(folder / "single" / clip.stem), *options] for clip in clips
            ]
            single = seconds(*each)
            print(f"{len(clips)} clips one by one: {single:.1f} s", flush=True)
        for jobs in given.jobs:
            batch = [*COMMAND, "batch", str(folder / "in"), "-o", str(folder / f"jobs {jobs}"), *options]
            took = seconds([*batch, "--jobs", str(jobs)])
            beside = f", {took / single:.3f} of that" if single else ""
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"batch --jobs {jobs}: {took:.1f} s{beside}; largest process so far {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()

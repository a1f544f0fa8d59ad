"""Commands whose caller has closed the standard streams, as daemons do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import pytest

COMMAND = [sys.executable, "-m", "videoparts.pipelines.main"]
QUICK = ["--load-size", "112", "--frames", "6", "--offline", "--device", "cpu"]


def run_with(streams: str, *arguments: str) -> int:
    return subprocess.run(["sh", "-c", f'exec "$@" {streams}', "sh", *COMMAND, *arguments], check=False).returncode


@pytest.mark.parametrize("streams", ["2>&-", "<&- >&- 2>&-"])
def test_a_run_without_streams(streams: str, short_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert run_with(streams, "overlay", str(short_clip), "-o", str(out), *QUICK) == 0
    with av.open(str(short_clip)) as given, av.open(str(out)) as made:
        assert len(list(made.decode(video=0))) == len(list(given.decode(video=0)))


def test_its_errors_are_told_by_the_status(tmp_path: Path) -> None:
    assert run_with("<&- >&- 2>&-", "overlay", str(tmp_path / "none.mp4"), "-o", str(tmp_path / "out.mp4")) == 2
    assert run_with("<&- >&- 2>&-", "overlay", "--unknown") == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run([*COMMAND, "info"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "videoparts: cannot write to standard output: the disk is full; free some space or choose another place"
    ]

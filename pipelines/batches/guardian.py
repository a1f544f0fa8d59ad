"""A small process: nothing of a local Ray cluster outlives the run that has started it, not even one that is killed.

Ray's own processes end when theirs does; but those that watch the others may go on for a minute, trying to tell the
dead, and the folder of the session stays. Nothing of this package is imported: it runs as a file, and starts at once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_MARK = "VIDEOPARTS_RAY_FOLDER"  # the variable by which is known what was started inside
_PATIENCE = 10.0  # seconds that they have to be gone


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Guard what is started inside: at the end, or when this process has died, what is left of it is killed, and the
    folder removed.

    Args:
        folder: what the cluster writes into.
    """
    with subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C is not for it
    ):  # at the end its input is closed, and it is waited for
        # What a killed worker leaves in the folder is removed with it; a title must not be written over the mark.
        given = {_MARK: str(folder), "TMPDIR": str(folder), "SPT_NOENV": "1"}
        before = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                os.environ.update({} if value is None else {name: value})


def _watch(folder: str) -> None:
    sys.stdin.read()  # ends with the other side
    end = time.monotonic() + _PATIENCE
    while (_kill(f"{_MARK}={folder}".encode()) or Path(folder).exists()) and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


def _kill(mark: bytes) -> bool:
    """Kill the processes that carry a mark; gives whether there were any. Where that cannot be told: none."""
    found = False
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (path / "environ").read_bytes().split(b"\0"):
                found = True
                os.kill(int(path.name), signal.SIGKILL)
    return found


if __name__ == "__main__":
    _watch(sys.argv[1])

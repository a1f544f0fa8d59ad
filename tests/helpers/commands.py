"""Commands as a user gives them, and what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

COMMAND = [sys.executable, "-m", "videoparts.pipelines.main"]
QUICK = ["--load-size", "112", "--frames", "6", "--offline", "--device", "cpu"]
QUICK_BATCH = ["--load-size", "112", "--frames", "4", "--offline", "--device", "cpu", "--specks", "0"]


def files(folder: Path) -> dict[str, bytes]:
    """All that is there, but for the locks."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def davis(folder: Path) -> npt.NDArray[np.uint8]:
    return np.stack([np.asarray(Image.open(path)) for path in sorted((folder / "davis").iterdir())])


@contextmanager
def running(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own; waited for, and its group with it."""
    options = {"stderr": subprocess.DEVNULL} | options
    process: subprocess.Popen[str] = subprocess.Popen(command, start_new_session=True, **options)  # type: ignore[call-overload]
    try:
        yield process
        process.wait(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def forget_chances(folder: Path) -> None:
    """Take away what ``masks --keep-features`` has kept for edits."""
    for piece in folder.glob(".videoparts/*/masks-*.npz"):
        with np.load(piece) as arrays:
            left = {name: arrays[name] for name in arrays if name != "chances"}
        np.savez(piece, **left)

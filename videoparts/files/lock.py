"""One run at a time in a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import OutputError
from .atomic import output_errors

HOME = ".videoparts"  # our own folder in an output folder
_NAME = ".lock"
_PATIENCE = 0.3  # seconds: who asks `is_held` has the lock for a moment
_AGAIN = 0.01


@contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Hold a folder while writing into it. What a killed run held is free again.

    Args:
        folder: of ours alone; made if missing, and removed again, with the parents made for it, if nothing was kept in
            it.

    Raises:
        OutputError: another run holds it, or it cannot be written.
    """
    try:
        import fcntl  # noqa: F401 - is there one?
    except ImportError:  # Windows
        yield
        return
    made = [one for one in folder.parents if not one.exists()]
    with _locked(folder):
        try:
            yield
        finally:
            with suppress(FileNotFoundError):  # somebody has removed the folder
                if [one.name for one in folder.iterdir()] == [_NAME]:  # nothing was kept: leave nothing
                    (folder / _NAME).unlink()
                    with suppress(OSError):
                        for one in (folder, *made):
                            one.rmdir()


def _locked(folder: Path) -> IO[str]:
    """The open file that holds a folder."""
    import fcntl

    path, end = folder / _NAME, time.monotonic() + _PATIENCE
    while True:
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                file.close()
                raise OutputError(f"{folder.parent}: another run is writing there; wait for its end") from None
        except OSError:  # a disk that knows no locks
            return file
        else:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
            # Since it was opened, another run has ended and has removed it: it holds nothing.
        file.close()
        time.sleep(_AGAIN)


def is_held(folder: Path) -> bool:
    """Whether another run holds a folder now. Where that cannot be told: no."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        with (folder / _NAME).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

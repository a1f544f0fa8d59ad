"""One run at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError
from .atomic import output_errors

HOME = ".videoparts"  # our own folder in an output folder
_NAME = ".lock"


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
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = folder / _NAME
    made = [one for one in folder.parents if not one.exists()]
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{folder.parent}: another run is writing there; wait for its end") from None
        except OSError:  # a disk that knows no locks
            pass
        try:
            yield
        finally:
            if [one.name for one in folder.iterdir()] == [_NAME]:  # nothing was kept: leave nothing
                path.unlink()
                with suppress(OSError):
                    for one in (folder, *made):
                        one.rmdir()


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

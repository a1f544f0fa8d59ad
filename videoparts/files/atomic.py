"""Files and folders that appear under their final name only when complete.

They are made beside their target under a hidden name that tells the machine, the target and the writing process,
and renamed at the end. What a killed run left is removed by the next one that writes the same target.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError

_PREFIX = ".videoparts"
_counter = itertools.count()
_ours: set[str] = set()  # names that this process is writing now


class AtomicFile:
    """One file in the making. `start` it, write `temporary`, then `commit` or `discard`.

    Args:
        target: the final name. A link is followed: the file that it points to is replaced.

    Raises:
        OutputError: at birth or at `start`: the target cannot become a file. Nothing is touched before `start`.
    """

    def __init__(self, target: Path) -> None:
        self.given = target
        self.target = Path(os.path.realpath(target))
        # The suffix stays: FFmpeg and others choose a format by it.
        self.temporary = _temporary_beside(self.target, self.target.suffix)
        self._new_parents: list[Path] = []
        with output_errors(target):
            self._check()
            _require_writable(self.target)

    def start(self) -> Path:
        """Make the parent folders and the empty temporary file; return its path."""
        with output_errors(self.given):
            self._check()
            try:
                _make_parents(self.target, self._new_parents)
                _remove_leftovers(self.target)
                _ours.add(self.temporary.name)
                self._create()
            except BaseException:
                self.discard()
                raise
        return self.temporary

    def commit(self) -> None:
        """Give the finished output its final name. Raises OutputError, leaving nothing behind, if that fails."""
        try:
            with output_errors(self.given):
                self._replace()
        except BaseException:
            self.discard()
            raise
        _ours.discard(self.temporary.name)

    def discard(self) -> None:
        """Remove what was written, and the parent folders that were made for it. Never raises."""
        remove(self.temporary)
        _ours.discard(self.temporary.name)
        for folder in reversed(self._new_parents):
            with suppress(OSError):  # not empty: something else lives there now
                folder.rmdir()

    def _check(self) -> None:
        if self.target.is_dir():
            raise OutputError(f"{self.given} is a folder: give the name of a file")
        if self.target.exists() and not self.target.is_file():
            raise OutputError(f"{self.given} is a device or a pipe: give the name of a file")

    def _create(self) -> None:
        self.temporary.touch()

    def _replace(self) -> None:
        self.temporary.replace(self.target)


class AtomicFolder(AtomicFile):
    """One folder of files in the making; used like `AtomicFile`.

    Args:
        target: the final name of the folder.
        is_ours: whether a file in an existing target was made by an earlier run. A folder that holds anything else
            is not replaced.
    """

    def __init__(self, target: Path, is_ours: Callable[[Path], bool]) -> None:
        self._is_ours = is_ours
        super().__init__(target)

    def _check(self) -> None:
        if self.target.exists() and not self.target.is_dir():
            raise OutputError(f"{self.given} is a file: give the name of a folder")
        if self.target.is_dir():
            for entry in sorted(self.target.iterdir()):
                if not entry.is_file() or entry.is_symlink() or not self._is_ours(entry):
                    raise OutputError(
                        f"{self.given} holds {entry.name}, which an earlier run did not make: "
                        "remove it or choose another folder"
                    )

    def _create(self) -> None:
        self.temporary.mkdir()

    def _replace(self) -> None:
        self._check()  # hours may have passed since the start
        if not self.target.exists():
            self.temporary.rename(self.target)
            return
        old = _temporary_beside(self.target, "")
        _ours.add(old.name)
        self.target.rename(old)
        try:
            self.temporary.rename(self.target)
        except BaseException:
            old.rename(self.target)
            raise
        finally:
            _ours.discard(old.name)
        remove(old)


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """``with atomic_file(path) as temporary: write(temporary)``: committed at the end, discarded on any exception.

    Raises:
        OutputError: the target cannot be written, or writing it failed for want of space, rights and the like.
    """
    file = AtomicFile(target)
    temporary = file.start()
    try:
        with output_errors(target):
            yield temporary
    except BaseException:
        file.discard()
        raise
    file.commit()


def ensure_not_input(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over an input, be it named directly, through a link, or as another hard link.

    Raises:
        OutputError: ``output`` is one of ``inputs``.
    """
    for given in inputs:
        same = os.path.realpath(output) == os.path.realpath(given)
        with suppress(OSError):  # one of them does not exist
            same = same or output.samefile(given)
        if same:
            raise OutputError(f"{output} is an input too: choose another name for the output")


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an operating system's error, PyAV's included, into one line about ``path``."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is that of a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(error: OSError) -> str:
    return {
        errno.ENOSPC: "the disk is full: free some space or choose another place",
        errno.EDQUOT: "the disk quota is used up: free some space or choose another place",
        errno.EFBIG: "the file would be larger than is allowed here: choose another place",
        errno.EACCES: "no permission: choose a place that you may write to",
        errno.EPERM: "no permission: choose a place that you may write to",
        errno.EROFS: "the disk is read-only: choose another place",
        errno.ENOTDIR: "a part of its path is a file: choose another place",
        errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    }.get(error.errno or 0, str(error.strerror or error).lower())


def _temporary_beside(target: Path, suffix: str) -> Path:
    return target.with_name(f"{_stamp(target)}-{os.getpid()}-{next(_counter)}{suffix}")


def _stamp(target: Path) -> str:
    # Of fixed length, as the target's name may be as long as names can be. With the machine's name in it: on a
    # shared disk the process numbers of another machine say nothing.
    told = f"{socket.gethostname()}\0{target.name}".encode(errors="surrogateescape")
    return f"{_PREFIX}-{hashlib.sha256(told).hexdigest()[:12]}"


def _remove_leftovers(target: Path) -> None:
    for path in target.parent.glob(f"{_stamp(target)}-*"):
        pid = path.name[len(_stamp(target)) + 1 :].partition("-")[0]
        if pid.isdecimal() and path.name not in _ours and not _alive(int(pid)):
            remove(path)


def remove_temporaries(folder: Path) -> None:
    """Remove what killed runs left in a folder that no other run is writing into now."""
    for path in folder.glob(f"{_PREFIX}-*-*-*"):
        if path.name not in _ours:
            remove(path)


def _alive(pid: int) -> bool:
    if os.name == "nt":  # no harmless way to ask there: leave such files
        return True
    if pid == os.getpid():  # what this process is writing is known; a file of an earlier namesake may go
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _require_writable(target: Path) -> None:
    """Raise the OSError that making a file would raise, where that can be told before the work."""
    above = next((folder for folder in target.parents if folder.exists()), None)
    if above is not None and not above.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if above is not None and not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _make_parents(target: Path, made: list[Path]) -> None:
    """Make the folders above ``target`` that are missing, the outermost first, and add each to ``made``."""
    missing = list(itertools.takewhile(lambda folder: not folder.exists(), target.parents))
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        made.append(folder)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it. Never raises."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()

"""An output folder changes as a whole: all that a run makes appears together, or nothing does.

Everything is made in ``OUTPUT/.videoparts-new``, in the places that it will have in ``OUTPUT``. When all is there, a
list of what moves and what goes is put beside it, ``commit.json``: from then on the folder counts as changed. A run
that is killed before leaves the folder as it was, and what it made is removed by the next; what one that is killed
afterwards has not moved, the next moves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import OutputError, VideoPartsError
from .atomic import atomic_file, output_errors, remove, remove_temporaries
from .lock import HOME, only_run_in

STAGE = ".videoparts-new"
_LIST = "commit.json"
_FORMAT = "videoparts.commit/1"


class Transaction:
    """What one run makes; see `transaction`.

    Attributes:
        folder: the output folder.
        path: the folder in which all is made, on the same disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / STAGE

    def commit(self, moved: Sequence[str], removed: Sequence[str] = ()) -> None:
        """Put everything in its place.

        Args:
            moved: files and folders in `path`, relative to it. What has that name in the folder is replaced.
            removed: what vanishes, relative to the folder. What lies outside of it, through a link, stays.

        Raises:
            OutputError: nothing has changed; or, where a file could not be moved, the rest follows when the next
                command reads the folder or writes into it.
        """
        gone = tuple(path for path in removed if not _leads_out(self.folder, path))
        commit = _Commit({path: _size(self.path / path) for path in moved}, gone)
        commit.check(self.folder)
        with atomic_file(self.path / _LIST) as temporary, temporary.open("w", encoding="utf-8") as file:
            json.dump({"format": _FORMAT, **asdict(commit)}, file)
            file.flush()
            os.fsync(file.fileno())  # it is on the disk before anything moves
        rest = f"the rest follows with the next command on {self.folder}"
        try:
            commit.carry_out(self.folder)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped; {rest}") from None
        except OutputError as error:
            raise OutputError(f"{error}; {rest}") from error

    def told(self, text: str) -> str:
        """A line about a path in the making as one about the path that it will have."""
        return text.replace(str(self.path), str(self.folder))


@contextmanager
def transaction(folder: Path) -> Iterator[Transaction]:
    """Hold an output folder while changing it. What was made and not committed is removed at the end.

    Args:
        folder: made if missing, and removed again if nothing was kept in it. What a killed run left is brought to its
            end first.

    Raises:
        OutputError: another run holds it, or it cannot be written.
    """
    with only_run_in(folder / HOME):
        _recover(folder)
        made = Transaction(folder)
        try:
            yield made
        except VideoPartsError as error:
            told = made.told(str(error))
            if told == str(error):
                raise
            raise type(error)(told) from error
        finally:
            if not _is_committed(folder):
                remove(made.path)


def finish_commit(folder: Path) -> None:
    """Put in its place what a killed run has committed, if there is such. For those who read a folder.

    Raises:
        OutputError: another run holds the folder, or it cannot be written.
    """
    if _is_committed(folder):
        with only_run_in(folder / HOME):
            _recover(folder)


def refuse_foreign(folder: Path, paths: Collection[Path], named: Collection[str]) -> None:
    """Leave alone what no run has made. Folders are not looked into: see `AtomicFolder`.

    Args:
        folder: the output folder.
        paths: in it, that are to be written.
        named: what earlier runs have made, relative to the folder.

    Raises:
        OutputError: one of the paths is a link or another disk, or leads through one, or is a file that is not
            ``named``.
    """
    for path in paths:
        inside = path.relative_to(folder)
        for part in (inside, *inside.parents[:-1]):
            if (folder / part).is_symlink() or os.path.ismount(folder / part):
                raise OutputError(f"{folder / part} is a link or another disk: remove it or choose another folder")
        if path.is_file() and inside.as_posix() not in named:
            raise OutputError(
                f"{path} is there, and no manifest of an earlier run names it: remove it or choose another folder"
            )


@dataclass(frozen=True)
class _Commit:
    """What is to be done, all paths relative to the output folder."""

    move: dict[str, int]  # what lies in the stage, and how many bytes it has
    remove: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, folder: Path) -> _Commit:
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            commit = cls(dict(given["move"]), tuple(given["remove"]))
            if given["format"] != _FORMAT or not all(isinstance(one, str) for one in (*commit.move, *commit.remove)):
                raise ValueError(given["format"])
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            raise OutputError(f"{path}: cannot be read; {_again(folder)}") from error
        return commit

    def check(self, folder: Path) -> None:
        """Raise OutputError unless all that is done is done inside of ``folder``."""
        stage = folder / STAGE
        for path in (*self.move, *self.remove):
            if Path(path).parts[:1] == (STAGE,) or any(_leads_out(one, path) for one in (folder, stage)):
                raise OutputError(f"{stage / _LIST}: {path!r} leads out of {folder}; {_again(folder)}")

    def carry_out(self, folder: Path) -> None:
        """Do it, or what is left of it."""
        stage = folder / STAGE
        waiting = [path for path in self.move if os.path.lexists(stage / path)]
        if len(waiting) == len(self.move):  # removing comes first: later, it might be of something new
            for path in self.remove:
                with suppress(OSError):
                    remove(folder / path)
                    (folder / path).parent.rmdir()  # the folder of a format whose files have all gone
        for path in waiting:
            target = folder / path
            with output_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                if (stage / path).is_dir() and target.is_dir():  # a folder cannot take the place of a full one
                    remove(target)
                (stage / path).replace(target)
        with output_errors(stage):
            (stage / _LIST).unlink()
        remove(stage)

    def is_whole(self, folder: Path) -> bool:
        """Whether what was not moved yet is on the disk as it was written: after a power cut it may not be."""
        waiting = ((folder / STAGE / path, size) for path, size in self.move.items())
        return all(_size(path) == size for path, size in waiting if os.path.lexists(path))


def _recover(folder: Path) -> None:
    """Bring what a killed run left to its end. The folder is held."""
    if _is_committed(folder):
        commit = _Commit.read(folder / STAGE / _LIST, folder)
        commit.check(folder)
        with output_errors(folder / STAGE):
            whole = commit.is_whole(folder)
        if not whole:
            remove(folder / STAGE)
            raise OutputError(f"{folder}: the last run was lost before it reached the disk; give its command again")
        commit.carry_out(folder)
    remove(folder / STAGE)
    if os.path.lexists(folder / STAGE):
        raise OutputError(f"{folder / STAGE} is left of a killed run and cannot be removed: remove it")
    for kept in (folder / HOME).glob("*"):
        remove_temporaries(kept)


def _is_committed(folder: Path) -> bool:
    return not os.path.islink(folder / STAGE) and os.path.isfile(folder / STAGE / _LIST)  # noqa: PTH114, PTH113 - never raise


def _again(folder: Path) -> str:
    return f"remove {folder / STAGE} and run videoparts masks again"


def _leads_out(folder: Path, path: str) -> bool:
    given = Path(path)
    if given.anchor or not given.parts or ".." in given.parts:
        return True
    try:
        parent = Path(os.path.realpath((folder / given).parent))
    except ValueError:  # no file system has such a name
        return True
    return not parent.is_relative_to(os.path.realpath(folder))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir() and not path.is_symlink():
        return sum(_size(one) for one in path.iterdir())
    with suppress(OSError):
        return path.lstat().st_size
    return 0

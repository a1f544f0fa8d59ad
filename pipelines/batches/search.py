"""Goes through the inputs of a batch and keeps the clips that it finds."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from videoparts.counted import counted
from videoparts.errors import OutputError
from videoparts.files.lock import HOME
from videoparts.results.manifest import FILE as MANIFEST
from videoparts.sources.folder import SUFFIXES as PICTURES
from videoparts.sources.folder import natural_key

from .globs import has_pattern, matches
from .journal import FILE as JOURNAL
from .names import RESERVED, Origin

# Of files that a folder is searched for; one that is named may be called as it likes. No .gif: it is as often a still.
VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".wmv", ".asf", ".flv", ".ogv", ".3gp", ".3g2"}
    | {".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".mxf", ".dv", ".y4m"}
)

_OURS = re.compile(rb'"videoparts\.(manifest|batch)/')  # in the head of a manifest or of a batch's journal
_HEAD = 4096  # bytes of it
_NO_FILE = "a device, a pipe or a socket"
_NO_TARGET = "a link to nothing"
_RESULTS = "it holds results of videoparts"

Identity = tuple[int, int]  # device and inode


@dataclass(frozen=True)
class Skipped:
    """Something that was given or found, and is not taken."""

    path: Path  # absolute
    reason: str


class Search:
    """The clips and what is skipped, so far.

    Args:
        output: the folder that a batch writes into; it need not be there.
        results: names of result folders in it.
    """

    def __init__(self, output: Path, results: Iterable[str]) -> None:
        self.origins: list[Origin] = []
        self.skipped: list[Skipped] = []
        self._seen: dict[Identity, Path] = {}
        self._output = output
        self._output_identity = identity_of(output)
        # What a killed run leaves has no manifest yet, but its name is known.
        self._results = {identity_of(output / name) for name in results} if self._output_identity else set()
        self._results.discard(None)

    def take(self, given: str, *, patterns: bool = True) -> None:
        """Take a file, all in a folder, or what fits a pattern.

        Args:
            given: its path. What is there under the very name is no pattern.
            patterns: whether it may be a pattern at all.

        Raises:
            OutputError: a folder of frames is the output folder.
        """
        if not given or "\0" in given:
            self._skip(Path(given.replace("\0", "_")).absolute(), "an empty path" if not given else "no path")
            return
        path = _absolute(given)
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                self._skip(path, _NO_TARGET)
            elif patterns and has_pattern(given):
                self._take_matches(given)
            else:
                self._skip(path, "there is no such file or folder")
        except OSError as error:
            self._skip(path, _unreadable(error))
        else:
            if stat.S_ISDIR(mode):
                self._take_folder(path)
            elif stat.S_ISREG(mode):
                self._add_file(path, path.parent.name, (path.name,))
            else:
                self._skip(path, _NO_FILE)

    def _take_matches(self, pattern: str) -> None:
        found = list(matches(pattern, self._may_enter))
        if not found:
            self._skip(Path(pattern).absolute(), "no file or folder fits this pattern")
        for path in found:
            self.take(str(path), patterns=False)

    def _may_enter(self, folder: Path) -> bool:
        """Whether a pattern leads into a folder."""
        reason = self._closed(folder)
        if reason and not (reason == _RESULTS and self._is_in_output(folder)):
            self._skip(folder.absolute(), reason)
        return not reason

    def _take_folder(self, root: Path) -> None:
        before = len(self.origins), len(self.skipped)
        left_out: list[Skipped] = []
        hidden = old = 0
        waiting: list[tuple[str, ...]] = [()]  # and no recursion: folders nest deeper than calls may
        while waiting:
            parts = waiting.pop()
            folder = root.joinpath(*parts)
            reason = self._closed(folder, given=not parts)
            if reason == _RESULTS and parts and self._is_in_output(folder):
                old += 1
                continue
            if reason:
                self._skip(folder, reason)
                continue
            if not self._is_new(folder, "folder"):
                continue
            try:
                inside = _look(folder)
            except OSError as error:
                self._skip(folder, _unreadable(error))
                continue
            self._add_all(inside, root, parts)
            others = inside.others - set(RESERVED) if self._is_output(folder) else inside.others
            if others:
                left_out.append(Skipped(folder, counted(len(others), "file") + " neither video nor picture"))
            hidden += inside.hidden
            waiting.extend((*parts, name) for name in sorted(inside.folders, key=natural_key, reverse=True))
        if (len(self.origins), len(self.skipped)) == before:
            self._skip(root, "it holds no clip")
        self.skipped += left_out
        if hidden:
            self._skip(root, counted(hidden, "hidden file or folder", "hidden files and folders"))
        if old:
            self._skip(root, counted(old, "folder") + " of results in the output folder")

    def _add_all(self, inside: _Inside, root: Path, parts: tuple[str, ...]) -> None:
        folder = root.joinpath(*parts)
        if inside.pictures:
            if self._is_output(folder):
                raise OutputError(f"{folder} is a folder of frames and the output too: choose another output")
            above, own = (root, parts) if parts else (root.parent, (root.name,))
            self.origins.append(Origin(str(folder), above.name, own, is_folder=True))
        for name in sorted(inside.videos, key=natural_key):
            self._add_file(folder / name, root.name, (*parts, name))
        for name, reason in sorted(inside.odd.items()):
            self._skip(folder / name, reason)

    def _add_file(self, path: Path, root: str, parts: tuple[str, ...]) -> None:
        if self._is_new(path, "file"):
            self.origins.append(Origin(str(path), root, parts, is_folder=False))

    def _is_new(self, path: Path, kind: str) -> bool:
        """Whether it is there, and met for the first time; else why not is kept."""
        try:
            status = path.stat()
        except OSError as error:
            self._skip(path, _unreadable(error))
            return False
        first = self._seen.setdefault((status.st_dev, status.st_ino), path)
        if first is not path:
            self._skip(path, "given more than once" if first == path else f"the same {kind} as {first}")
        return first is path

    def _closed(self, folder: Path, *, given: bool = False) -> str:
        """Why a folder is not searched; empty: it is."""
        is_output = self._is_output(folder)
        if is_output and not given:
            return "the output folder"
        if identity_of(folder) in self._results:
            return _RESULTS
        try:
            ours = _is_ours(folder / MANIFEST)
            if not is_output:
                ours = ours or (folder / HOME).is_dir() or _is_ours(folder / JOURNAL)
        except OSError:  # searching it will tell
            return ""
        return _RESULTS if ours else ""

    def _is_output(self, folder: Path) -> bool:
        return self._output_identity is not None and identity_of(folder) == self._output_identity

    def _is_in_output(self, folder: Path) -> bool:
        return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self._output))

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))


@dataclass
class _Inside:
    """What lies directly in a folder."""

    videos: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    pictures: int = 0
    hidden: int = 0
    others: set[str] = field(default_factory=set)
    odd: dict[str, str] = field(default_factory=dict)  # by name, why it is not taken


def _look(folder: Path) -> _Inside:
    inside = _Inside()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                inside.hidden += 1
                continue
            try:
                if entry.is_dir():
                    inside.folders.append(entry.name)
                elif not entry.is_file():
                    inside.odd[entry.name] = _NO_FILE if Path(entry).exists() else _NO_TARGET
                elif (suffix := Path(entry.name).suffix.lower()) in VIDEOS:
                    inside.videos.append(entry.name)
                elif suffix in PICTURES:
                    inside.pictures += 1
                else:
                    inside.others.add(entry.name)
            except OSError as error:
                inside.odd[entry.name] = _unreadable(error)
    return inside


def _is_ours(file: Path) -> bool:
    if not file.is_file():  # a pipe would be waited for
        return False
    with file.open("rb") as content:
        return _OURS.search(content.read(_HEAD)) is not None


def identity_of(path: Path) -> Identity | None:
    """By which a file or folder is known again under another name; None: it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _absolute(given: str) -> Path:
    """Without ``..`` and ``.``, and through links only where ``..`` makes it another path otherwise."""
    path = Path(os.path.normpath(Path(given).absolute()))
    if ".." not in Path(given).parts:
        return path
    try:
        if path.samefile(given):
            return path
    except OSError:
        pass
    return Path(os.path.realpath(given))


def _unreadable(error: OSError) -> str:
    return f"it cannot be read: {(error.strerror or str(error)).lower()}"

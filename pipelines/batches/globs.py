"""Patterns of paths: ``*``, ``?``, ``[abc]``, and ``**`` for any folders below.

Unlike the standard library's, ``**`` does not go round in a circle of links, matches come in natural order, and a
component that is there under the pattern's very name is taken as it stands: a folder may well be called ``[old]``.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from videoparts.sources.folder import natural_key

Enter = Callable[[Path], bool]


def has_pattern(path: str) -> bool:
    """Whether it holds a character that means something in a pattern."""
    return any(character in path for character in "*?[")


def matches(pattern: str, enter: Enter) -> Iterator[Path]:
    """The paths that fit, in natural order; those of a folder before those of its sub-folders.

    Hidden files and folders are matched only where the pattern itself has the dot. What cannot be read has no matches.

    Args:
        pattern: relative to the working folder, or absolute. With a / at its end: folders only.
        enter: whether to look into a folder that a wildcard has led to.
    """
    start = Path(Path(pattern).anchor)
    components = [part for part in Path(pattern).parts if part != start.anchor]
    folders_only = pattern.endswith(("/", os.sep)) or components[-1:] == ["**"]
    while components and components[-1] == "**":  # the folder itself will do: all in it is found anyway
        components.pop()
    return (path for path in _Expansion(enter).below(start, components) if not folders_only or _is_folder(path))


class _Expansion:
    """One pattern on its way through the folders."""

    def __init__(self, enter: Enter) -> None:
        self._enter = enter
        self._entered: set[tuple[int, int, int]] = set()  # device, inode, components left

    def below(self, folder: Path, components: Sequence[str]) -> Iterator[Path]:
        """What fits ``components`` inside a folder."""
        if not components:
            yield folder
            return
        first, rest = components[0], components[1:]
        if first == "**":
            yield from self._at_any_depth(folder, components)
        elif os.path.lexists(folder / first):
            yield from self.below(folder / first, rest)
        elif has_pattern(first):
            for path in _inside(folder, hidden=first.startswith(".")):
                if fnmatch.fnmatch(path.name, first) and (not rest or (_is_folder(path) and self._enter(path))):
                    yield from self.below(path, rest)

    def _at_any_depth(self, folder: Path, components: Sequence[str]) -> Iterator[Path]:
        waiting = [folder]  # and no recursion: folders nest deeper than calls may
        while waiting:
            here = waiting.pop()
            if self._is_new(here, len(components)):
                yield from self.below(here, components[1:])
                inside = [path for path in _inside(here, hidden=False) if _is_folder(path)]
                waiting.extend(path for path in reversed(inside) if self._enter(path))

    def _is_new(self, folder: Path, left: int) -> bool:
        try:
            status = folder.stat()
        except OSError:
            return False
        known = len(self._entered)
        self._entered.add((status.st_dev, status.st_ino, left))
        return len(self._entered) > known


def _inside(folder: Path, hidden: bool) -> list[Path]:
    try:
        names = sorted((entry.name for entry in os.scandir(folder)), key=natural_key)
    except OSError:
        return []
    return [folder / name for name in names if hidden or not name.startswith(".")]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False

"""The inputs of a batch: files, folders, patterns and a list, as clips with names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from videoparts.errors import OutputError

from .clip import Clip
from .names import names_of
from .search import Search, Skipped, identity_of

__all__ = ["Found", "Skipped", "find_clips"]

LIST = "-"  # stands for a list on standard input


@dataclass(frozen=True)
class Found:
    """What the inputs of a batch hold."""

    clips: tuple[Clip, ...]  # in the order of the inputs; in a folder natural order, files before sub-folders
    skipped: tuple[Skipped, ...]


def find_clips(
    given: Sequence[str], output: Path, *, listed: Callable[[], bytes], taken: Mapping[str, str] | None = None
) -> Found:
    """Find every clip in the inputs.

    A folder that holds pictures is one clip; its videos and its sub-folders are searched all the same. Links are
    followed, and what is reached twice is taken once. Hidden files, folders of results and the output folder are left
    out. A file that is named is taken whatever it is called.

    Args:
        given: files, folders, patterns (see `globs.matches`), and "-" for a list of paths. What is there under the
            very name is no pattern, and nothing in the list is.
        output: the folder to write into; it need not be there.
        listed: gives that list: paths between NULs if there are any in it, else a line each.
        taken: names of an earlier run, see `names_of`.

    Raises:
        OutputError: results would be written over an input, or through a link out of the output folder.
    """
    taken = taken or {}
    search = Search(output, taken.values())
    for one in given:
        if one != LIST:
            search.take(one)
            continue
        paths = list(_paths(listed()))
        if not paths:
            search.skipped.append(Skipped(Path(LIST), "the list on standard input names nothing"))
        for path in paths:
            search.take(path, patterns=False)
    names = names_of(search.origins, taken)
    clips = tuple(Clip(Path(one.path), name) for one, name in zip(search.origins, names, strict=True))
    _require_apart(output, clips)
    return Found(clips, tuple(search.skipped))


def _paths(content: bytes) -> Iterator[str]:
    if b"\0" in content:
        return (os.fsdecode(path) for path in content.split(b"\0") if path)
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return (os.fsdecode(line.removesuffix(b"\r")) for line in lines if line.strip())


def _require_apart(output: Path, clips: Sequence[Clip]) -> None:
    """That no clip's results would meet an input, or leave the output folder through a link."""
    top = Path(os.path.realpath(output))
    places = [output / clip.name for clip in clips]
    for folder in dict.fromkeys(folder for place in places for folder in _up_to(output, place)):
        if folder.is_symlink() and not Path(os.path.realpath(folder)).is_relative_to(top):
            raise OutputError(f"{folder} is a link out of the output folder: remove it or choose another output")
    there = {identity_of(place): i for i, place in enumerate(places)}
    there.pop(None, None)
    for path in _inside(top, clips) if there else ():
        for met in _up_to(top, Path(os.path.realpath(path))):
            if (i := there.get(identity_of(met))) is not None:
                raise OutputError(
                    f"{places[i]}: the results of {clips[i].path} would be written over {path}, which is an input "
                    "too: choose another output"
                )


def _inside(top: Path, clips: Sequence[Clip]) -> Iterator[Path]:
    """The clips that are, in truth, inside a folder."""
    parents: dict[Path, bool] = {}
    for path in (clip.path for clip in clips):
        if path.parent not in parents:
            parents[path.parent] = Path(os.path.realpath(path.parent)).is_relative_to(top)
        if Path(os.path.realpath(path)).is_relative_to(top) if path.is_symlink() else parents[path.parent]:
            yield path


def _up_to(top: Path, path: Path) -> Iterator[Path]:
    """A path below ``top``, and the folders above it there."""
    while path != top:
        yield path
        path = path.parent

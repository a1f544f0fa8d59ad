"""The name of each clip's result folder: its path below the input that was given, safe on every file system, its own.

A file's name loses its suffix. Where two names would be one, without regard to case and to how Unicode composes
letters, both take more of where they are from: first the suffix (``.frames`` for a folder), then the name of the given
folder in front, and at last ``-2``, ``-3`` in the order of their paths. A name that another lies below gives way as
well: a result folder holds no other. The order of the clips does not count.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

# What a batch itself writes at the top of its output.
RESERVED = ("index.html", "summary.csv", "journal.jsonl", "parts.safetensors", ".videoparts")

_LONGEST = 100  # bytes of UTF-8 in one component: room for what is made beside it under a longer name
# Control characters, line separators, bytes that were no UTF-8, and what Windows refuses.
_UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>:"|?*\\\\/]')
_PORTS = (port + digit for port in ("com", "lpt") for digit in "0123456789¹²³")
_DEVICES = frozenset(["con", "prn", "aux", "nul", "conin$", "conout$", *_PORTS])

_Parts = tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """Where a clip was found."""

    path: str  # absolute
    root: str  # the name of the folder that it was found in
    parts: tuple[str, ...]  # from there to the clip, its own name last
    is_folder: bool


def names_of(origins: Sequence[Origin], taken: Mapping[str, str]) -> list[str]:
    """The name of each clip, with / between components.

    Args:
        origins: of the clips; no path is there twice.
        taken: names that an earlier run has given, by absolute path. They are kept, and avoided by the others.
    """
    named = _set_apart(origins, [_Named(_form(one, 0), 0) for one in origins], RESERVED)
    kept = {one.path: taken[one.path] for one in origins if is_name(taken.get(one.path, ""))}
    # The others begin with what they are called where nothing is taken: a batch that was killed calls them the same.
    others = [(one, name) for one, name in zip(origins, named, strict=True) if one.path not in kept]
    moved = _set_apart([one for one, _ in others], [name for _, name in others], [*RESERVED, *taken.values()])
    given = kept | {one.path: "/".join(name.parts) for (one, _), name in zip(others, moved, strict=True)}
    return [given[one.path] for one in origins]


def is_name(name: str) -> bool:
    """Whether it is a name as `names_of` gives them: one that stays inside the output folder."""
    parts = _split(name)
    return all(safe(part) == part for part in parts) and _key(parts[:1]) not in map(_key, map(_split, RESERVED))


@functools.lru_cache(maxsize=1 << 16)
def safe(name: str, tail: str = "") -> str:
    """One component of a name, with ``tail`` at its end however long ``name`` is.

    >>> safe("take 1: café?"), safe("..."), safe("nul", ".mp4")
    ('take 1_ café_', '_', '_nul.mp4')
    """
    start, end = _UNSAFE.sub("_", name), _UNSAFE.sub("_", tail)
    if len(end.encode()) > _LONGEST // 2:  # hardly a suffix
        start, end = start + end, ""
    whole = _cut(start, _LONGEST - len(end.encode())) + end
    if whole.startswith("."):
        whole = "_" + whole[1:]
    whole = whole.rstrip(". ")
    if whole.partition(".")[0].rstrip().lower() in _DEVICES:
        return safe("_" + name, tail)
    return whole or "_"


_MOST = 2  # of what `_form` adds


class _Named(NamedTuple):
    parts: _Parts
    added: int  # see `_form`


def _form(origin: Origin, added: int) -> _Parts:
    """0: without its suffix; 1: with it; 2: with the root in front, too."""
    *folders, own = origin.parts
    stem, suffix = (own, ".frames") if origin.is_folder else _stem_and_suffix(own)
    above = [safe(folder) for folder in folders]
    return (*([safe(origin.root)] if added == _MOST else []), *above, safe(stem, suffix if added else ""))


def _set_apart(origins: Sequence[Origin], names: Sequence[_Named], fixed: Sequence[str]) -> list[_Named]:
    """``names``, with more added where they clash with one another or with ``fixed`` ones."""
    apart = list(names)
    clashing = _clashing(apart, fixed)
    while raised := [i for i in clashing if apart[i].added < _MOST]:
        for i in raised:
            added = apart[i].added + 1
            apart[i] = _Named(_form(origins[i], added), added)
        clashing = _clashing(apart, fixed)
    others = (name.parts for i, name in enumerate(apart) if i not in clashing)
    used = _Used(itertools.chain(map(_split, fixed), others))
    for i in sorted(clashing, key=lambda i: origins[i].path):
        apart[i] = _Named(_numbered(_form(origins[i], _MOST), used), _MOST)
        used.add(apart[i].parts)
    return apart


def _stem_and_suffix(name: str) -> tuple[str, str]:
    path = PurePath(name)
    return path.stem, path.suffix


def _clashing(names: Sequence[_Named], fixed: Iterable[str]) -> set[int]:
    """The places of those names that others stand in the way of."""
    unmoved = {_key(_split(name)) for name in fixed}
    keys = [_key(name.parts) for name in names]
    times = Counter(keys)
    above = {key[:length] for key in itertools.chain(keys, unmoved) for length in range(1, len(key))}

    def clashes(key: _Parts) -> bool:
        below_unmoved = any(key[:length] in unmoved for length in range(1, len(key) + 1))
        return times[key] > 1 or key in above or below_unmoved

    return {i for i, key in enumerate(keys) if clashes(key)}


class _Used:
    """Names that are given already."""

    def __init__(self, names: Iterable[_Parts]) -> None:
        self._whole: set[_Parts] = set()
        self._above: set[_Parts] = set()
        for name in names:
            self.add(name)

    def add(self, name: _Parts) -> None:
        key = _key(name)
        self._whole.add(key)
        self._above.update(key[:length] for length in range(1, len(key)))

    def in_the_way(self, name: _Parts) -> int:
        """How many components of ``name`` meet a given one; 0: it is free."""
        key = _key(name)
        lengths = (length for length in range(1, len(key) + 1) if key[:length] in self._whole)
        return next(lengths, len(key) if key in self._above else 0)


def _numbered(name: _Parts, used: _Used) -> _Parts:
    free, number = name, 1
    while met := used.in_the_way(free):
        number += 1
        tail = f"-{number}"
        free = (*name[: met - 1], _cut(name[met - 1], _LONGEST - len(tail)) + tail, *name[met:])
    return free


def _split(name: str) -> _Parts:
    return tuple(name.split("/"))


def _key(name: _Parts) -> _Parts:
    """What two names share that some file system takes for one."""
    return tuple(map(_folded, name))


@functools.lru_cache(maxsize=1 << 16)
def _folded(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def _cut(text: str, size: int) -> str:
    """As much of the beginning as has ``size`` bytes of UTF-8."""
    return text if len(text) * 4 <= size else text.encode()[:size].decode(errors="ignore")

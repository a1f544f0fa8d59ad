"""Edits of masks that are there already: what each part is called, looks like, and consists of.

Edits are applied one after the other, from the parts that a run has found. A part keeps its number whatever happens to
others: a merge keeps the first number, a split keeps its own for the first piece and takes new ones for the rest, and
nothing but `Reorder` gives new numbers. An edit checks its own values at birth, and raises `SettingsError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Union

import numpy as np

from ..errors import SettingsError
from ..files.atomic import atomic_file
from ..files.json_objects import object_of, shown
from ..frames import Pixels
from ..masks import Part
from ..painting.palette import MAX_PARTS, part_colour

FILE = "edits.json"
_FORMAT = "videoparts.edits/1"
_LARGEST_WINDOW = 31

Coarser = Callable[[int, int], Sequence[int]]
"""`PartTree.coarser` of the part model."""


@dataclass(frozen=True)
class Rename:
    """Give a part another name."""

    do: ClassVar = "rename"
    part: int
    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True)
class Merge:
    """Make one part of several. It has the number and the colour of the first, and its name unless one is given."""

    do: ClassVar = "merge"
    parts: tuple[int, ...]
    name: str | None = None

    def __post_init__(self) -> None:
        _check_parts(self)
        if len(self.parts) < 2:
            raise SettingsError(f"{told(self)}: name two parts or more")
        if self.name is not None:
            _check_name(self.name)


@dataclass(frozen=True)
class Drop:
    """Give parts to the background."""

    do: ClassVar = "drop"
    parts: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_parts(self)


@dataclass(frozen=True)
class Recolor:
    """Give a part another colour, ``#rrggbb``."""

    do: ClassVar = "recolor"
    part: int
    colour: str

    def __post_init__(self) -> None:
        read_colour(self.colour)


@dataclass(frozen=True)
class Reorder:
    """Number the parts anew: these from 1 on, the others after them in the order that they have."""

    do: ClassVar = "reorder"
    parts: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_parts(self)


@dataclass(frozen=True)
class Smooth:
    """Average so many frames around each, an odd number, along the optical flow; 0 takes an earlier one back."""

    do: ClassVar = "smooth"
    window: int

    def __post_init__(self) -> None:
        if not (self.window == 0 or (self.window % 2 == 1 and 0 < self.window <= _LARGEST_WINDOW)):
            raise SettingsError(f"{told(self)}: give an odd number of frames up to {_LARGEST_WINDOW}, or 0")


@dataclass(frozen=True)
class Split:
    """Divide a part into the parts that the part model's tree divides it into."""

    do: ClassVar = "split"
    part: int
    into: int

    def __post_init__(self) -> None:
        if self.into < 2:
            raise SettingsError(f"{told(self)}: divide it into 2 parts or more")


Edit = Union[Rename, Merge, Drop, Recolor, Reorder, Smooth, Split]  # noqa: UP007 - Python 3.10 calls it
_KINDS: Mapping[str, type[Any]] = {kind.do: kind for kind in (Rename, Merge, Drop, Recolor, Reorder, Smooth, Split)}


@dataclass(frozen=True)
class Edition:
    """What the labels of a run mean after some edits."""

    parts: tuple[Part, ...]  # that are shown, by number
    levels: tuple[int, ...]  # of the tree: the run's own, then each finer one that a split has led to
    numbers: tuple[int, ...]  # (levels[-1] + 1,): the part that a label of the finest level belongs to; 0: none
    window: int = 0  # frames that are averaged; 0: none

    @classmethod
    def of(
        cls, parts: Sequence[Part], hidden: frozenset[int] = frozenset(), within: Sequence[int] | None = None
    ) -> Edition:
        """What a run has found, before any edit.

        Args:
            parts: all of them, hidden ones too.
            hidden: their numbers.
            within: for each label that the run has written, from 1 on, the part that it belongs to, where the run has
                written finer parts than those; None: they are the parts.
        """
        shown = tuple(part for part in parts if part.number not in hidden)
        within = range(1, len(parts) + 1) if within is None else within
        return cls(shown, (len(within),), (0, *(0 if k in hidden else k for k in within)))

    def after(self, edits: Sequence[Edit], coarser: Coarser) -> Edition:
        """What they mean after some more edits.

        Raises:
            SettingsError: one of them cannot be done; it is named with its reason.
        """
        edition = self
        for edit in edits:
            edition = edition._after(edit, coarser)
        return edition

    def number_of(self, name: str) -> int:
        """The number of a part, of its name or its number in digits.

        Raises:
            SettingsError: there is no such part.
        """
        for part in self.parts:
            if name == part.name or name.lstrip("0") == str(part.number):
                return part.number
        raise SettingsError(f"there is no part {name}; there are {self._listed()}")

    def labels(self, labels: Pixels) -> Pixels:
        """The parts' numbers for labels of the finest level, of any shape.

        Raises:
            SettingsError: a label is of no part that the run has found.
        """
        if labels.size and (highest := int(labels.max())) >= len(self.numbers):
            raise SettingsError(f"the masks hold part {highest} of {len(self.numbers) - 1}: run videoparts masks again")
        return np.array(self.numbers, dtype=np.uint8)[labels]

    def _after(self, edit: Edit, coarser: Coarser) -> Edition:
        if isinstance(edit, Rename):
            return self._with(replace(self._part(edit.part, edit), name=edit.name), edit)
        if isinstance(edit, Recolor):
            return self._with(replace(self._part(edit.part, edit), colour=read_colour(edit.colour)), edit)
        if isinstance(edit, Merge):
            return self._merged(edit)
        if isinstance(edit, Drop):
            gone = {self._part(number, edit).number for number in edit.parts}
            left = tuple(part for part in self.parts if part.number not in gone)
            if not left:
                raise SettingsError(f"{told(edit)}: leaves no part")
            return replace(self, parts=left, numbers=tuple(0 if k in gone else k for k in self.numbers))
        if isinstance(edit, Reorder):
            first = [self._part(number, edit) for number in edit.parts]
            ordered = [*first, *(part for part in self.parts if part not in first)]
            return self._renumbered({part.number: k for k, part in enumerate(ordered, start=1)})
        if isinstance(edit, Smooth):
            return replace(self, window=edit.window)
        return self._divided(edit, coarser)

    def _merged(self, edit: Merge) -> Edition:
        members = [self._part(number, edit) for number in edit.parts]
        first, others = members[0], {part.number for part in members[1:]}
        kept = tuple(part for part in self.parts if part.number not in others)
        numbers = tuple(first.number if k in others else k for k in self.numbers)
        return replace(self, parts=kept, numbers=numbers)._with(replace(first, name=edit.name or first.name), edit)

    def _divided(self, edit: Split, coarser: Coarser) -> Edition:
        part = self._part(edit.part, edit)
        level, numbers, piece = self._pieces(edit, part.number, coarser)
        taken = {one.number for one in self.parts}
        free = [k for k in (*range(max(taken) + 1, 256), *range(1, 256)) if k not in taken][: edit.into - 1]
        names = {one.name for one in self.parts}
        parts = list(self.parts)
        number_of_piece = dict(zip(sorted(set(piece.values())), (part.number, *free), strict=True))
        for label, one in piece.items():
            numbers[label] = number_of_piece[one]
        for number in free:
            name = _free_name(f"{part.name}-{number}", names)
            names.add(name)
            parts.append(Part(number, name, part_colour((number - 1) % MAX_PARTS + 1)))
        parts.sort(key=lambda one: one.number)
        levels = self.levels if level == self.levels[-1] else (*self.levels, level)
        return replace(self, parts=tuple(parts), levels=levels, numbers=tuple(numbers))

    def _pieces(self, edit: Split, number: int, coarser: Coarser) -> tuple[int, list[int], dict[int, int]]:
        """The level of the tree at which a part is in so many pieces, what its labels mean before the split, and which
        of the part's labels are of which piece."""
        finest = self.levels[-1]
        mine = [label for label, owner in enumerate(self.numbers) if owner == number]
        for cut in range(1, finest + 1):  # each level divides one node: the pieces become one more at most
            of_label = coarser(finest, cut)
            piece = {label: of_label[label - 1] for label in mine}
            if len(set(piece.values())) == edit.into:
                return finest, list(self.numbers), piece
        level, most = finest, len(mine)
        while most < edit.into:
            level += 1
            try:
                numbers = [0, *(self.numbers[k] for k in coarser(level, finest))]
            except SettingsError:
                raise SettingsError(
                    f"{told(edit)}: the part model "
                    + (f"tells {most} parts of it; divide it into {most} or fewer" if most > 1 else "cannot divide it")
                ) from None
            mine = [label for label, owner in enumerate(numbers) if owner == number]
            most = len(mine)
        return level, numbers, {label: label for label in mine}

    def _renumbered(self, new: Mapping[int, int]) -> Edition:
        parts = sorted((replace(part, number=new[part.number]) for part in self.parts), key=lambda one: one.number)
        return replace(self, parts=tuple(parts), numbers=tuple(new.get(k, 0) for k in self.numbers))

    def _with(self, changed: Part, edit: Edit) -> Edition:
        """With another look of the part of that number."""
        if any(part.name == changed.name for part in self.parts if part.number != changed.number):
            raise SettingsError(f"{told(edit)}: another part is called {changed.name}; choose another name")
        return replace(self, parts=tuple(changed if p.number == changed.number else p for p in self.parts))

    def _part(self, number: int, edit: Edit) -> Part:
        for part in self.parts:
            if part.number == number:
                return part
        raise SettingsError(f"{told(edit)}: there is no part {number}; there are {self._listed()}")

    def _listed(self) -> str:
        return ", ".join(f"{p.number}" if p.name == f"part{p.number}" else f"{p.number} ({p.name})" for p in self.parts)


def told(edit: Edit) -> str:
    """An edit in words, as in ``merge 2,5=body``."""
    if isinstance(edit, Rename):
        return f"rename {edit.part}={edit.name}"
    if isinstance(edit, Recolor):
        return f"recolor {edit.part}={edit.colour}"
    if isinstance(edit, Smooth):
        return f"smooth {edit.window}"
    if isinstance(edit, Split):
        return f"split {edit.part} into {edit.into}"
    numbers = ",".join(map(str, edit.parts))
    return f"{edit.do} {numbers}" + (f"={edit.name}" if isinstance(edit, Merge) and edit.name else "")


def save_edits(path: Path, edits: Sequence[Edit], part_model: str | None = None) -> None:
    """Write edits as JSON, one a line.

    Args:
        path: of the file.
        edits: in the order in which they are applied.
        part_model: fingerprint of the part model whose parts they are about.
    """
    lines = [json.dumps(json_of(edit), ensure_ascii=False) for edit in edits]
    head = f'{{"format": {json.dumps(_FORMAT)}, "part_model": {json.dumps(part_model)}, "edits": ['
    with atomic_file(path) as temporary:
        temporary.write_text(head + "".join(f"\n {line}," for line in lines).rstrip(",") + "\n]}\n", encoding="utf-8")


def load_edits(path: Path) -> tuple[list[Edit], str | None]:
    """Read what `save_edits` or the viewer's page wrote: the edits, and the part model's fingerprint where it is told.

    Raises:
        SettingsError: there is no such file, or it holds something else; the first wrong edit is named.
    """
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; give one that the page or videoparts edit saved") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read as JSON ({error}); save it again, or remove it") from None
    about = about if isinstance(about, dict) else {}
    edits, part_model = about.get("edits"), about.get("part_model")
    if about.get("format") != _FORMAT or not isinstance(edits, list) or not isinstance(part_model, str | None):
        raise SettingsError(f"{path}: this is no file of edits ({_FORMAT}); save it again from the page, or remove it")
    try:
        return [edit_of(one) for one in edits], part_model
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def json_of(edit: Edit) -> dict[str, Any]:
    """An edit as JSON has it; `edit_of` reads it."""
    return {"do": edit.do, **asdict(edit)}


def edit_of(given: object) -> Edit:
    """One edit from what JSON gave.

    Raises:
        SettingsError: it is none.
    """
    fields = dict(given) if isinstance(given, dict) else {}
    do = fields.pop("do", None)
    kind = _KINDS.get(do) if isinstance(do, str) else None
    try:
        if kind is None:
            raise ValueError(f"do is one of {', '.join(_KINDS)}")
        edit: Edit = object_of(kind, fields)
    except (ValueError, SettingsError) as error:
        raise SettingsError(f"no edit: {shown(given)} ({error})") from None
    return edit


def _check_name(name: str) -> None:
    """As strict as the page: each name can be told from a number, and stand in a list with commas."""
    if name.strip() != name or not name or not name.isprintable() or "," in name or name.isdecimal():
        raise SettingsError(f"name cannot be {shown(name)}; give a line of text that is no number and has no comma")


def _check_parts(edit: Merge | Drop | Reorder) -> None:
    if not edit.parts:
        raise SettingsError(f"{edit.do}: parts cannot be none; name one")
    if len(set(edit.parts)) < len(edit.parts):
        raise SettingsError(f"{told(edit)}: a part is named twice")


def read_colour(text: str) -> tuple[int, int, int]:
    """Red, green and blue of ``#3fa7d6``.

    Raises:
        SettingsError: it is no such colour.
    """
    digits = text.removeprefix("#")
    if len(digits) != 6 or any(one not in "0123456789abcdefABCDEF" for one in digits):
        raise SettingsError(f"{text!r} is no colour; write it as #3fa7d6")
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    return name

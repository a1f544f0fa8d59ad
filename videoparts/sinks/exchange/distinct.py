"""Names and colours that differ, for formats that tell the parts apart by them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import count
from pathlib import Path

from ...masks import Part

Colour = tuple[int, int, int]


def distinct_names(
    names: Sequence[str], key: Callable[[str], Hashable] = str, taken: Iterable[Hashable] = ()
) -> list[str]:
    """The names, where a later one that is like an earlier one gets a number.

    Args:
        names: as they are wished.
        key: two names are alike when this is the same.
        taken: what no name may be like: keys.

    >>> distinct_names(["leg", "head", "leg", "leg"])
    ['leg', 'head', 'leg 2', 'leg 3']
    """
    used = {*taken}
    wished = {key(name) for name in names}
    out = []
    for name in names:
        new = name
        numbers = count(2)
        while key(new) in used or (new != name and key(new) in wished):
            new = f"{name} {next(numbers)}"
        used.add(key(new))
        out.append(new)
    return out


def renamed(path: Path, parts: Sequence[Part], names: Sequence[str]) -> tuple[str, ...]:
    """A line for the user for each part that has another name in the file ``path``."""
    return tuple(
        f"{path}: part {part.number}, {part.name!r}, is called {name!r} there"
        for part, name in zip(parts, names, strict=True)
        if name != part.name
    )


def distinct_colours(colours: Sequence[Colour], taken: Iterable[Colour] = ((0, 0, 0),)) -> list[Colour]:
    """The colours (up to 255), where a later one that an earlier one has too gets a little more or less blue.

    >>> distinct_colours([(9, 9, 9), (9, 9, 9), (9, 9, 10), (0, 0, 0)])
    [(9, 9, 9), (9, 9, 8), (9, 9, 10), (0, 0, 1)]
    """
    used = {*taken}
    wished = {*colours}
    out = []
    for colour in colours:
        red, green, blue = new = colour
        if new in used:
            near = sorted(range(256), key=lambda value: abs(value - blue))
            new = next((red, green, b) for b in near if (red, green, b) not in used | wished)
        used.add(new)
        out.append(new)
    return out

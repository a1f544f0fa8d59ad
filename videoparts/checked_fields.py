"""Checks that the fields of a dataclass hold what their annotations say, for values that come from Python: what comes
from the command line was read by the same annotations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cache
from numbers import Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .errors import SettingsError

# What is taken for each type, and its name for people. A float's may be whole.
_KINDS: dict[type, tuple[type, str]] = {
    bool: (bool, "True or False"),
    int: (int, "a whole number"),
    float: (Real, "a number"),
    str: (str, "text"),
    Path: (Path, "a Path"),
    NoneType: (NoneType, "None"),
}


def stated(default: Any, words: str, *others: type) -> Any:
    """A field with that default, of which an error says that it must be ``words``; types beside its own that it takes.

    It looks to a type checker, and to what makes options of fields, as ``default`` alone would.
    """
    return field(default=default, metadata={"words": words, "others": others})


def check_fields(settings: object) -> None:
    """Check each field of a frozen dataclass, from its ``__post_init__``. NumPy's scalars become Python's.

    Raises:
        SettingsError: a value is not of its field's type, or none of its choices; says what is possible.
    """
    kind: Any = type(settings)  # mypy doubts that a type can be a key
    for rule in _rules(kind):
        given = getattr(settings, rule.name)
        # A number of NumPy, or a tensor of one, is as good as Python's here, but no JSON could hold it.
        value = given.item() if getattr(given, "shape", None) == () else given
        if not rule.takes(value):
            shown = " ".join(repr(given).split())  # an array's has several lines
            raise SettingsError(f"--{rule.name.replace('_', '-')} must be {rule.words}, got {shown}")
        if value is not given:
            object.__setattr__(settings, rule.name, value)


@dataclass(frozen=True)
class _Rule:
    """What a field takes."""

    name: str
    choices: tuple[object, ...]
    types: tuple[type, ...]
    words: str

    def takes(self, value: object) -> bool:
        if isinstance(value, bool):  # which Python counts among the whole numbers
            return bool in self.types
        if isinstance(value, self.types):
            return not isinstance(value, float) or math.isfinite(value)  # JSON has neither NaN nor infinity
        return isinstance(value, str) and value in self.choices


@cache
def _rules(kind: type) -> tuple[_Rule, ...]:
    hints = get_type_hints(kind)
    rules = []
    for one in fields(kind):
        choices: list[str] = []
        types: list[type] = []
        for hint in _alternatives(hints[one.name]):
            if get_origin(hint) is Literal:
                choices += get_args(hint)
            else:
                types.append(hint)
        *most, last = [*choices, *(_KINDS[each][1] for each in types)]
        words = f"{', '.join(most)} or {last}" if most else last
        taken = (*(_KINDS[each][0] for each in types), *one.metadata.get("others", ()))
        rules.append(_Rule(one.name, tuple(choices), taken, one.metadata.get("words", words)))
    return tuple(rules)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)

"""Dataclasses from what JSON gave: of just their fields, and each of just its type."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_LONGEST = 60  # characters of a value that a message shows


def object_of(kind: type[T], given: object) -> T:
    """A dataclass whose fields are numbers, strings, booleans, None, or tuples of one of those.

    Args:
        kind: the dataclass.
        given: what JSON gave for it, or will give.

    Raises:
        ValueError: it is no object, a field is missing, unknown, or of another type; the message says which. What the
            dataclass itself raises is passed on.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{shown(given)} is no object")
    hints = _hints(kind)
    if unknown := sorted(given.keys() - hints.keys()):
        raise ValueError(f"{unknown[0]} is unknown")
    if missing := [name for name in _required(kind) if name not in given]:
        raise ValueError(f"{missing[0]} is missing")
    for name, value in given.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{name} cannot be {shown(value)}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def shown(value: object) -> str:
    """A value as JSON has it, for a message: not more of it than tells which one is meant."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "what is nested so deeply"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _hints(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _required(kind: type[Any]) -> list[str]:
    return [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type; True is no number."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, (list, tuple)) and all(_fits(one, inner[0]) for one in value)
    return type(value) is hint or (hint is float and type(value) is int)

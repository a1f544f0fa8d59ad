"""What help says, read off docstrings.

tyro reads those of attributes by itself, but breaks lines where the source does. What a field's metadata says under
``help`` it takes as it is.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any, get_type_hints


def summary(kind: type[Any]) -> str:
    """The first paragraph of a class's docstring, on one line."""
    return _unbroken((kind.__doc__ or "").partition("\n\n")[0])


def describe(kind: type[Any]) -> None:
    """Put the docstrings of a dataclass's attributes, and of theirs, into the metadata of the fields."""
    from docstring_parser import parse_from_object

    said: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        said |= {one.arg_name: one.description for one in parse_from_object(base).params if one.description}
    types = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in said:
            field.metadata = MappingProxyType({**field.metadata, "help": _unbroken(said[field.name])})
        if isinstance(types[field.name], type) and dataclasses.is_dataclass(types[field.name]):
            describe(types[field.name])


def _unbroken(text: str) -> str:
    """Text without line breaks but those between its paragraphs."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))

"""What help says, read off docstrings and types.

tyro reads the docstrings of attributes by itself, but breaks lines where the source does, and those of a command not at
all. What a field's metadata says under ``help`` it takes as it is. Of an option that may be left out it would say that
it takes ``{None}`` too and is ``None`` by default.
"""

from __future__ import annotations

import dataclasses
import shutil
import textwrap
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import tyro

_UNSET = ("None", "none", "")  # what tyro says of a default that is none
_POSITIONAL = get_args(tyro.conf.Positional[int])[1]  # how tyro marks a type


def summary(kind: type[Any]) -> str:
    """The first paragraph of a class's docstring, on one line."""
    return _unbroken((kind.__doc__ or "").partition("\n\n")[0])


def whole(kind: type[Any]) -> str:
    """A class's docstring, with lines as long as the terminal has room for.

    All but the first of a paragraph are indented: tyro would join lines that begin with a letter.
    """
    columns = shutil.get_terminal_size().columns
    paragraphs = _unbroken(kind.__doc__ or "").split("\n\n")
    return "\n\n".join(
        textwrap.fill(one, columns, subsequent_indent="  ", break_on_hyphens=False) for one in paragraphs
    )


def describe(kind: type[Any]) -> None:
    """Put what help says of a dataclass's attributes, and of theirs, into its fields and annotations."""
    from docstring_parser import parse_from_object

    said: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        said |= {one.arg_name: one.description for one in parse_from_object(base).params if one.description}
    types = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        if field.name in said:
            field.metadata = MappingProxyType({**field.metadata, "help": _unbroken(said[field.name])})
        if isinstance(types[field.name], type) and dataclasses.is_dataclass(types[field.name]):
            describe(types[field.name])
        elif (shown := _shown(types[field.name], field)) is not None:
            kind.__annotations__[field.name] = Annotated[types[field.name], shown]


def _shown(hint: Any, field: dataclasses.Field[Any]) -> object | None:
    """How tyro is to show an argument of a type; None: as it does by itself."""
    plain, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if is_required(field):
        # One or more: by itself, tyro says that there may be none.
        several = get_origin(plain) is tuple and _POSITIONAL in marks
        return tyro.conf.arg(metavar="PATH ...", help_behavior_hint="(required)") if several else None
    some = [one for one in get_args(plain) if one is not NoneType] if isinstance(plain, UnionType) else []
    name = some[0].__name__.upper() if len(some) == 1 and isinstance(some[0], type) else None
    return tyro.conf.arg(metavar=name, help_behavior_hint=_default)


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(said: str) -> str:
    return "" if said in _UNSET else f"(default: {said})"


def _unbroken(text: str) -> str:
    """Text without line breaks but those between its paragraphs."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))

"""A batch's inputs and options in a TOML file, as arguments of the command line.

::

    inputs = ["footage", "more/*.mp4"]
    output = "out"
    formats = ["davis", "mattes"]
    shared-parts = true

    [fit]
    parts = 8
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from videoparts.errors import SettingsError, SourceError

from .inputs import LIST

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_INPUTS = "inputs"
_PATHS = ("output", "weights", "model-file", "save-model")
_TABLES = ("source", "extractor", "compute", "fit", "refine", "batch")
_OPTION = re.compile(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*")


def arguments_of(path: Path) -> list[str]:
    """The arguments of ``videoparts batch`` that a file stands for: the inputs, then the options.

    A key is a long option without its dashes; ``_`` is as good as ``-``. true and false are ``--key`` and ``--no-key``,
    the elements of a list are joined by commas. A table only groups. Paths are relative to the file's folder, and ``~``
    is the home folder. Whether there is such an option, and whether the value is right, the command line tells.

    Raises:
        SourceError: the file cannot be read.
        SettingsError: it is no TOML, or something in it is nothing that an argument can say.
    """
    folder = path.absolute().parent
    inputs: list[str] = []
    options: dict[str, str] = {}
    for key, value in _flat(_read(path), path):
        name = key.replace("_", "-")
        if not _OPTION.fullmatch(key) or name == "help":
            raise SettingsError(f"{path}: {key!r} is no option of a batch; see videoparts batch --help")
        if name in options or (name == _INPUTS and inputs):
            raise SettingsError(f"{path}: {name} is given twice; keep one of them")
        if name == _INPUTS:
            inputs = [_located(one, folder, name, path) for one in (value if isinstance(value, list) else [value])]
        elif name in _PATHS:
            options[name] = f"--{name}={_located(value, folder, name, path)}"
        elif isinstance(value, bool):
            options[name] = f"--{name}" if value else f"--no-{name}"
        else:
            # With = a value may begin with a dash.
            options[name] = f"--{name}={_text(value, name, path)}"
    return [*inputs, *options.values()]


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SourceError(f"{path}: {(error.strerror or str(error)).lower()}; give a file that can be read") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not TOML: line {_line(error)} is not UTF-8; save it as UTF-8") from error
    except (RecursionError, ValueError) as error:  # thousands of brackets, of digits
        raise SettingsError(f"{path}: too deep or too long for TOML that is meant to be read") from error
    return content


def _line(error: UnicodeDecodeError) -> int:
    return error.object[: error.start].count(b"\n") + 1


def _flat(content: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """Its keys and values, those of tables too."""
    for key, value in content.items():
        if not isinstance(value, dict):
            yield key, value
        elif key in _TABLES:
            yield from value.items()
        else:
            raise SettingsError(f"{path}: {key!r} is no table of a batch; they are {', '.join(_TABLES)}")


def _located(value: object, folder: Path, name: str, path: Path) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{path}: {name} must be a path in quotes, got {_shown(value)}")
    if value == LIST and name == _INPUTS:
        raise SettingsError(f"{path}: {name}: a list on standard input is for the command line: videoparts batch -")
    # No Path: it would drop the / at the end, which means folders only in a pattern.
    return os.path.join(folder, os.path.expanduser(value))  # noqa: PTH111, PTH118


def _text(value: object, name: str, path: Path) -> str:
    if isinstance(value, list):
        return ",".join(_word(one, name, path) for one in value)
    return _word(value, name, path)


def _word(value: object, name: str, path: Path) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise SettingsError(f"{path}: {name} must be text, a number, true, false or a list of these, got {_shown(value)}")


def _shown(value: object) -> str:
    text = str(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."

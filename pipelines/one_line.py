"""What tyro says of a command line that cannot be read, in a frame of many lines, as one line that says what to do."""

from __future__ import annotations

import re

# Lines that are no text; where a terminal knows no others, they are of hyphens, and there is no frame.
_RULES = re.compile(r"^(?:[╭╰].*|[ │]*[─-]{8,}[ │]*)$", re.MULTILINE)
_FRAME = 2  # characters before the text of each line
_ARGUMENT, _HELP = " " * 4, " " * 8  # how far a line is indented that names an argument, and its help text
_TYPES = {"INT": "a whole number", "FLOAT": "a number", "PATH": "a path", "STR": "a text"}


def one_line(box: str) -> str:
    """A message of tyro's without its frame, title, help texts and types, and which help to look at."""
    box = box.replace("{None}|", "")  # that an option may be left out is nothing to give
    _title, *pieces = _RULES.split(box)
    said, hint = [], ""
    for piece in pieces or [box]:
        lines = [line[_FRAME:].rstrip(" │") for line in piece.splitlines()]
        text = " ".join(line for line in lines if not line.startswith(_ARGUMENT))
        named = [line.strip() for line in lines if line.startswith(_ARGUMENT) and not line.startswith(_HELP)]
        text = " ".join(text.split())
        if text.startswith("For full helptext"):
            hint = "; see " + (" ".join(named) or "videoparts" + text.partition(" videoparts")[2])
        elif text and not text.startswith("Argument helptext:"):
            names = [name.partition(", ")[0] for name in named]  # of -o and --output the first
            said.append(_plainly(" ".join([text, ", ".join(names)]).strip()))
    return "; ".join(said) + hint


def _plainly(text: str) -> str:
    for pattern, said in _PLAINLY:
        text = pattern.sub(said, text)
    return text


def _of_types(found: re.Match[str]) -> str:
    """Such as ``no type matching INT|{auto} could be instantiated from ['x']``."""
    kinds = [_TYPES.get(kind, kind.strip("{}").replace(",", ", ")) for kind in found[1].split("|")]
    return f"{found[2]} is not {' or '.join(kinds)}"


def _of_choices(found: re.Match[str]) -> str:
    choices = re.findall(r"'(.*?)'", found[3])
    return f"{found[2]}: {found[1]} is not {', '.join(choices[:-1])} or {choices[-1]}"


# What tyro and Python say, and what a user can do with.
_PLAINLY = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (r"^Missing from (videoparts \S+): ", r"\1 needs "),
        (r"^Missing value for argument '(.*?)'\..*", r"\1 needs a value"),
        (r"^Unrecognized options: ", "cannot make anything of "),
        (r"^Perhaps you meant: ", "perhaps you mean "),
        (r"^Arguments similar to (\S+): ", r"like \1 are "),
        (r"^invalid choice (.*?) for argument '(.*?)'\. Expected one of \((.*)\)\.$", _of_choices),
        (r"^Error parsing (--\S+): ", r"\1: "),
        (r"no type matching (\S+) could be instantiated from \[(.*?)\]\. Got errors: .*", _of_types),
        (r"could not convert string to float: (.*)", r"\1 is no number"),
        (r"invalid literal for int\(\) with base 10: (.*)", r"\1 is no whole number"),
    )
)

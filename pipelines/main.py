"""The command ``videoparts``: reads the command line, runs one command, turns errors into one line.

Exit status: 0 done, 2 something in the input, the options or the output was wrong, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, Any, Union

import tyro

from videoparts.config import ExtractorSettings
from videoparts.errors import VideoPartsError

from .demo import Demo
from .evaluate import Evaluate
from .fit import Fit
from .info import Info
from .masks import Masks
from .options import MaskOptions
from .overlay import Overlay

_INTERRUPTED = 130
_CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff)

Command = Union[  # noqa: UP007 - tyro reads it at run time
    Annotated[Demo, tyro.conf.subcommand("demo")],
    Annotated[Overlay, tyro.conf.subcommand("overlay")],
    Annotated[Masks, tyro.conf.subcommand("masks")],
    Annotated[Fit, tyro.conf.subcommand("fit")],
    Annotated[Evaluate, tyro.conf.subcommand("evaluate")],
    Annotated[Info, tyro.conf.subcommand("info")],
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        parse(arguments or ["--help"]).run()
    except VideoPartsError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("\nvideoparts: stopped; nothing was written", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in: videoparts info | head -1
        sys.stderr.close()
        return 0
    return 0


def parse(arguments: Sequence[str]) -> Demo | Overlay | Masks | Fit | Evaluate | Info:
    """Read a command line.

    With ``--model-file`` the extractor's options come from that model; one that is given and differs is an error.

    Raises:
        VideoPartsError: an option is wrong.
        SystemExit: help was asked for (0), or the command line cannot be read (2, one line is printed).
    """
    command = _read(Command, arguments, "videoparts")
    if not isinstance(command, MaskOptions) or command.model_file is None:
        return command
    from videoparts.parts import PartModel

    made_by = dataclasses.asdict(PartModel.load(command.model_file).identity)
    made_by.pop("fingerprint")
    with_model = dataclasses.replace(command, extractor=ExtractorSettings(**made_by))
    return _read(type(command), arguments[1:], f"videoparts {arguments[0]}", with_model)


def _read(kind: object, arguments: Sequence[str], program: str, default: object = None) -> Any:
    said = io.StringIO()
    extra = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, args=list(arguments), prog=program, config=_CONFIG, **extra)
    except SystemExit as stop:
        if stop.code:
            raise SystemExit(_fail(_one_line(said.getvalue()))) from None
        raise


def _one_line(box: str) -> str:
    """tyro's framed message on one line, without its frame."""
    paragraphs, hint = [], ""
    for paragraph in re.split(r"│ ─+ │|[╭╰][^\n]*", box):
        text = " ".join(paragraph.replace("│", " ").split())
        if text.startswith("For full helptext"):
            hint = "; see " + text.partition(" videoparts")[1].strip() + text.partition(" videoparts")[2]
        elif text:
            paragraphs.append(text)
    return "; ".join(paragraphs) + hint


def _fail(message: str) -> int:
    print(f"videoparts: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def entry() -> None:
    """The console script."""
    # torch reads it when it first allocates: large pages save it so many page faults that a fine grid of patches
    # (stride 7) takes 14 % less time. A library has no business setting it, a command has.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    status = main()
    if status == _INTERRUPTED:
        # A background thread may still be inside native code, which Python cannot end in good order.
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    entry()

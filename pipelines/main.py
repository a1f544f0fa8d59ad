"""The command ``videoparts``: reads the command line, runs one command, turns errors into one line.

Exit status: 0 done, 1 some clips of a batch or pictures of a set have failed, 2 something in the input, the options or
the output was wrong, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Union

import tyro

from videoparts import __version__
from videoparts.errors import SettingsError, VideoPartsError
from videoparts.out_of_memory import out_of_memory
from videoparts.presets import DEFAULT, PRESETS, Preset, PresetName

from .before_torch import settle
from .commands.batch import Batch
from .commands.benchmark import Benchmark
from .commands.correspond import Correspond
from .commands.cosegment import Cosegment
from .commands.demo import Demo
from .commands.edit import Edit
from .commands.effect import EffectCommand
from .commands.evaluate import Evaluate
from .commands.evaluate_points import EvaluatePoints
from .commands.extract import Extract
from .commands.fit import Fit
from .commands.info import Info
from .commands.masks import Masks
from .commands.overlay import Overlay
from .commands.pca import Pca
from .commands.similarity import Similarity
from .commands.status import Status
from .commands.view import View
from .options import MaskOptions, PresetOptions

_INTERRUPTED = 130
_CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff)

Command = Union[  # noqa: UP007 - tyro reads it at run time
    Annotated[Demo, tyro.conf.subcommand("demo")],
    Annotated[Overlay, tyro.conf.subcommand("overlay")],
    Annotated[Masks, tyro.conf.subcommand("masks")],
    Annotated[Batch, tyro.conf.subcommand("batch")],
    Annotated[Status, tyro.conf.subcommand("status")],
    Annotated[Edit, tyro.conf.subcommand("edit")],
    Annotated[EffectCommand, tyro.conf.subcommand("effect")],
    Annotated[View, tyro.conf.subcommand("view")],
    Annotated[Fit, tyro.conf.subcommand("fit")],
    Annotated[Pca, tyro.conf.subcommand("pca")],
    Annotated[Cosegment, tyro.conf.subcommand("cosegment")],
    Annotated[Extract, tyro.conf.subcommand("extract")],
    Annotated[Correspond, tyro.conf.subcommand("correspond")],
    Annotated[Similarity, tyro.conf.subcommand("similarity")],
    Annotated[Evaluate, tyro.conf.subcommand("evaluate")],
    Annotated[EvaluatePoints, tyro.conf.subcommand("evaluate-points")],
    Annotated[Benchmark, tyro.conf.subcommand("benchmark")],
    Annotated[Info, tyro.conf.subcommand("info")],
]

# Commands whose defaults hang on --preset.
OfParts = Union[Overlay, Masks, Batch, Fit, Pca, Cosegment, Extract, Benchmark]  # noqa: UP007 - as above
_OF_PARTS: Mapping[str, type[OfParts]] = {
    "overlay": Overlay,
    "masks": Masks,
    "batch": Batch,
    "fit": Fit,
    "pca": Pca,
    "cosegment": Cosegment,
    "extract": Extract,
    "benchmark": Benchmark,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    command: Command | None = None
    if arguments == ["--version"]:
        print(f"videoparts {__version__}")
        return 0
    try:
        command = parse(arguments or ["--help"])
        command.run()
    except VideoPartsError as error:
        return _fail(str(error), error.status)
    except KeyboardInterrupt as stop:
        print(f"\nvideoparts: {stop.args[0] if stop.args else 'stopped; nothing was written'}", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in: videoparts info | head -1
        sys.stderr.close()
        return 0
    except Exception as error:
        if (memory := out_of_memory(error)) is None:
            raise
        return _fail(f"{memory}; {_less(command)}")
    return 0


def parse(arguments: Sequence[str]) -> Command:
    """Read a command line.

    What it does not say is as in the preset that it names. With ``--model-file`` the extractor's options and the
    number of parts are that model's instead; an option of the extractor that is given and differs is an error.

    Raises:
        VideoPartsError: an option is wrong.
        SystemExit: help was asked for (0), or the command line cannot be read (2, one line is printed).
    """
    if "" in arguments:
        raise SettingsError("an argument is empty, as a shell variable is that was never set; leave it out or fill it")
    if arguments[:1] == ["batch"] and arguments[1:2] and arguments[1].endswith(".toml"):
        from .batches.jobs_file import arguments_of

        arguments = ["batch", *arguments_of(Path(arguments[1])), *arguments[2:]]
    kind = _OF_PARTS.get(arguments[0]) if arguments else None
    if kind is None:
        read: Command = _read(Command, arguments, "videoparts")
        return read
    preset = PRESETS[_preset_of(arguments[1:])]
    if kind is Cosegment:
        preset = Cosegment.adapted(preset)
    command = _read_with(preset, kind, arguments)
    if isinstance(command, MaskOptions) and command.model_file is not None:
        return _read_with(_made_by(command.model_file, preset), kind, arguments)
    if command.extractor.model != preset.extractor.model:
        return _read_with(preset.with_model(command.extractor.model), kind, arguments)
    return command


def _preset_of(arguments: Sequence[str]) -> PresetName:
    """The preset that is named, before all else is read. What is wrong with it, reading all will say."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(PresetOptions, args=list(arguments), return_unknown_args=True, add_help=False)[0].preset
    except SystemExit:
        return DEFAULT


def _made_by(model_file: Path, preset: Preset) -> Preset:
    """The preset, with what a part model decides instead."""
    from videoparts.parts.model import PartModel

    model = PartModel.load(model_file)
    fit = dataclasses.replace(preset.fit, parts=len(model))
    return dataclasses.replace(preset, extractor=model.identity.settings(), fit=fit)


def _read_with(preset: Preset, kind: type[OfParts], arguments: Sequence[str]) -> OfParts:
    """Read the command line of a command, where a preset gives the defaults."""
    settings = {f.name: getattr(preset, f.name) for f in dataclasses.fields(kind) if hasattr(preset, f.name)}
    required = {f.name: tyro.MISSING for f in dataclasses.fields(kind) if _is_required(f)}
    defaults = kind(**settings, **required)
    command: OfParts = _read(kind, arguments[1:], f"videoparts {arguments[0]}", defaults)
    return command


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _read(kind: Any, arguments: Sequence[str], program: str, default: object = None) -> Any:
    said = io.StringIO()
    extra: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, args=list(arguments), prog=program, config=_CONFIG, **extra)
    except SystemExit as stop:
        if stop.code:
            raise SystemExit(_fail(_one_line(said.getvalue()) + _of_dashes(arguments))) from None
        raise


def _of_dashes(arguments: Sequence[str]) -> str:
    """What to do about a file whose name looks like an option; nothing, where there is none."""
    named = next((one for one in arguments if one.startswith("-") and Path(one).exists()), None)
    return "" if named is None else f"; if you mean the file, write ./{named}"


def _one_line(box: str) -> str:
    """tyro's framed message on one line, without its frame, title, help texts and types."""
    _title, *pieces = _RULES.split(box)
    paragraphs, hint = [], ""
    for piece in pieces or [box]:
        text = " ".join(piece.replace("│", " ").split())
        if text.startswith("For full helptext"):
            hint = "; see " + text.partition(" videoparts")[1].strip() + text.partition(" videoparts")[2]
        elif text and not text.startswith("Argument helptext:"):
            for said, plainly in _PLAINLY:
                text = re.sub(said, plainly, text)
            paragraphs.append(text)
    return "; ".join(paragraphs) + hint


# Lines that are no text; where a terminal knows no others, they are of hyphens, and there is no frame.
_RULES = re.compile(r"^(?:[╭╰].*|[ │]*[─-]{8,}[ │]*)$", re.MULTILINE)
# What tyro and Python say of a value that cannot be read, and what a user can do with.
_PLAINLY = (
    (r"^Error parsing (--\S+): ", r"\1: "),
    (r"no type matching (\S+) could be instantiated from \[(.*?)\]\. Got errors: .*", r"\2 is not \1"),
    (r"could not convert string to float: (.*)", r"\1 is no number"),
    (r"invalid literal for int\(\) with base 10: (.*)", r"\1 is no whole number"),
)


def _less(command: Command | None) -> str:
    """What to do where memory runs out."""
    return "take a smaller --batch-size or --load-size" if hasattr(command, "extractor") else "end other programs"


def _fail(message: str, status: int = 2) -> int:
    print(f"videoparts: {' '.join(message.split())}", file=sys.stderr)
    return status


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def entry() -> None:
    """The console script."""
    settle()
    status = main()
    if status == _INTERRUPTED:
        # A background thread may still be inside native code, which Python cannot end in good order.
        sys.stderr.flush()
        os._exit(status)
    gc.freeze()  # else Python looks for garbage in all that there is, torch included, and that takes a second
    sys.exit(status)


if __name__ == "__main__":
    entry()

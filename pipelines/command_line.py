"""Reads the command line: which command, with which options."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, Union

import tyro

from videoparts.errors import SettingsError
from videoparts.presets import DEFAULT, PRESETS, Preset, PresetName

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
from .help_texts import describe, is_required, summary, whole
from .one_line import one_line
from .options import ExtractorOptions, MaskOptions, PresetOptions

_CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff)


class Command(Protocol):
    """What all commands are."""

    def run(self) -> None:
        """Run the command."""
        ...


COMMANDS: Mapping[str, type[Any]] = {
    "demo": Demo,
    "overlay": Overlay,
    "masks": Masks,
    "batch": Batch,
    "status": Status,
    "edit": Edit,
    "effect": EffectCommand,
    "view": View,
    "fit": Fit,
    "pca": Pca,
    "cosegment": Cosegment,
    "extract": Extract,
    "correspond": Correspond,
    "similarity": Similarity,
    "evaluate": Evaluate,
    "evaluate-points": EvaluatePoints,
    "benchmark": Benchmark,
    "info": Info,
}
"""Each a `Command`, in the order in which help shows them."""


def parse(arguments: Sequence[str]) -> Command:
    """Read a command line.

    What it does not say is as in the preset that it names. With ``--model-file`` the extractor's options and the
    number of parts are that model's instead; an option of the extractor that is given and differs is an error.

    Raises:
        VideoPartsError: an option is wrong, or the command line cannot be read.
        SystemExit: help was asked for, and was printed.
    """
    if "" in arguments:
        raise SettingsError("an argument is empty, as a shell variable is that was never set; leave it out or fill it")
    if arguments[:1] == ["batch"] and arguments[1:2] and arguments[1].endswith(".toml"):
        from .batches.jobs_file import arguments_of

        arguments = ["batch", *arguments_of(Path(arguments[1])), *arguments[2:]]
    elif arguments[:1] == ["batch"] and (jobs := next(filter(_is_jobs_file, arguments[2:]), None)) is not None:
        raise SettingsError(f"{jobs}: a jobs file comes first, as in videoparts batch {jobs} --dry-run")
    kind = COMMANDS.get(arguments[0]) if arguments else None
    if kind is None:
        return _of_all(arguments)
    if not issubclass(kind, ExtractorOptions):
        plain: Command = _read(kind, arguments[1:], f"videoparts {arguments[0]}")
        return plain
    preset = PRESETS[_preset_of(arguments[1:])]
    if kind is Cosegment:
        preset = Cosegment.adapted(preset)
    options = _read_with(preset, kind, arguments)
    if isinstance(options, MaskOptions) and options.model_file is not None:
        options = _read_with(_made_by(options.model_file, preset), kind, arguments)
    elif options.extractor.model != preset.extractor.model:
        options = _read_with(preset.with_model(options.extractor.model), kind, arguments)
    command: Command = options
    return command


def _is_jobs_file(argument: str) -> bool:
    return argument.endswith(".toml") and Path(argument).is_file()


def _of_all(arguments: Sequence[str]) -> Command:
    """Where no command is named that there is: help with a line or two for each, or an error."""
    name = next(iter(arguments), "")
    if not name.startswith("-"):
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        raise SettingsError(f"{name!r} is no command{f', but {near[0]} is' if near else ''}; see videoparts --help")
    each = [Annotated[kind, tyro.conf.subcommand(name, description=summary(kind))] for name, kind in COMMANDS.items()]
    about = "videoparts COMMAND --help says all of a command; videoparts --version, which version this is."
    all_of_them: Any = Union[tuple(each)]  # noqa: UP007 - made at run time
    command: Command = _read(all_of_them, arguments, "videoparts", description=about)
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


def _read_with(preset: Preset, kind: type[Any], arguments: Sequence[str]) -> Any:
    """Read the command line of a command, where a preset gives the defaults."""
    settings = {f.name: getattr(preset, f.name) for f in dataclasses.fields(kind) if hasattr(preset, f.name)}
    required = {f.name: tyro.MISSING for f in dataclasses.fields(kind) if is_required(f)}
    defaults = kind(**settings, **required)
    return _read(kind, arguments[1:], f"videoparts {arguments[0]}", defaults)


def _read(
    kind: Any, arguments: Sequence[str], program: str, default: object = None, description: str | None = None
) -> Any:
    if not {"-h", "--help"}.isdisjoint(arguments) and isinstance(kind, type):
        describe(kind)
        description = whole(kind)
    said = io.StringIO()
    extra: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, args=list(arguments), prog=program, description=description, config=_CONFIG, **extra)
    except SystemExit as stop:
        if stop.code:
            raise SettingsError(one_line(said.getvalue()) + _of_dashes(arguments)) from None
        raise


def _of_dashes(arguments: Sequence[str]) -> str:
    """What to do about a file whose name looks like an option; nothing, where there is none."""
    named = next((one for one in arguments if one.startswith("-") and Path(one).exists()), None)
    return "" if named is None else f"; if you mean the file, write ./{named}"

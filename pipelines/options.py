"""Options that several commands share. Their defaults and help texts are `videoparts.config`'s."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from videoparts.config import (
    MOST_PARTS,
    ComputeSettings,
    ExtractorSettings,
    FitSettings,
    RefineSettings,
    SourceSettings,
)
from videoparts.errors import SettingsError
from videoparts.presets import DEFAULT, PRESETS, Preset, PresetName

from .no_effect import refuse_idle_refinement

T = TypeVar("T")

Output = Annotated[T, tyro.conf.arg(aliases=["-o"])]
Quiet = Annotated[bool, tyro.conf.arg(aliases=["-q"])]


def _read_numbers(given: list[str]) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in given[0].split(","))
    except ValueError:
        raise ValueError(f"{given[0]!r} is no list of numbers, as in 1,3") from None


# Numbers with commas between them, as in 1,3.
Numbers = Annotated[
    tuple[int, ...],
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="N,N,...",
        instance_from_str=_read_numbers,
        is_instance=lambda value: isinstance(value, tuple) and all(isinstance(number, int) for number in value),
        str_from_instance=lambda numbers: [",".join(map(str, numbers)) or "none"],
    ),
]


def _read_names(given: list[str]) -> tuple[str, ...]:
    return tuple(name for name in given[0].split(",") if name)


# Words with commas between them, as in davis,prores.
Names = Annotated[
    tuple[str, ...],
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME,NAME,...",
        instance_from_str=_read_names,
        is_instance=lambda value: isinstance(value, tuple) and all(isinstance(name, str) for name in value),
        str_from_instance=lambda names: [",".join(names) or "none"],
    ),
]


@dataclass(frozen=True)
class PresetOptions:
    """Which defaults the other options have."""

    preset: PresetName = DEFAULT
    """Defaults of how finely frames are seen and, where parts are found, of what they are learned from, and of how many
    frames are averaged. fast: a smaller picture, and the ViT sees every seventh frame; best: a finer one, slower.
    Whatever else is given beats them."""


@dataclass(frozen=True)
class ExtractorOptions(PresetOptions):
    """What is read and what describes it: what every command that needs descriptors takes."""

    source: SourceSettings = field(default_factory=SourceSettings)
    extractor: ExtractorSettings = field(default_factory=ExtractorSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)


@dataclass(frozen=True)
class PartOptions(ExtractorOptions):
    """How parts are found: what every command that needs a part model takes."""

    fit: FitSettings = field(default_factory=FitSettings)
    of_vote: ClassVar[tuple[str, ...]] = ("threshold", "votes", "elbow")  # options that mean nothing without it

    def __post_init__(self) -> None:
        changed = [name for name in self.of_vote if getattr(self.fit, name) != getattr(FitSettings(), name)]
        if changed and self.fit.foreground != "vote":
            raise SettingsError(f"--{changed[0]} is of --foreground vote: add that, or leave it out")
        if self.fit.foreground == "vote" and self.fit.afar != self.usual().fit.afar:
            given = "--afar" if self.fit.afar else "--no-afar"
            raise SettingsError(f"{given} is of --foreground probe, and vote never looks from afar: leave it out")

    def usual(self) -> Preset:
        """What its options are if nothing but the preset is given."""
        return PRESETS[self.preset]


@dataclass(frozen=True)
class MaskOptions(PartOptions):
    """How every frame is labelled, too."""

    refine: RefineSettings = field(default_factory=RefineSettings)
    include: Numbers = ()
    """Show these parts only, by number, as in 1,3. They keep their numbers and colours."""
    exclude: Numbers = ()
    """Take these parts for background, by number, as in 2."""
    model_file: Path | None = None
    """Use the parts of this model (.safetensors): the same parts, the same colours. With --parts it is cut into more
    or fewer, without another fit."""
    save_model: Path | None = None
    """Keep the part model in this file (.safetensors)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.include and self.exclude:
            raise SettingsError("give --include or --exclude, not both")
        for option, numbers in (("--include", self.include), ("--exclude", self.exclude)):
            if any(number < 1 for number in numbers):
                raise SettingsError(f"{option}: parts have numbers from 1, got {min(numbers)}")
        refuse_idle_refinement(self.refine, self.usual().refine)
        if self.model_file is None:
            return
        usual = replace(self.usual().fit, parts=self.fit.parts)  # a model can be cut into more or fewer
        for one in fields(FitSettings):
            if getattr(self.fit, one.name) != getattr(usual, one.name):
                raise SettingsError(f"--{one.name} says how to fit, and --model-file is fitted already: leave one out")
        if self.save_model is not None and self.save_model.resolve() == self.model_file.resolve():
            raise SettingsError(f"--save-model {self.save_model}: it is the --model-file too; choose another name")


@dataclass(frozen=True)
class MaskOutputs(MaskOptions):
    """What is written of the masks, too."""

    formats: Names = ("davis",)
    """What to write, as in davis,prores. davis: a palette PNG a frame, 0 = background, 1, 2, ... are parts; labels: the
    same as one lossless video; overlay: the clip with its parts in colour; mattes: antialiased grey PNGs a part;
    prores, webm: a video with alpha a part; packed: four mattes a ProRes file; cryptomatte: an EXR a frame; coco,
    cvat, npz."""
    levels: Numbers = ()
    """Write the object in so many parts too, as in 2,4,8: into OUTPUT/levels/2/ and so on, from the same pass. The
    parts of a finer level divide those of a coarser one, pixel by pixel: all are made of the finest, those of OUTPUT
    itself too, so that a few pixels where parts meet are not those of a run without levels."""
    page: bool = True
    """Write OUTPUT/viewer.html, a page to look at the parts, and to name and merge them."""
    keep_features: bool = False
    """Keep what finer parts are told from, some 20 kB a frame, so that videoparts edit --split needs no ViT. It sees
    every frame then, as with --keys 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.keep_features:
            usual = self.usual().refine
            for option, idle in (
                ("--keys", self.refine.keys not in (1, usual.keys)),
                ("--tolerance", self.refine.tolerance != usual.tolerance),
            ):
                if idle:
                    raise SettingsError(f"--keep-features keeps what the ViT tells of every frame: leave out {option}")
            object.__setattr__(self, "refine", replace(self.refine, keys=1))
        if any(not 1 <= level <= MOST_PARTS for level in self.levels):
            raise SettingsError(f"--levels must be 1 to {MOST_PARTS} each, got {','.join(map(str, self.levels))}")

"""What a command on sets of pictures is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import tyro

from videoparts.config import RefineSettings
from videoparts.errors import SettingsError
from videoparts.presets import Preset

from .no_effect import refuse_clip_options
from .options import MaskOptions, Names, Output, Quiet

FORMATS = ("davis", "object", "mattes", "cutouts")
_LEARNED = 256  # pictures at least: with the default of --descriptors, 234 patches of each, a map of 15 x 15

Choice = Literal["auto", "on", "off"]


@dataclass(frozen=True, kw_only=True)
class SetOptions(MaskOptions):
    """What `videoparts cosegment` is told: pictures, how their parts are learned, and what to write of them."""

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """Pictures, and folders of them: one set. Or a folder of folders: each of these is a set, with a part model and an
    output folder of its own."""
    output: Output[Path]
    """The folder to write into; made if missing."""
    formats: Names = ("davis", "object")
    """What to write, a file a picture, as in davis,cutouts. davis: palette PNGs, 0 = background, 1, 2, ... are parts;
    object: white on black; mattes: antialiased grey PNGs a part; cutouts: RGBA, the object alone."""
    contact: bool = True
    """Write contact sheets: each picture beside its parts."""
    augment: Choice = "auto"
    """Learn the parts from crops and mirror images too, which takes 9 times as long. auto: of fewer than ten
    pictures."""
    common: Choice = "auto"
    """Learn the parts anew from those that three quarters of the pictures have, or the share --votes. auto: of fewer
    than ten pictures, whose parts would else be those of one or the other."""
    remove_outliers: bool = False
    """Leave pictures out that show something else than the others: nothing is learned from them, and their masks are
    empty. Takes one more look at every picture."""
    quiet: Quiet = False
    """Say nothing but errors."""
    of_vote: ClassVar[tuple[str, ...]] = ("threshold", "elbow")  # --votes is what --common needs, too

    @staticmethod
    def adapted(preset: Preset) -> Preset:
        """What other defaults a set of pictures has."""
        frames = max(_LEARNED, preset.fit.frames)
        fit = replace(preset.fit, parts=1, frames=frames, motion="off", afar=False)
        refine = replace(preset.refine, window=0, keys=1, tolerance=RefineSettings.tolerance)
        return replace(preset, fit=fit, refine=refine)

    def usual(self) -> Preset:
        """See `MaskOptions.usual`."""
        return self.adapted(super().usual())

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, choice in (("--augment", self.augment), ("--common", self.common)):
            if self.model_file is not None and choice == "on":
                raise SettingsError(f"{option} says how to fit, and --model-file is fitted already: leave one out")
        if unknown := [name for name in self.formats if name not in FORMATS]:
            raise SettingsError(f"--formats {unknown[0]}: unknown; take {', '.join(FORMATS)}")
        refuse_clip_options(self.source)
        for option, given in (
            ("--object", self.fit.object),
            ("--box", self.fit.box),
            ("--window", self.refine.window or None),
            ("--keys", self.refine.keys if self.refine.keys > 1 else None),
            ("--tolerance", self.refine.tolerance if self.refine.tolerance != RefineSettings.tolerance else None),
            ("--motion", self.fit.motion if self.fit.motion != "off" else None),
        ):
            if given is not None:
                raise SettingsError(f"{option} {given}: pictures have no times; leave it out")
        if self.fit.afar:
            raise SettingsError("--afar is of clips, and these are pictures: leave it out")
        if self.fit.votes is not None and self.fit.foreground != "vote" and self.common == "off":
            raise SettingsError("--votes is of --common and of --foreground vote: take one of these, or leave it out")

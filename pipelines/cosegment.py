"""``videoparts cosegment``: what pictures have in common, and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from videoparts.errors import ClipsFailedError, FitError, SettingsError, SourceError
from videoparts.presets import Preset

from .options import MaskOptions, Names, Output, Quiet
from .terminal import Terminal

FORMATS = ("davis", "object", "mattes", "cutouts")
_LEARNED = 256  # pictures at least: with the default of --descriptors, 234 patches of each, a map of 15 x 15

Choice = Literal["auto", "on", "off"]


@dataclass(frozen=True, kw_only=True)
class Cosegment(MaskOptions):
    """Find what pictures have in common: its mask in each, and with --parts its parts, the same in all of them.

    From two pictures to thousands, of any sizes. Object and parts are learned from up to 256 of them, or as many as
    --frames says, evenly spread; all are labelled. A run that was stopped goes on where it was when the same command is
    given again.
    """

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

    @staticmethod
    def adapted(preset: Preset) -> Preset:
        """What other defaults a set of pictures has."""
        fit = replace(preset.fit, parts=1, frames=max(_LEARNED, preset.fit.frames), motion="off")
        return replace(preset, fit=fit, refine=replace(preset.refine, window=0, keys=1))

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := [name for name in self.formats if name not in FORMATS]:
            raise SettingsError(f"--formats {unknown[0]}: unknown; take {', '.join(FORMATS)}")
        for option, given in (
            ("--start", self.source.start),
            ("--end", self.source.end),
            ("--object", self.fit.object),
            ("--box", self.fit.box),
            ("--window", self.refine.window or None),
            ("--keys", self.refine.keys if self.refine.keys > 1 else None),
        ):
            if given is not None:
                raise SettingsError(f"{option} {given}: pictures have no times; leave it out")

    def run(self) -> None:
        """Run the command."""
        from videoparts.cache import FeatureCache
        from videoparts.sources.picture_set import pictures_of

        from .chain import Chain
        from .cosegment_run import SetRun

        if not self.inputs:
            raise SettingsError("give pictures, or a folder of them")
        chain = Chain(self, Terminal(self.quiet))
        sets = _sets_of(self.inputs)
        if sets is None:
            pictures = pictures_of(self.inputs)[:: self.source.every]
            SetRun(self, chain, pictures, self.output).go().tell(chain.terminal)
            return
        failed = []
        unusable: list[str] = []  # said at the end, a line each
        for folder in sets:
            chain.terminal.say(f"{folder.name}:")
            chain.cache = FeatureCache()
            try:
                pictures = pictures_of([folder])[:: self.source.every]
                looked = SetRun(self, chain, pictures, self.output / folder.name).go()
            except (FitError, SourceError) as error:  # the others can still be done
                why = [f"failed: {folder.name}: {error}"]
                chain.terminal.note(*why)
            else:
                why = looked.lines()
            if why:
                failed.append(folder.name)
                unusable += why
        if failed:
            chain.terminal.insist(*unusable)
            named = ", ".join(failed[:3]) + (", ..." if len(failed) > 3 else "")
            raise ClipsFailedError(f"{len(failed)} of {len(sets)} sets could not be done, or not whole: {named}")


def _sets_of(inputs: Sequence[Path]) -> list[Path] | None:
    """The folders of pictures in a folder that holds none itself; None: the inputs are one set."""
    from videoparts.sources.folder import is_frame, natural_key

    if len(inputs) != 1 or not inputs[0].is_dir():
        return None

    def holds_pictures(folder: Path) -> bool:
        return any(map(is_frame, folder.iterdir()))

    try:
        if holds_pictures(inputs[0]):
            return None
        below = [one for one in inputs[0].iterdir() if one.is_dir() and not one.name.startswith(".")]
        sets = sorted((one for one in below if holds_pictures(one)), key=lambda one: natural_key(one.name))
    except OSError as error:
        raise SourceError(f"{inputs[0]}: {error.strerror}; check its permissions") from None
    return sets or None

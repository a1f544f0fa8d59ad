"""``videoparts cosegment``: what pictures have in common, and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from videoparts.errors import ClipsFailedError, FitError, SettingsError, SourceError

from ..set_options import SetOptions
from ..terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Cosegment(SetOptions):
    """Find what pictures have in common: its mask in each, and with --parts its parts, the same in all of them.

    From two pictures to thousands, of any sizes. Object and parts are learned from up to 256 of them, or as many as
    --frames says, evenly spread; all are labelled. A run that was stopped goes on where it was when the same command is
    given again.
    """

    def run(self) -> None:
        """Run the command."""
        from videoparts.cache import FeatureCache
        from videoparts.clock import StageClock

        from ..chain import Chain
        from ..picture_inputs import given_pictures
        from ..set_run import MODEL, SetRun

        if not self.inputs:
            raise SettingsError("give pictures, or a folder of them")
        chain = Chain(self, Terminal(self.quiet))
        sets = _sets_of(self.inputs)
        if sets is None:
            pictures = given_pictures(self.inputs, self.source.every, chain.terminal)
            SetRun(self, chain, pictures, self.output).go().tell(chain.terminal)
            return
        if self.save_model is not None:
            raise SettingsError(
                f"--save-model: each set keeps a model of its own, {self.output}/SET/{MODEL}; leave it out"
            )
        failed = []
        unusable: list[str] = []  # said at the end, a line each
        chain.extractor()  # once for all
        for done, folder in enumerate(sets):
            own = replace(chain, terminal=Terminal(self.quiet), clock=StageClock(), cache=FeatureCache())
            own.terminal.say(f"{folder.name}:")
            try:
                pictures = given_pictures([folder], self.source.every, own.terminal)
                looked = SetRun(self, own, pictures, self.output / folder.name).go()
            except KeyboardInterrupt:
                of = f"{done} of {len(sets)} sets"
                raise KeyboardInterrupt(f"stopped; {of} are done, the same command goes on with the rest") from None
            except (FitError, SourceError) as error:  # the others can still be done
                why = [f"failed: {folder.name}: {error}"]
                own.terminal.note(*why)
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

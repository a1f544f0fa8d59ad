"""Refuses options that would be taken and do nothing. What a preset or a default says was not asked for."""

from __future__ import annotations

from videoparts.config import RefineSettings, SourceSettings
from videoparts.errors import SettingsError


def refuse_idle_refinement(refine: RefineSettings, usual: RefineSettings) -> None:
    """Look for what is said of a step that is left out.

    Args:
        refine: as it was given.
        usual: what it is if nothing but the preset is given.

    Raises:
        SettingsError: there is something.
    """
    if refine.radius == 0:
        # No steps are what is done anyway.
        for name, idle in (("steps", refine.steps not in (0, usual.steps)), ("eps", refine.eps != usual.eps)):
            if idle:
                raise SettingsError(f"--{name} is of the guided filter, and --radius 0 goes without it: leave one out")
    if refine.keys == 1 != usual.keys and refine.tolerance != usual.tolerance:
        raise SettingsError(
            "--tolerance is of frames that the ViT does not see, and with --keys 1 it sees every frame: leave one out"
        )


def refuse_clip_options(source: SourceSettings) -> None:
    """Look for what is said of a clip where pictures are given that do not follow each other.

    Raises:
        SettingsError: there is something.
    """
    for option, time in (("--start", source.start), ("--end", source.end)):
        if time is not None:
            raise SettingsError(f"{option} {time}: pictures have no times; leave it out")
    for name in ("fps", "decoder", "timeout"):
        if getattr(source, name) != getattr(SourceSettings(), name):
            raise SettingsError(f"--{name} is of clips, and these are pictures: leave it out")


def refuse_encoder_options(codec: str | None, quality: int | None, speed: str | None, why: str) -> None:
    """Look for what is asked of an encoder where none is chosen.

    Args:
        codec: of the option, as the next two; None: it is not given.
        quality: likewise.
        speed: likewise.
        why: why it would do nothing, and what to do.

    Raises:
        SettingsError: there is something.
    """
    for option, given in (("--codec", codec), ("--quality", quality), ("--speed", speed)):
        if given is not None:
            raise SettingsError(f"{option} {given}: {why}")

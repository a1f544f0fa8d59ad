"""What the workers of a batch tell while they work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["begun", "stage", "advanced", "note", "measured", "done", "failed", "full"]
LAST = ("done", "failed", "full")  # how a task ends


@dataclass(frozen=True)
class Event:
    """One thing that has happened to one clip, or to the fit of all clips together.

    A task begins with "begun" and ends with one of `LAST`; one whose worker died begins again. "full" is no failure of
    the clip: the disk is full, and it is to be done again once there is room.
    """

    kind: Kind
    clip: str = ""  # its name; empty: all of them
    stage: str = ""  # "fit", "label", ...
    # "stage": how many there will be, None where that is not known; "advanced": how many more; "done": how many were
    frames: int | None = None
    seconds: float | None = None  # "measured": what the ViT takes for a frame
    text: str = ""  # a note, or why it failed or could not be written
    sha256: str = ""  # "done" and "failed": of the input, where it could be read


Tell = Callable[[Event], None]

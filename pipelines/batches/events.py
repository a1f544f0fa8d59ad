"""What the workers of a batch tell while they work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["begun", "stage", "advanced", "note", "measured", "done", "failed"]


@dataclass(frozen=True)
class Event:
    """One thing that has happened to one clip, or to the fit of all clips together.

    A task begins with "begun" and ends with "done" or "failed"; one whose worker died begins again.
    """

    kind: Kind
    clip: str = ""  # its name; empty: all of them
    stage: str = ""  # "fit", "label", ...
    # "stage": how many there will be, None where that is not known; "advanced": how many more; "done": how many were
    frames: int | None = None
    seconds: float | None = None  # "measured": what the ViT takes for a frame
    text: str = ""  # a note, or why it failed
    sha256: str = ""  # "done" and "failed": of the input, where it could be read


Tell = Callable[[Event], None]

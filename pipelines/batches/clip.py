"""One clip of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Clip:
    """A video file or a folder of frames, and where its results go."""

    path: Path  # absolute, not resolved through links
    name: str  # its result folder, relative to the output folder, with / between: "day1/horse"

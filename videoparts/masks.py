"""The parts of some frames, with the frames they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .active_area import ActiveArea
from .frames import FrameBatch, Pixels

if TYPE_CHECKING:
    from .flow.links import Links


@dataclass(frozen=True)
class Part:
    """A part as people know it."""

    number: int  # its label, 1 to 255
    name: str  # any text without line breaks
    colour: tuple[int, int, int]  # red, green, blue, 0 to 255

    def __post_init__(self) -> None:
        if not 1 <= self.number <= 255:
            raise ValueError(f"parts are numbered 1 to 255, got {self.number}")
        if not self.name or not self.name.isprintable():
            raise ValueError(f"a part's name is printable text, got {self.name!r}")
        if len(self.colour) != 3 or any(not 0 <= value <= 255 for value in self.colour):
            raise ValueError(f"a colour is three numbers from 0 to 255, got {self.colour}")

    @property
    def hex(self) -> str:
        """Its colour as ``#3fa7d6``."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


def colour_table(parts: Iterable[Part]) -> Pixels:
    """(256, 3): the colour of each label; black where there is no such part."""
    table = np.zeros((256, 3), np.uint8)
    for part in parts:
        table[part.number] = part.colour
    return table


@dataclass(frozen=True, eq=False, repr=False)
class PartMasks:
    """Labels at the full size of their frames. **0 is background, 1..P are parts.**"""

    frames: FrameBatch
    labels: Pixels  # (N, H, W) uint8
    # Where somebody asked for them:
    matte: Pixels | None = None  # (N, H, W) uint8: how much of each pixel the object covers
    # (N, K, H, W) uint8: how much of each pixel a part covers, for the K parts that are shown, in the order of their
    # numbers; together at most 255.
    mattes: Pixels | None = None
    # (N, h, w, L + 1) float16: how likely each patch is background, and each part of the part model's finest cut.
    chances: npt.NDArray[np.float16] | None = None
    links: Links | None = None  # (N,) of the frames' active area, where they were needed to find the labels
    active_area: ActiveArea | None = None  # of the frames; beside it all is background

    def __post_init__(self) -> None:
        n, size = len(self.frames), self.frames.size
        if self.labels.shape != (n, *size) or self.labels.dtype != np.uint8:
            raise ValueError(f"labels must be {(n, *size)} uint8, got {self.labels.shape} {self.labels.dtype}")
        if self.matte is not None and (self.matte.shape != (n, *size) or self.matte.dtype != np.uint8):
            raise ValueError(f"a matte must be {(n, *size)} uint8, got {self.matte.shape} {self.matte.dtype}")
        mattes = self.mattes
        if mattes is not None and (
            mattes.ndim != 4 or len(mattes) != n or mattes.shape[2:] != size or mattes.dtype != np.uint8
        ):
            raise ValueError(f"mattes must be ({n}, K, {size[0]}, {size[1]}) uint8, got {mattes.shape} {mattes.dtype}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which: slice) -> PartMasks:
        return PartMasks(
            self.frames[which],
            self.labels[which],
            None if self.matte is None else self.matte[which],
            None if self.mattes is None else self.mattes[which],
            None if self.chances is None else self.chances[which],
            None if self.links is None else self.links[which],
            self.active_area,
        )

    def __repr__(self) -> str:
        more = {"matte": self.matte, "mattes": self.mattes}
        shapes = "".join(f"{name}={planes.shape}, " for name, planes in more.items() if planes is not None)
        return f"PartMasks(labels={self.labels.shape}, {shapes}frames={self.frames!r})"

    def mattes_of(self, parts: int) -> Pixels:
        """The mattes (N, K, H, W), for who needs one for each of so many parts.

        Raises:
            ValueError: there are none, or of another number of parts.
        """
        if self.mattes is None or self.mattes.shape[1] != parts:
            found = "none" if self.mattes is None else self.mattes.shape[1]
            raise ValueError(f"a set of mattes of {parts} parts is needed, got {found}")
        return self.mattes

"""What a source says of itself, and the frames it gives.

Shape letters, here and everywhere: N frames, H x W pixels, h x w patches, D descriptor size, P parts.
Sizes are (height, width). Times are rational: an integer ``pts`` times a `Fraction` ``time_base``, in seconds.

Data classes of arrays or tensors, here and everywhere, are equal to themselves alone unless they say otherwise
(``eq=False``): ``==`` of two arrays is an array, so that comparing field by field would raise instead of answering.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
_SLIMMEST = 16  # times as long as wide: what is longer would have many thousands of patches, and take many minutes


@dataclass(frozen=True)
class ColourTags:
    """How a video's numbers mean colours, as FFmpeg's enumerations number them (ITU-T H.273); 2 is "unspecified".

    ``range`` is FFmpeg's ``AVColorRange``: 0 unspecified, 1 limited ("tv"), 2 full ("pc").
    """

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range: int = 0


@dataclass(frozen=True)
class VideoInfo:
    """The facts of a source that its frames alone do not tell. Size and pixel aspect are those of upright frames."""

    path: Path
    height: int
    width: int
    frames: int | None  # how many the source gives under its start, end and every; None: unknown
    time_base: Fraction  # seconds a tick of pts
    rate: Fraction  # average frames a second
    rotation: int = 0  # degrees clockwise by which stored frames were turned to be upright: 0, 90, 180, 270
    pixel_aspect: Fraction = Fraction(1)
    colour: ColourTags = field(default_factory=ColourTags)
    has_audio: bool = False
    mirrored: bool = False  # whether stored frames were mirrored, left for right, before they were turned

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a video needs a size, got height {self.height}, width {self.width}")
        if self.time_base <= 0 or self.rate <= 0:
            raise ValueError(f"time base and rate must be positive, got {self.time_base} and {self.rate}")
        if self.rotation not in (0, 90, 180, 270):
            raise ValueError(f"rotation must be a quarter turn in 0..270, got {self.rotation}")

    @property
    def square_size(self) -> tuple[Fraction, Fraction]:
        """(height, width) as the frames are seen, in square pixels: one of the two is made larger."""
        aspect = self.pixel_aspect
        return self.height / min(aspect, Fraction(1)), self.width * max(aspect, Fraction(1))


@dataclass(frozen=True, eq=False, repr=False)
class FrameBatch:
    """Upright RGB frames in presentation order. Pixels travel with the batch, so that none is decoded twice."""

    pixels: Pixels  # (N, H, W, 3) uint8, RGB
    index: Integers  # (N,) position in the whole source, before start, end and every
    pts: Integers  # (N,) presentation times in ticks of time_base, strictly increasing
    time_base: Fraction  # seconds a tick
    names: tuple[str, ...] | None = None  # (N,) file stems, for a folder of frames

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.shape[-1] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be (N, H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}")
        n = len(self.pixels)
        for what in ("index", "pts"):
            values = getattr(self, what)
            if values.shape != (n,) or values.dtype != np.int64:
                raise ValueError(f"{what} must be ({n},) int64, got {values.shape} {values.dtype}")
        if self.names is not None and len(self.names) != n:
            raise ValueError(f"{n} frames need {n} names, got {len(self.names)}")

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, which: slice) -> FrameBatch:
        names = None if self.names is None else self.names[which]
        return FrameBatch(self.pixels[which], self.index[which], self.pts[which], self.time_base, names)

    def __repr__(self) -> str:
        parts = []
        for item in fields(self):
            value = getattr(self, item.name)
            parts.append(f"{item.name}={value.shape if item.name == 'pixels' else value!r}")
        return f"FrameBatch({', '.join(parts)})"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    def stem(self, i: int) -> str:
        """The name of frame ``i`` for files made from it: its source file's stem, or its number, five digits wide."""
        return self.names[i] if self.names is not None else f"{self.index[i]:05d}"


def why_too_slim(size: tuple[int, int]) -> str | None:
    """Why frames of ``size`` (height, width) are too slim for a ViT, as the rest of a sentence; None: they are not."""
    height, width = size
    if min(size) < 2:
        return f"is {width}x{height}, and a line is no picture; take larger frames"
    if max(size) > _SLIMMEST * min(size):
        return f"is {width}x{height}, more than {_SLIMMEST} times as long as wide; cut it"
    return None

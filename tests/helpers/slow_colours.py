"""What colours tell, worked out from the definition of `videoparts.refine.colours`: one by one, in float64."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]
Planes = npt.NDArray[np.float64]


def colours(picture: Planes) -> list[list[Colour]]:
    """The colour of each pixel of (y, x, 3), 0 to 1."""
    red, green, blue = np.moveaxis(picture, 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    levels = np.stack(
        [8 * luma, 32 * (0.564 * (blue - luma) + 0.25) / 0.5, 32 * (0.713 * (red - luma) + 0.25) / 0.5], axis=2
    )
    cut = np.clip(levels, 0, [7, 31, 31]).astype(int)
    return [[(int(a), int(b), int(c)) for a, b, c in row] for row in cut]


def log_odds(pictures: list[Planes], objects: list[Planes], of: int = 0) -> Planes:
    """(y, x): what the colours of the picture ``of`` tell, given all pictures (y, x, 3) and where their object is."""
    counts: tuple[Counter[Colour], Counter[Colour]] = Counter(), Counter()
    for picture, whole in zip(pictures, objects, strict=True):
        named = colours(picture)
        for i, row in enumerate(named):
            for j, colour in enumerate(row):
                if whole[i, j] > 0.95:
                    counts[1][colour] += 1
                elif whole[i, j] < 0.05 and _beside(whole, i, j):
                    counts[0][colour] += 1
    shown = colours(pictures[of])
    if not counts[0] or not counts[1]:
        return np.zeros((len(shown), len(shown[0])))
    every = [(a, b, c) for a in range(8) for b in range(32) for c in range(32)]
    shares = [_shares(some, every) for some in counts]
    alike = sum(min(shares[0][colour], shares[1][colour]) for colour in every)
    worth = max(0.0, 1 - 2 * alike)
    told = [[math.log((shares[1][c] + 2e-5) / (shares[0][c] + 2e-5)) for c in row] for row in shown]
    return worth * np.clip(told, -2, 2)


def _beside(whole: Planes, i: int, j: int) -> bool:
    reach = round(min(whole.shape) / 4)
    return bool((whole[max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1] > 0.5).any())


def _shares(counts: Counter[Colour], every: list[Colour]) -> dict[Colour, float]:
    """Of all pixels, those of each colour, each shared by a Gaussian among the colours around."""
    shares = np.zeros((8, 32, 32))
    for colour, count in counts.items():
        near = [np.exp(-((np.arange(n) - at) ** 2) / 2) for n, at in zip(shares.shape, colour, strict=True)]
        a, b, c = (one / one.sum() for one in near)
        shares += count * a[:, None, None] * b[None, :, None] * c[None, None, :]
    shares /= sum(counts.values())
    return {colour: float(shares[colour]) for colour in every}

"""What the colour of a pixel tells of whether it is the object, learned from the frames around it and for them alone.

A patch is larger than a spoke or a beak, and what the ViT tells of it reaches beyond the outline. Colours know nothing
of things, but they are exact to the pixel. So those that the object has where it is certain are compared with those
that lie beside it: a pixel of a colour that only one of the two has leans to its side. (Rother, Kolmogorov, Blake:
"GrabCut", 2004, whose mixtures of Gaussians are counts here, and whose first mark is what the ViT has found.)

Where the object has the colours of what is around it, as a grey car on a grey road, there is nothing to learn. How much
of the two is alike is known from the counts, and what colours tell counts as much less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch

from ..resize import unit_range
from .box_filter import box
from .regions import Region

# Little hangs on these: J of 35 clips and views is within .002 for a _CERTAIN of 0.9 to 0.97, a _BESIDE of 1 / 6 to all
# of the frame, a _BLUR of 0.7 to 1 and a _MOST of 1.5 to 3.
_LEVELS = (8, 32, 32)  # that are told apart: of luma, and of blue and red against it
_WIDEST = 0.25  # difference of blue or red from luma, in JPEG's scale of -0.5 to 0.5, beyond which all are alike
_CERTAIN = 0.95  # what the object's score, or the background's, exceeds where colours are learned from
_BESIDE = 1 / 4  # of the short side: what is further from the object than this does not count as beside it
_BLUR = 1.0  # levels: the deviation of the Gaussian by which a colour speaks for those that are like it
_RARE = 2e-5  # share of pixels that every colour seems to have: one that is hardly ever seen tells little
_MOST = 2.0  # log-odds that a colour tells


@dataclass(frozen=True, eq=False, repr=False)
class Colours:
    """The colours of some frames, and how often the object and what is beside it have each."""

    picture: torch.Tensor  # (N, 3, y, x) the working picture, as `resize` gives it
    counts: torch.Tensor  # (N, 2, B) int32, on a CPU: pixels beside the object and of it, with each of B colours

    @classmethod
    def of(cls, picture: torch.Tensor, scores: torch.Tensor) -> Colours:
        """Count each frame's own.

        Args:
            picture: (N, 3, y, x), as `resize` gives it.
            scores: (N, C, y, x) float32, of the parts, on the same device.
        """
        whole = scores.sum(1, keepdim=True)
        reach = round(_BESIDE * min(whole.shape[2:]))
        beside = (box((whole > 0.5).float(), reach) > 0) & (whole < 1 - _CERTAIN)
        kinds = torch.cat([beside, whole > _CERTAIN], 1)
        counts = torch.zeros(len(whole), 2, math.prod(_LEVELS), dtype=torch.int32, device=whole.device)
        colour = _colour(picture).flatten(1)[:, None].expand(-1, 2, -1)
        counts.scatter_add_(2, colour, kinds.flatten(2).int())  # whole numbers: in any order the sum is the same
        return cls(picture, counts.cpu())

    def within(self, region: Region) -> Colours:
        """Of a region's frames, with the region alone for a picture. What is counted stays."""
        return Colours(region.of_planes(self.picture), self.counts[region.frames])

    def log_odds(self) -> torch.Tensor:
        """What each pixel's colour tells: (N, y, x) float32, above 0 for the object, on the device of the picture."""
        told = [_told(both.float()).to(self.picture.device) for both in self.counts]
        return torch.stack([of[colour] for of, colour in zip(told, _colour(self.picture), strict=True)])


def _told(counts: torch.Tensor) -> torch.Tensor:
    """From counts (2, B), beside the object and of it, to the log-odds of each colour (B,)."""
    smooth = _smoothed(counts)
    share = smooth / smooth.sum(1, keepdim=True).clamp(min=1)
    logs = (share + _RARE).log()
    alike = torch.minimum(*share).sum()
    # A guess by colour is wrong for half of what is alike, so where half is, for a quarter: no use from there on.
    worth = (1 - 2 * alike).clamp(min=0) * share.any(1).all()  # or one of the two is nowhere
    return (logs[1] - logs[0]).clamp(-_MOST, _MOST) * worth


def _colour(picture: torch.Tensor) -> torch.Tensor:
    """Which of the colours each pixel of (N, 3, y, x) has: (N, y, x) int64."""
    red, green, blue = unit_range(picture).unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # JPEG's, as the differences are
    number = torch.zeros_like(luma, dtype=torch.int64)
    differences = (0.564 * (blue - luma), 0.713 * (red - luma))
    for levels, plane in zip(_LEVELS, (luma, *(0.5 + d / (2 * _WIDEST) for d in differences)), strict=True):
        number = levels * number + (levels * plane).long().clamp_(0, levels - 1)
    return number


def _smoothed(counts: torch.Tensor) -> torch.Tensor:
    """Counts (2, B) with those of colours that are like each."""
    luma, blue, red = map(_blur, _LEVELS)
    smooth = counts.view(-1, *_LEVELS)
    smooth = blue @ smooth @ red.T
    return (luma @ smooth.flatten(2)).flatten(1)


@lru_cache(maxsize=4)
def _blur(levels: int) -> torch.Tensor:
    """(levels, levels): what each level takes from each, so that all that one gives adds up to 1."""
    at = torch.arange(levels)
    near = (-((at[:, None] - at) ** 2) / (2 * _BLUR**2)).exp()
    return near / near.sum(0)

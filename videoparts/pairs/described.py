"""One picture as the tasks on single pictures need it: its descriptors, where they lie, and where its object may be."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ..clustering import Floats
from ..errors import SourceError
from ..features import Extractor
from ..frames import Pixels
from ..grid import Grid, why_unusable
from ..sampling.saliency import object_heads, saliency, smooth_saliency
from .points import Points, patch_points

_LEAST = 0.05  # salience that a point on the object has at least: the paper's threshold for points
_PIECE = 0.1  # of the saliency in the largest piece: pieces with less in them are taken for background


@dataclass(frozen=True, eq=False, repr=False)
class Described:
    """A picture's patches, row by row: n = h * w."""

    descriptors: torch.Tensor  # (n, D) float32, unit length
    salient: torch.Tensor  # (n,) float32, 0..1: where the [CLS] token looks, on the CPU
    foreground: torch.Tensor  # (n,) bool: on the object: salient, and in one of its `salient_pieces`; on the CPU
    grid: Grid
    size: tuple[int, int]  # (height, width) of the picture itself

    @property
    def nbytes(self) -> int:
        """What it takes of memory."""
        return sum(t.numel() * t.element_size() for t in (self.descriptors, self.salient, self.foreground))

    @property
    def points(self) -> Points:
        """(n, 2): the patches' centres in pixels of the picture, see `points`."""
        return patch_points(self.grid, self.size)


def describe(pixels: Pixels, extractor: Extractor, what: object) -> Described:
    """Look at one picture.

    Args:
        pixels: (H, W, 3) uint8.
        extractor: makes the descriptors.
        what: is looked at; begins a message.

    Raises:
        SourceError: the picture is smaller than a patch, or too slim.
    """
    height, width = pixels.shape[:2]
    grid = extractor.grid((height, width))
    if (why := why_unusable((height, width), grid.patch)) is not None:
        raise SourceError(f"{what}: {why}")
    features = extractor.extract(np.ascontiguousarray(pixels)[None], attention=True, tokens=True)
    assert features.attention is not None
    assert features.tokens is not None
    attention, later = features.attention, features.tokens[..., features.tokens.shape[-1] // 2 :]
    heads = object_heads(attention)
    smooth = smooth_saliency(attention, F.normalize(later, dim=-1), heads)[0]
    salient = saliency(attention, heads)[0].cpu()
    return Described(
        features.descriptors[0].flatten(0, 1),
        salient.flatten(),
        (torch.from_numpy(salient_pieces(smooth.cpu().numpy())) & (salient > _LEAST)).flatten(),
        grid,
        (height, width),
    )


def salient_pieces(smooth: Floats) -> npt.NDArray[np.bool_]:
    """Where a picture is more salient than on average, in pieces that hold enough of it.

    Args:
        smooth: (h, w) of `smooth_saliency`.

    Returns:
        (h, w), somewhere True.
    """
    above = smooth >= 1 if (smooth <= 1).all() else smooth > 1
    count, piece = cv2.connectedComponents(above.astype(np.uint8), connectivity=8)
    held = np.bincount(piece.ravel(), (smooth * above).ravel(), count)
    return np.asarray(above & (held >= _PIECE * held.max())[piece])

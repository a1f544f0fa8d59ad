"""Frames that show the object less well than others.

In the dark, blurred, or half hidden, all of an object scores lower than it usually does, and one threshold for all
frames loses it. How well a frame shows the object is told by its best patches; what those of a frame without it would
score, by the patches that lie away from it. A frame is lifted by a share of what its best patches lack to the usual:
so large a share that most frames without the object would stay empty. Not all would, so a frame may also have to have
patches that are the object's without being lifted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

_BEST = 0.011  # share of a frame's patches that are its best
_AWAY = 0.1  # heights of the frame that a patch is away from the object, to be background for certain
_LEAST_BACKGROUND = 0.2  # share of a frame that must be background for it to tell anything
# Quantile of the shares that would keep each sampled frame empty without the object. With 0.5, J of seven clips is .007
# lower and of 28 views of them .002; in pieces of their frames without the object .041 of the picture is taken for it
# instead of .049.
_KEPT = 0.8
_MOST = 0.5  # of what a frame lacks


@dataclass(frozen=True)
class Visibility:
    """How far a frame's scores are to be lifted."""

    usual: float = 0.0  # the score of the best patches in the middle one of the frames that show the object
    share: float = 0.0  # of what a frame's best patches lack to that

    def lifted(self, scores: torch.Tensor, least: float = -math.inf) -> torch.Tensor:
        """Scores (N, h, w), each frame's lifted. A frame that shows the object better than usual is lowered.

        Args:
            scores: of each patch.
            least: what a frame's best patches must score; one in which they score less stays as it is.
        """
        if not self.share:
            return scores
        found = best(scores)
        lift = torch.where(found < least, 0.0, self.share * (self.usual - found))
        return scores + lift[:, None, None]

    def scaled(self, scale: float, zero: float) -> Visibility:
        """The same for the scores (score - ``zero``) / ``scale``."""
        return Visibility((self.usual - zero) / scale, self.share)


def best(scores: torch.Tensor) -> torch.Tensor:
    """Mean score of the best patches of each frame: (N, h, w) to (N,)."""
    flat = scores.flatten(1)
    return flat.topk(max(1, round(_BEST * flat.shape[1])), dim=1).values.mean(1)


def visibility(
    scores: Sequence[npt.NDArray[np.float64]], marks: Sequence[npt.NDArray[np.bool_]], threshold: float
) -> Visibility:
    """Learn from the sampled frames.

    Args:
        scores: of each frame (h, w).
        marks: the object in each, as far as it is known, (h, w).
        threshold: the score from which on a patch is on the object.
    """
    seen = [found for found in map(_best, scores) if found > threshold]
    if not seen:
        return Visibility()
    usual = float(np.median(seen))
    shares = []
    for score, mark in zip(scores, marks, strict=True):
        background = _background(score, mark)
        if background is not None:
            # With so much, the first patch comes to the threshold where the object is not there.
            shares.append((threshold - float(background.max())) / max(usual - _best(background), 1e-9))
    return Visibility(usual, float(np.clip(np.quantile(shares, _KEPT), 0, _MOST))) if shares else Visibility()


def _background(score: npt.NDArray[np.float64], marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64] | None:
    """The scores as they might be without the object; None where too little is away from it to tell."""
    reach = max(1, round(_AWAY * len(score)))
    near = cv2.dilate(marks.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    if (~near).mean() < _LEAST_BACKGROUND:
        return None
    return np.where(near, score.min(), score)


def _best(score: npt.NDArray[np.float64]) -> float:
    return float(best(torch.from_numpy(score)[None]))

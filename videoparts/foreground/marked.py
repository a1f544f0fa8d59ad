"""What the user's mark in one frame, a point or a box, tells of all patches."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..clustering import Floats
from ..sampling.sample import Sample
from .evidence import Clusterings, Cue, Marks, Values
from .otsu import otsu

_RIDGE = 1e-2  # of the tokens' squared length, for the one frame with the mark
_POINT_POWER = 2.0  # of likeness to a single patch: at 1 another thing that stands out may count for as much


def marked_cues(sample: Sample, clusterings: Clusterings) -> list[Cue]:
    """What looks like the object that the user has marked in a frame of the sample.

    A point says little of where the object ends, and neither does a box of one patch: what that is grown to in its
    frame is taken for marked.
    """
    marked = np.concatenate([np.zeros(f.shape, bool) if f.seed is None else f.seed for f in sample.frames], axis=None)
    looks = sample.tokens[:, sample.tokens.shape[1] // 2 :]  # of the later block's half
    looks = looks - looks.mean(axis=0)
    if marked.sum() == 1:
        likeness = _likeness(looks, marked)
        score = clusterings.score(_with_saliency(sample, Cue(likeness, _POINT_POWER), likeness))
        marked = _grown(sample, marked, score)
    return _with_saliency(sample, Cue(_inside(looks, marked, sample.frame), 1.0), marked)


def _with_saliency(sample: Sample, cue: Cue, meant: Values | Marks) -> list[Cue]:
    """A cue, and saliency beside it where what is meant (n,), by its weight, is salient: then its surroundings are
    less so."""
    stands_out = meant @ sample.saliency > meant.sum()  # 1 is the mean of a frame
    return [cue, Cue(sample.saliency.astype(np.float64), 0.5)] if stands_out else [cue]


def _likeness(looks: Floats, marked: Marks) -> Values:
    """How much each patch looks like the marked one, (n,), 0 to 1: the cosine, less what all patches have in common."""
    looks = looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    return np.asarray(np.clip(looks @ looks[marked][0], 0, 1), dtype=np.float64)


def _grown(sample: Sample, marked: Marks, score: Values) -> Marks:
    """The component, in the frame of the marked patch, that it is in where the score is high, (n,)."""
    frame = int(sample.frame[marked][0])
    cut = min(otsu(score[sample.frame == frame]), np.nextafter(score[marked][0], -np.inf))
    label = cv2.connectedComponents((sample.maps(score)[frame] > cut).astype(np.uint8), connectivity=8)[1]
    grown = np.zeros(len(sample), bool)
    grown[sample.frame == frame] = (label == label[sample.maps(marked)[frame]][0]).ravel()
    return grown


def _inside(looks: Floats, marked: Marks, frame_of: npt.NDArray[np.int64]) -> Values:
    """How likely each patch is one of the marked, (n,), 0 to 1: by a linear function that tells these from the others
    in their frame, where it can."""
    frame = frame_of == frame_of[marked][0]
    x, share = looks[frame].astype(np.float64), marked[frame].mean()
    gram = x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1])
    likely = looks @ np.linalg.solve(gram, x.T @ (marked[frame] - share)).astype(np.float32) + share
    return np.asarray(np.clip(likely, 0, 1), dtype=np.float64)

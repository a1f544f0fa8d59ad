"""Which clusters of descriptors are the object (paper, section 4: co-segmentation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .clustering import Floats, assign, kmeans_elbow
from .config import FitSettings

_PAPER_THRESHOLD = 0.065  # the paper's, for parts


@dataclass(frozen=True, repr=False)
class Sample:
    """Descriptors drawn evenly from the sampled frames of one or more clips."""

    descriptors: Floats  # (n, D) unit length
    saliency: Floats  # (n,) 0..1 within each frame
    frame: npt.NDArray[np.int64]  # (n,) which sampled frame each is from, 0..F-1
    frames: int  # F


@dataclass(frozen=True, repr=False)
class Foreground:
    """The object among the descriptors of a `Sample`, and what its surroundings look like."""

    mask: npt.NDArray[np.bool_]  # (n,) descriptors on the object
    background: Floats  # (B, D) centroids of the rest; B may be 0, when the object fills every frame


def vote(sample: Sample, settings: FitSettings) -> Foreground:
    """The paper's foreground: cluster everything, and let each frame vote for the clusters that are salient in it.

    The number of clusters follows the elbow rule. A cluster in which a frame's mean saliency passes the threshold has
    that frame's vote; with the votes of enough frames it is foreground. Where no cluster has enough, the one with
    the highest mean saliency is taken, so that there is always an object.
    """
    centroids = kmeans_elbow(sample.descriptors, settings.elbow, settings.seed)
    label, _ = assign(sample.descriptors, centroids)
    clusters = len(centroids)
    cell = sample.frame * clusters + label
    count = np.bincount(cell, minlength=sample.frames * clusters).reshape(-1, clusters)
    total = np.bincount(cell, weights=sample.saliency, minlength=sample.frames * clusters).reshape(-1, clusters)
    mean = total / np.maximum(count, 1)
    threshold = _PAPER_THRESHOLD if settings.threshold is None else settings.threshold
    votes = (mean > threshold).sum(axis=0)
    salient = votes >= np.ceil(settings.votes * sample.frames)
    if not salient.any():
        salient[(total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)).argmax()] = True
    return Foreground(mask=salient[label], background=centroids[~salient])

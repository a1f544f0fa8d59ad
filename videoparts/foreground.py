"""Which clusters of descriptors are the object (paper, section 4: co-segmentation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .clustering import Floats, assign, kmeans, kmeans_elbow
from .config import FitSettings

_PAPER_THRESHOLD = 0.065  # the paper's, for parts
_PAPER_VOTES = 0.75
_CONSENSUS_THRESHOLD = 0.05
_CONSENSUS_VOTES = 0.5
_CLUSTERINGS = (8, 10, 12, 14, 16, 20, 24)
_WIDEST = 0.25  # standard deviation of a cluster's places in a frame, in widths, above which it is no object
_CONSENSUS_SAMPLE = 8000  # descriptors that a clustering is made from
_OFTEN = 0.5  # share of the frames from which on a cluster counts in full
_BACKGROUND = 32  # centroids of the background


@dataclass(frozen=True, repr=False)
class Sample:
    """Descriptors drawn evenly from the sampled frames of one or more clips."""

    descriptors: Floats  # (n, D) unit length
    saliency: Floats  # (n,) 0..1 within each frame
    frame: npt.NDArray[np.int64]  # (n,) which sampled frame each is from, 0..F-1
    frames: int  # F
    place: Floats  # (n, 2) down and right in the frame, both as shares of the frame's width
    border: npt.NDArray[np.bool_]  # (n,) whether the patch is one of those along the frame's border


@dataclass(frozen=True, repr=False)
class Foreground:
    """The object among the descriptors of a `Sample`, and what its surroundings look like."""

    mask: npt.NDArray[np.bool_]  # (n,) descriptors on the object
    background: Floats  # (B, D) centroids of the rest; B may be 0, when the object fills every frame


def find_foreground(sample: Sample, settings: FitSettings) -> Foreground:
    """The object, by the method that the settings name."""
    return {"consensus": consensus, "vote": vote}[settings.foreground](sample, settings)


def vote(sample: Sample, settings: FitSettings) -> Foreground:
    """The paper's foreground: cluster everything, and let each frame vote for the clusters that are salient in it.

    The number of clusters follows the elbow rule. A cluster in which a frame's mean saliency passes the threshold has
    that frame's vote; with the votes of enough frames it is foreground. Where no cluster has enough, the one with
    the highest mean saliency is taken, so that there is always an object.
    """
    centroids = kmeans_elbow(sample.descriptors, settings.elbow, settings.seed)
    label, _ = assign(sample.descriptors, centroids)
    mean, count = _mean_saliency(sample, label, len(centroids))
    threshold = _PAPER_THRESHOLD if settings.threshold is None else settings.threshold
    enough = _PAPER_VOTES if settings.votes is None else settings.votes
    salient = (mean > threshold).sum(axis=0) >= np.ceil(enough * sample.frames)
    if not salient.any():
        salient[((mean * count).sum(axis=0) / np.maximum(count.sum(axis=0), 1)).argmax()] = True
    return Foreground(mask=salient[label], background=centroids[~salient])


def consensus(sample: Sample, settings: FitSettings) -> Foreground:
    """The paper's vote, taken over several clusterings instead of one.

    Which cluster an arm or a branch falls into is much by chance, and with it whether the vote finds it. So the votes
    are counted for several numbers of clusters, and a descriptor is foreground when its share of the votes, averaged
    over the clusterings, is large enough. A cluster's share counts the frames that it occurs in; one that occurs in
    few frames counts less. A cluster that is spread over the frame, or keeps more to its border than chance would
    have it, is no object and has no votes: that allows a lower threshold, which finds more of the object. The
    background is clustered anew, finely: it is many things.
    """
    random = np.random.default_rng(settings.seed)
    few = np.sort(random.permutation(len(sample.descriptors))[:_CONSENSUS_SAMPLE])
    threshold = _CONSENSUS_THRESHOLD if settings.threshold is None else settings.threshold
    share = np.zeros(len(sample.descriptors))
    clusterings = [k for k in _CLUSTERINGS if k <= len(few)]
    for k in clusterings:
        label, _ = assign(sample.descriptors, kmeans(sample.descriptors[few], k, settings.seed, redo=1))
        mean, count = _mean_saliency(sample, label, k)
        present = (count > 0).sum(axis=0)
        votes = (mean > threshold).sum(axis=0)
        often = np.minimum(1, present / (_OFTEN * sample.frames))
        share += (votes / np.maximum(present, 1) * often * _compact(sample, label, k))[label]
    share /= max(1, len(clusterings))
    # Where nothing has enough votes, what has the most is taken, so that there is always an object.
    enough = _CONSENSUS_VOTES if settings.votes is None else settings.votes
    mask = share > min(enough, share.max() - 1e-9)
    rest = sample.descriptors[~mask]
    sampled = rest[np.sort(random.permutation(len(rest))[:_CONSENSUS_SAMPLE])]
    background = kmeans(sampled, min(_BACKGROUND, len(sampled)), settings.seed, redo=1) if len(rest) else rest
    return Foreground(mask=mask, background=background)


def _mean_saliency(
    sample: Sample, label: npt.NDArray[np.int64], clusters: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Mean saliency of each cluster in each frame, (F, K), 0 where it does not occur; and how often it occurs."""
    cell = sample.frame * clusters + label
    size = sample.frames * clusters
    count = np.bincount(cell, minlength=size).reshape(-1, clusters)
    total = np.bincount(cell, weights=sample.saliency, minlength=size).reshape(-1, clusters)
    return total / np.maximum(count, 1), count


def _compact(sample: Sample, label: npt.NDArray[np.int64], clusters: int) -> npt.NDArray[np.bool_]:
    """(K,): whether a cluster lies together in its frames, and off their border."""
    count = np.maximum(np.bincount(label, minlength=clusters), 1)
    at_border = np.bincount(label, weights=sample.border, minlength=clusters) / count
    cell = sample.frame * clusters + label
    size = sample.frames * clusters
    a_cell = np.maximum(np.bincount(cell, minlength=size), 1)
    off_centre = np.zeros(len(label))
    for axis in (0, 1):
        centre = np.bincount(cell, weights=sample.place[:, axis], minlength=size) / a_cell
        off_centre += (sample.place[:, axis] - centre[cell]) ** 2
    spread = np.bincount(label, weights=off_centre, minlength=clusters) / count
    return np.asarray((spread < _WIDEST**2) & (at_border < max(sample.border.mean(), 1e-9)))

"""Where the object is: the one place that decides it, for clips and for sets of pictures alike.

Two methods with one interface: from a `Sample` to a `Foreground`. `vote` is the paper's. `teach_probe` is the default.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from .clustering import Floats, assign, kmeans_elbow
from .config import FitSettings
from .evidence import Cues
from .probe import CentroidProbe, Probe
from .sample import Sample
from .teaching import teach_probe

_PAPER_THRESHOLD = 0.065  # the paper's, for parts
_PAPER_VOTES = 0.75


@dataclass(frozen=True, repr=False)
class Foreground:
    """The object among the patches of a `Sample`, and what finds it in any frame."""

    certainty: Floats  # (n,) of patches to be on the object, up to 1; 0: off it
    probe: Probe

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The patches (n,) on the object."""
        return self.certainty > 0


def find_foreground(sample: Sample, settings: FitSettings, cues: Cues | None = None) -> Foreground:
    """The object, by the method that the settings name.

    Args:
        sample: what the sampled frames show.
        settings: method, motion, seed.
        cues: what counts as evidence; for experiments.
    """
    if settings.foreground == "vote":
        return vote(sample, settings)
    cues = cues or Cues(motion=settings.motion == "auto")
    return Foreground(*teach_probe(sample, settings.seed, cues))


def vote(sample: Sample, settings: FitSettings) -> Foreground:
    """The paper's foreground (section 4): cluster everything, and let each frame vote for what is salient in it.

    The number of clusters follows the elbow rule. A cluster in which a frame's mean saliency passes the threshold has
    that frame's vote; with the votes of enough frames it is foreground. Where no cluster has enough, the one with
    the highest mean saliency is taken, so that there is always an object.
    """
    random = np.random.default_rng(settings.seed)
    few = np.sort(random.permutation(len(sample))[: settings.descriptors])
    centroids = kmeans_elbow(sample.descriptors[few], settings.elbow, settings.seed)
    label, _ = assign(sample.descriptors, centroids)
    frames, clusters = len(sample.frames), len(centroids)
    cell, size = sample.frame * clusters + label, frames * clusters
    saliency = np.concatenate([frame.paper_saliency.ravel() for frame in sample.frames])
    count = np.bincount(cell, minlength=size).reshape(-1, clusters)
    total = np.bincount(cell, weights=saliency, minlength=size).reshape(-1, clusters)
    threshold = _PAPER_THRESHOLD if settings.threshold is None else settings.threshold
    enough = _PAPER_VOTES if settings.votes is None else settings.votes
    salient = (total / np.maximum(count, 1) > threshold).sum(axis=0) >= np.ceil(enough * frames)
    if not salient.any():
        salient[(total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)).argmax()] = True
    probe = CentroidProbe(
        background=torch.from_numpy(centroids[~salient]), foreground=torch.from_numpy(centroids[salient])
    )
    return Foreground(salient[label].astype(np.float32), probe)

"""Where the object is: the one place that decides it, for clips and for sets of pictures alike.

Two methods with one interface: from a `Sample` to a `Foreground`. `vote` is the paper's. A probe that the clip teaches
itself is the default, see `learn_at_both`; `teach_together` is that of several clips, which `ClipByClip` takes one
after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from ..clustering import Floats, assign, kmeans_elbow
from ..config import FitSettings
from ..sampling.sample import FrameSample, Sample, share_of
from .evidence import Cues
from .from_afar import Afar, learn_at_both
from .joint_teaching import teach_together
from .probe import CentroidProbe, LinearProbe, Probe
from .teaching import finish

_PAPER_THRESHOLD = 0.065  # the paper's, for parts
_PAPER_VOTES = 0.75


@dataclass(frozen=True, eq=False, repr=False)
class Foreground:
    """The object among the patches of a `Sample`, and what finds it in any frame."""

    certainty: Floats  # (n,) of patches to be on the object, up to 1; 0: off it
    probe: Probe

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The patches (n,) on the object."""
        return self.certainty > 0


def find_foreground(
    sample: Sample, settings: FitSettings, cues: Cues | None = None, afar: Afar | None = None
) -> Foreground:
    """The object, by the method that the settings name.

    Args:
        sample: what the sampled frames show.
        settings: method, motion; the vote's seed.
        cues: what counts as evidence; for experiments.
        afar: shows the frames from twice as far, for the probe.
    """
    if settings.foreground == "vote":
        return vote(sample, settings)
    cues = cues or Cues(motion=settings.motion == "auto")
    lesson = learn_at_both(sample, cues, afar)
    return Foreground(*finish(sample, lesson.ridge, lesson.marks))


def vote(sample: Sample, settings: FitSettings) -> Foreground:
    """The paper's foreground (section 4): cluster everything, and let each frame vote for what is salient in it.

    The number of clusters follows the elbow rule. A cluster in which a frame's mean saliency passes the threshold has
    that frame's vote. With the votes of enough of its frames a cluster has the vote of a clip, and with the votes of
    enough clips, the same share, it is foreground: so each clip has one vote, however many of its frames are sampled.
    Of pictures, one a source, that is the paper's rule, and of one clip too. Where no cluster has enough, the one with
    the highest mean saliency, over clips, is taken, so that there is always an object.
    """
    random = np.random.default_rng(settings.seed)
    few = np.sort(random.permutation(len(sample))[: settings.descriptors])
    centroids = kmeans_elbow(sample.descriptors[few], settings.elbow)
    label, _ = assign(sample.descriptors, centroids)
    frames, clusters = len(sample.frames), len(centroids)
    cell, size = sample.frame * clusters + label, frames * clusters
    saliency = np.concatenate([frame.paper_saliency.ravel() for frame in sample.frames])
    count = np.bincount(cell, minlength=size).reshape(-1, clusters)
    total = np.bincount(cell, weights=saliency, minlength=size).reshape(-1, clusters)
    threshold = _PAPER_THRESHOLD if settings.threshold is None else settings.threshold
    enough = _PAPER_VOTES if settings.votes is None else settings.votes
    votes = total / np.maximum(count, 1) > threshold
    clip = np.array([frame.clip for frame in sample.frames])
    clips = [clip == k for k in np.unique(clip)]
    won = np.stack([votes[one].sum(axis=0) >= np.ceil(enough * one.sum()) for one in clips])  # (clips, clusters)
    salient = won.sum(axis=0) >= np.ceil(enough * len(clips))
    if not salient.any():
        mean = [total[one].sum(axis=0) / np.maximum(count[one].sum(axis=0), 1) for one in clips]
        salient[np.mean(mean, axis=0).argmax()] = True
    probe = CentroidProbe(
        background=torch.from_numpy(centroids[~salient]), foreground=torch.from_numpy(centroids[salient])
    )
    return Foreground(salient[label].astype(np.float32), probe)


class ClipByClip:
    """Finds the object of one clip or several, which are taken one after the other.

    Of several, each marks its object by itself, at full detail; a share of its patches is kept, and with them those
    marks. Then all are decided together. The object that the user has marked in the first clip is meant in all.

    Args:
        settings: method, motion, patches to keep; the vote's seed.
        clips: how many there will be.
        cues: what counts as evidence; for experiments.
        afar: shows the frames of a clip from twice as far.
    """

    def __init__(self, settings: FitSettings, clips: int, cues: Cues | None = None, afar: Afar | None = None) -> None:
        self._settings, self._cues, self._afar = settings, cues or Cues(motion=settings.motion == "auto"), afar
        self._alone = clips == 1
        self._most = max(1, settings.descriptors // clips)
        self._frames: list[FrameSample] = []
        self._like: LinearProbe | None = None  # finds what the user has marked

    def add(self, frames: Sequence[FrameSample]) -> None:
        """Take the sampled frames, one at least, of the next clip."""
        if self._alone:
            self._frames = list(frames)
            return
        if self._settings.foreground == "probe":
            frames = self._marked(Sample(list(frames)))
        self._frames += share_of(frames, self._most)

    def find(self) -> tuple[Sample, Foreground]:
        """What is kept of all clips, and the object in it."""
        sample = Sample(self._frames)
        if self._alone or self._settings.foreground == "vote":
            return sample, find_foreground(sample, self._settings, self._cues, self._afar)
        return sample, Foreground(*teach_together(sample))

    def _marked(self, sample: Sample) -> list[FrameSample]:
        """The frames of one clip, with the marks that it has made by itself."""
        lesson = learn_at_both(sample, self._cues, self._afar, self._like)
        if any(frame.seed is not None for frame in sample.frames):
            self._like = finish(sample, lesson.ridge, lesson.marks)[1]
        maps = zip(sample.frames, sample.maps(lesson.evidence), sample.maps(lesson.marks), strict=True)
        return [replace(frame, evidence=evidence, mark=mark) for frame, evidence, mark in maps]

"""A second look at the object from twice as far, and which of the two looks is right.

The nearer a thing, the more a ViT sees its details instead of the thing: of an animal that fills the frame, a beak. At
half the load size it sees the animal again, but less of where it ends. So the far look says where the object may be,
and the probe is taught on the near one as ever. Of small objects too few patches are left for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from ..sampling.sample import FrameSample, Sample
from .evidence import Cues, Marks, Values
from .probe import LinearProbe
from .teaching import Lesson, learn, teach

Afar = Callable[[Sequence[FrameSample]], Sample | None]
"""Shows frames from twice as far; None: it cannot."""

_LARGE = 1 / 8  # of the frame: a smaller object is not looked at from afar, where it has few patches left
# Where motion does not tell what is of the object, from afar it may be seen together with what it stands on: for each e
# times that it is larger there, the look must agree so much more. J of 35 clips and views without motion is .642 with
# it, .628 without, and .632 with near looks alone; what is right needs less than .022, what is wrong more than .012.
_DOUBT = 0.015
_PERHAPS = 1 / 4  # of that: what is found from near may be a piece of a large object, but hardly one so small


def learn_at_both(sample: Sample, cues: Cues, afar: Afar | None, like: LinearProbe | None = None) -> Lesson:
    """`learn`, from near and from afar where the object is large.

    The better look is the one whose evidence agrees more with the marks that it has taught: where evidence is of the
    object's pieces, teaching has to overrule it. Where nothing moves, a larger object must be clearer: see `_DOUBT`.

    Args:
        sample: what the sampled frames of the clip show.
        cues: what counts.
        afar: shows the same frames from twice as far; None: the near look is all there is.
        like: as for `learn`: then it is known what is meant, and the near look is all there is too.
    """
    near = learn(sample, cues, like)
    known = like is not None or any(frame.seed is not None for frame in sample.frames)
    if afar is None or known or _extent(sample, near.marks) < _PERHAPS * _LARGE:
        return near
    smaller = afar(sample.frames)
    if smaller is None:
        return near
    far = learn(smaller, cues)
    if _extent(smaller, far.marks) < _LARGE:
        return near
    evidence = _enlarged(smaller, far.evidence, sample)
    counts = _enlarged(smaller, far.counts, sample)
    marks = teach(sample, near.ridge, evidence, counts, cues.rounds)
    doubt = 0.0 if near.moving else _DOUBT * math.log(max(1.0, marks.sum() / near.marks.sum()))
    better = _agreement(evidence, marks) > _agreement(near.evidence, near.marks) + doubt
    return replace(near, evidence=evidence, counts=counts, marks=marks) if better else near


def _extent(sample: Sample, marks: Marks) -> float:
    """The share of a frame that is marked, on average over the frames with marks; 0 where there are none."""
    shares = np.array([one.mean() for one in sample.maps(marks)])
    return float(shares[shares > 0].mean()) if shares.any() else 0.0


def _enlarged(sample: Sample, values: Values, larger: Sample) -> Values:
    """Values (n,) of one sample for the patches (m,) of another of the same frames, bilinearly."""
    pairs = zip(sample.maps(values), larger.frames, strict=True)
    maps = [cv2.resize(one, frame.shape[::-1], interpolation=cv2.INTER_LINEAR) for one, frame in pairs]
    return np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in maps])


def _agreement(evidence: Values, marks: Marks) -> float:
    """The correlation of evidence with marks; 0 where one of them is the same everywhere."""
    if not 0 < marks.mean() < 1 or evidence.std() == 0:
        return 0.0
    return float(np.corrcoef(evidence, marks)[0, 1])

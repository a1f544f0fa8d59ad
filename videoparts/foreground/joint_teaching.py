"""Clips that teach each other: from what each has learned alone to one probe for all of them.

Clips that are thrown together teach worse than each alone: what stands out in one hides what does in another. So each
marks its object by itself first. Those marks agree in general, and are wrong in single clips. A probe that the *other*
clips have taught knows nothing of a clip's own mistakes: what it finds likely, of what the clip itself has evidence
for, is marked anew. (As in co-training: Blum and Mitchell, "Combining Labeled and Unlabeled Data with Co-Training",
1998.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from ..clustering import Floats
from ..sampling.sample import FrameSample, Sample
from .evidence import Marks
from .probe import LinearProbe
from .teaching import Ridge, chances, finish, teach

_FOLDS = 5  # groups of clips, each of which is taught by all others
_OWN = 0.7  # power of a clip's own evidence beside what the others say: at 1 single pictures lose by it, at 0.5 clips
_ROUNDS = 2  # of teaching within a clip after that


def teach_together(sample: Sample) -> tuple[Floats, LinearProbe]:
    """Teach one probe what is the object in all clips of a sample.

    Args:
        sample: frames of several clips, one clip after the other, with the evidence and the marks of each.

    Returns:
        How certain the patches are on the object, (n,): 0 off it, up to 1; and the probe.
    """
    clips = [list(frames) for _, frames in groupby(sample.frames, lambda frame: frame.clip)]
    marks = [np.concatenate([f.mark.ravel() for f in frames if f.mark is not None]) for frames in clips]
    if len(clips) > 1:
        marks = _exchanged(clips, marks)
    return finish(sample, Ridge(sample.tokens), np.concatenate(marks))


def _exchanged(clips: Sequence[list[FrameSample]], marks: Sequence[Marks]) -> list[Marks]:
    """The marks of each clip after a lesson from the others."""
    folds = min(_FOLDS, len(clips))
    learned: dict[int, Marks] = {}
    for fold in range(folds):
        others = [k for k in range(len(clips)) if k % folds != fold]
        joint = Sample([frame for k in others for frame in clips[k]])
        _, probe = finish(joint, Ridge(joint.tokens), np.concatenate([marks[k] for k in others]))
        for k in range(fold, len(clips), folds):
            clip = Sample(clips[k])
            evidence = np.concatenate([f.evidence.ravel() for f in clip.frames if f.evidence is not None])
            target = evidence**_OWN * chances(probe, clip)
            learned[k] = teach(clip, Ridge(clip.tokens), target, np.ones(len(clip)), _ROUNDS)
    return [learned[k] for k in range(len(clips))]

"""A linear probe that a clip teaches itself: from weak evidence to a decision that holds in every frame.

Evidence is right about most of an object and most of its surroundings, but not about where the one ends. A linear
function of the tokens that is fitted to it cannot follow its errors, only what patches have in common; cut in two, it
is better evidence. A few rounds of that converge. (Self-training with ridge regression; Otsu, "A Threshold Selection
Method from Gray-Level Histograms", 1979.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ..clustering import Floats
from ..one_thread import each_on_one_thread, meanwhile
from ..sampling.motion import common_motion, to_patches
from ..sampling.sample import Sample
from .evidence import Clusterings, Cue, Cues, Marks, Values
from .marked import marked_cues
from .otsu import otsu
from .probe import LinearProbe
from .visibility import Visibility, visibility

_RIDGE = 3e-5  # of the tokens' squared length
_LARGE = 0.25  # components of a frame that are smaller than this share of its largest are dropped
_MOVES = 0.5  # of what counts in full: a patch that moves more by itself is one that moves
_STILL = 0.02  # what a patch of a component counts that does not move, or not with the object, where others count 1
# Of likeness to what is marked, 0 to 1, by which a patch counts. Of 49 points on clips, pairs of clips side by side and
# clips beside a still, J of patches is 0.495 with 0, 0.503 with 1, 0.525 with 2, 0.556 with 4 and 0.557 with 8.
_LIKE_POWER = 4.0
_UNLIKE = 0.1  # a patch that is less like it counts as if it were so much
_LOW = 0.05  # of the gap between the classes' means, by which the threshold lies below Otsu's: limbs are thin
_SOFT = 0.09  # of that gap: how fast a lead becomes certainty
_FIRST_ROUNDS = 3
_STILL_POWERS = (0.5, 1.0)  # of saliency, whose scores are averaged while nothing else is known
# Of what motion tells once the object is roughly known. Like saliency it falls off over an object: a cat turns its head
# and sits still, and with more power the head would be all that is found.
_MOST_POWER = 0.5
# Share of the frames that is enough for motion to count in full: in others the object may rest, or not be there. With
# all of them instead, J of seven clips is the same, that of 28 views of them .010 lower (objects that leave), and that
# of clips in whose first half the object is not there yet .014.
_ENOUGH_TELL = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class Lesson:
    """What a clip has learned of its object, before a probe is made of it."""

    evidence: Values  # (n,): where the object may be, from all that is evidence
    counts: Values  # (n,): for how much a patch counts in the size of a component
    marks: Marks  # (n,): where it is, after some rounds of teaching
    moving: bool  # whether motion has told what is of it
    ridge: Ridge  # of the clip's patches


def learn(sample: Sample, cues: Cues, like: LinearProbe | None = None) -> Lesson:
    """Mark the object in the frames of one clip, from what that clip tells.

    First, clusters that are salient, lie together off the frame's border and, where frames follow each other, move by
    themselves. Then, with the object roughly known, those that move together with it.

    Args:
        sample: what the sampled frames of the clip show.
        cues: what counts.
        like: finds the object that the user has marked in another clip; it is the one that is meant here too.
    """
    tokens = sample.tokens  # put together here, or both threads would
    with meanwhile(lambda: Ridge(tokens)) as made:  # it needs no evidence
        if like is not None or any(frame.seed is not None for frame in sample.frames):
            first = _first_from_seed(sample, cues, like)
        else:
            first = _first_from_cues(sample, cues)
    ridge = made.result()
    evidence, counts = first.score, first.meant * first.moving
    marks = teach(sample, ridge, evidence, counts, first.rounds)
    common = _common(sample, marks) if cues.motion else None
    if common is not None:
        # Motion tells now what the border had to guess: an object may well reach beyond it.
        evidence = first.clusterings.score([*first.known, common], border=False)
        # And that what stands still beside it, such as a tent as white as the car, is not a piece of it.
        counts = first.meant * np.where(common.told, common.values + _STILL, first.moving)
        marks = teach(sample, ridge, evidence, counts, cues.rounds)
    return Lesson(evidence, counts, marks, common is not None, ridge)


@dataclass(frozen=True)
class _First:
    """What is known before the object is."""

    clusterings: Clusterings
    score: Values  # (n,): where the object may be
    meant: Values  # (n,): for how much each counts in the size of a component by what the user has marked,
    moving: Values  # and by its motion
    rounds: int  # of teaching from that score
    known: list[Cue]  # what still counts once it is roughly known


def _first_from_cues(sample: Sample, cues: Cues) -> _First:
    clusterings = Clusterings(sample, cues)
    salient = sample.saliency.astype(np.float64) if cues.saliency else np.ones(len(sample))
    own = None
    if cues.motion:
        found = each_on_one_thread(lambda frame: frame.motion.own, sample.frames)
        maps = zip(found, sample.frames, strict=True)
        own = _gather(sample, [None if one is None else to_patches(one, frame.shape) for one, frame in maps])
    moving = [] if own is None else [own]
    score = np.mean([clusterings.score([Cue(salient, power), *moving]) for power in _STILL_POWERS], axis=0)
    rounds = cues.rounds if own is None else min(_FIRST_ROUNDS, cues.rounds)
    return _First(clusterings, score, np.ones(len(sample)), _moving(sample, own), rounds, [Cue(salient, 0.5)])


def _first_from_seed(sample: Sample, cues: Cues, like: LinearProbe | None) -> _First:
    """The user has marked the object in a frame: what looks like it takes the place of what is salient.

    It may be anywhere, so the border does not count; and in another clip than the marked one of any size, so neither
    does compactness. In frames without a mark there may be other things, larger than what is meant and even more
    salient: there a component counts by how much it looks like that.
    """
    clusterings = Clusterings(sample, replace(cues, border=False, compactness=cues.compactness and like is None))
    known = marked_cues(sample, clusterings) if like is None else [Cue(chances(like, sample), 1.0)]
    meant = np.maximum(known[0].values, _UNLIKE) ** _LIKE_POWER
    return _First(clusterings, clusterings.score(known), meant, np.ones(len(sample)), cues.rounds, known)


def _moving(sample: Sample, own: Cue | None) -> Values:
    """For how much each patch (n,) counts in the size of a component, by its own motion.

    Where a person walks by parked cars, they are larger and as salient, but in frames in which they stand apart from
    who walks they are components that do not move. Where motion cannot be followed, a patch counts as much as others do
    on average; in frames that motion says nothing of, all count alike.
    """
    if own is None:
        return np.ones(len(sample))
    counts = (own.values > _MOVES) + _STILL
    frames_told = np.isin(sample.frame, sample.frame[own.told])
    return np.where(own.told, counts, np.where(frames_told, counts[own.told].mean(), 1.0))


def _common(sample: Sample, mask: Marks) -> Cue | None:
    pairs = [(frame.motion.flows, core) for frame, core in zip(sample.frames, sample.maps(mask), strict=True)]
    return _gather(sample, each_on_one_thread(lambda pair: common_motion(*pair), pairs), _MOST_POWER)


def _gather(sample: Sample, maps: list[npt.NDArray[np.float32] | None], most: float = 1.0) -> Cue | None:
    """A cue from maps of those frames that have one, known where motion can be followed; None where there is nothing of
    the kind. Its power is ``most``, where enough frames have one; else it is the less the fewer they are."""
    told = [m is not None for m in maps]
    if not any(told):
        return None
    filled = [np.zeros(f.shape) if m is None else m for f, m in zip(sample.frames, maps, strict=True)]
    values = np.concatenate([m.ravel() for m in filled]).astype(np.float64)
    # Of a sky nothing is known: its flow is a guess, and otherwise than the camera's at that.
    known = np.array(told)[sample.frame] & sample.followed
    return Cue(values, most * min(1.0, float(np.mean(told)) / _ENOUGH_TELL), known) if known.any() else None


def teach(sample: Sample, ridge: Ridge, target: Values, counts: Values, rounds: int) -> Marks:
    """Where the object is, (n,), after some rounds of teaching.

    Args:
        sample: the patches.
        ridge: of these.
        target: (n,): where the object may be.
        counts: (n,): for how much each patch counts in the size of a component.
        rounds: how many.
    """
    mask = target > otsu(target)
    for _ in range(rounds):
        value = ridge.predict(ridge.fit(target))
        threshold, _ = _threshold(value)
        large = _large_components(sample, value > threshold, counts)
        known = visibility(sample.maps(value), sample.maps(large), threshold)
        mask = _large_components(sample, _lifted(sample, value, known) > threshold, counts)
        target = mask.astype(np.float64)
    return mask


def finish(sample: Sample, ridge: Ridge, mask: Marks) -> tuple[Floats, LinearProbe]:
    """The probe of a mask (n,), and how certain the patches are on the object, (n,): 0 off it, up to 1."""
    factors = ridge.fit(mask.astype(np.float64))
    value = ridge.predict(factors)
    threshold, gap = _threshold(value)
    known = visibility(sample.maps(value), sample.maps(value > threshold), threshold)
    weight, bias = ridge.weight(factors)
    scale = _SOFT * gap
    probe = LinearProbe(
        torch.from_numpy((weight / scale).astype(np.float32)),
        float((bias - threshold) / scale),
        known.scaled(scale, threshold),
    )
    # The lead of the object's odds over the background's: twice the likelihood, less one.
    lead = np.tanh((_lifted(sample, value, known) - threshold) / scale / 2)
    return np.maximum(lead, 0).astype(np.float32), probe


def _threshold(value: Values) -> tuple[float, float]:
    """A little below Otsu's, and the gap between the means of the two classes that his parts."""
    cut = otsu(value)
    above = value > cut
    gap = float(value[above].mean() - value[~above].mean()) if 0 < above.mean() < 1 else 1.0
    return cut - _LOW * gap, gap


def chances(probe: LinearProbe, sample: Sample) -> Values:
    """How likely a probe finds the patches (n,) of any sample to be on the object, 0 to 1."""
    odds = (sample.tokens @ probe.weight.numpy()).astype(np.float64) + probe.bias
    return np.asarray(0.5 + 0.5 * np.tanh(_lifted(sample, odds, probe.visibility) / 2))


def _lifted(sample: Sample, value: Values, known: Visibility) -> Values:
    return np.concatenate([known.lifted(torch.from_numpy(one)[None]).numpy().ravel() for one in sample.maps(value)])


class Ridge:
    """Ridge regression on the same patches again and again: what does not depend on the target is made once."""

    def __init__(self, tokens: npt.NDArray[np.float32]) -> None:
        self._tokens = tokens
        self._mean = tokens.mean(axis=0, dtype=np.float64).astype(np.float32)

        def moment(part: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            centred = part - self._mean  # float32 is enough: its rounding is far below the ridge
            return np.asarray(centred.T @ centred)

        gram = np.zeros((tokens.shape[1], tokens.shape[1]))
        for some in each_on_one_thread(moment, np.array_split(tokens, max(1, len(tokens) // 8192))):
            gram += some
        gram += _RIDGE * len(tokens) * np.eye(len(gram))
        self._inverse = np.linalg.inv(gram)

    def fit(self, target: Values) -> tuple[Values, float]:
        """Factors (D2,) of the centred tokens, and the mean of the target (n,)."""
        mean = float(target.mean())
        return self._inverse @ (self._tokens.T @ (target - mean).astype(np.float32)).astype(np.float64), mean

    def predict(self, factors: tuple[Values, float]) -> Values:
        """(n,)."""
        weight, bias = self.weight(factors)
        return (self._tokens @ weight.astype(np.float32)).astype(np.float64) + bias

    def weight(self, factors: tuple[Values, float]) -> tuple[Values, float]:
        """The same function of tokens that are not centred: weight (D2,) and bias."""
        weight, mean = factors
        return weight, mean - float(self._mean @ weight)


def _large_components(sample: Sample, mask: Marks, counts: Values) -> Marks:
    """What is left of a mask (n,) when small components of each frame are dropped; ``counts`` as for `teach`.

    In the frame that the user has marked: those that the point is not in, and what is outside the box.
    """
    kept = []
    for frame, one, each in zip(sample.frames, sample.maps(mask), sample.maps(counts), strict=True):
        if frame.seed is not None and frame.seed.sum() > 1:
            one = one & frame.seed
        count, label = cv2.connectedComponents(one.astype(np.uint8), connectivity=8)
        if frame.seed is None:
            size = np.bincount(label.ravel(), (one * each).ravel(), count)
            keep = size >= _LARGE * size.max()
        else:
            keep = np.bincount(label[frame.seed], minlength=count) > 0
        keep[0] = False
        left = keep[label]
        kept.append((left if frame.seed is None or left.any() else frame.seed).ravel())
    return np.concatenate(kept)

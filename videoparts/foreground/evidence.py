"""Evidence that a patch is on the object, before anything has been learned: cues, averaged over many clusterings.

Single patches are noise: saliency falls on some patches of an object and misses others, and flow is wrong at edges. A
cluster of patches that look alike, over all frames, has a mean that can be trusted. Which clusters there are hangs on
where k-means begins, so the scores of several clusterings, coarse to fine, are averaged. Each is made from some patches
that are spread evenly over frames and rows, and begins at some of these, spread in the same way; where the first lies
goes by the golden ratio (additive recurrence, the simplest sequence of low discrepancy). So no number is random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..clustering import along_axes, assign, kmeans_from
from ..one_thread import each_on_one_thread
from ..sampling.sample import Sample

Values = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]

_CLUSTERINGS = (24, 40, 64) * 12
_CLUSTERED = 2500  # patches that a clustering is made from: rather many clusterings than large ones
_GOLDEN = (5**0.5 - 1) / 2
_AXES = 64  # along which patches are clustered: J on clips and views is that of all 384
_PRIOR = 0.05  # of a cluster's patches: so many of the general mean are put to those that a cue knows of
_ONCE = 0.5  # of the variance of places in the whole frame: a cluster that is spread so far counts e times less


@dataclass(frozen=True)
class Cues:
    """What counts. The defaults are the method; the rest is for showing what each is worth."""

    motion: bool = True  # motion of its own, and motion common with the object, where frames follow each other
    saliency: bool = True
    compactness: bool = True
    border: bool = True
    rounds: int = 4  # of teaching
    draw: int = 0  # of many ways to draw patches: what changes with it hangs on nothing but that


@dataclass(frozen=True, eq=False, repr=False)
class Cue:
    """What one sense tells of the patches of a sample."""

    values: Values  # (n,) not negative
    power: float  # that the mean of a cluster is raised to: how much it counts
    known: npt.NDArray[np.bool_] | None = None  # (n,) of which patches it tells anything; None: of all

    @property
    def told(self) -> Marks:
        """(n,) of which patches it tells anything."""
        return np.ones(len(self.values), dtype=bool) if self.known is None else self.known

    def mean(self, label: npt.NDArray[np.int64], clusters: int) -> Values:
        """Mean over each cluster, (K,), of the patches that the cue knows of.

        Of a cluster without such patches nothing is known: it has the general mean.
        """
        if self.known is None:
            return np.asarray(np.bincount(label, self.values, clusters) / np.bincount(label, minlength=clusters))
        prior = _PRIOR * np.bincount(label, minlength=clusters)
        total = np.bincount(label, self.values * self.known, clusters) + prior * self.values[self.known].mean()
        return np.asarray(total / (np.bincount(label, self.known, clusters) + prior))


@dataclass(frozen=True, repr=False)
class _Clustering:
    """The patches of a sample in K clusters, none of them empty."""

    label: npt.NDArray[np.int64]  # (n,)
    compact: Values  # (K,): how far each lies together,
    inner: Values  # and off the border


class Clusterings:
    """Several clusterings of the patches of a sample, by what they look like. Made inside `one_thread`."""

    def __init__(self, sample: Sample, cues: Cues) -> None:
        looks = along_axes(sample.tokens[:, sample.tokens.shape[1] // 2 :], _AXES)  # of the later block's half

        def clustering(repeat: int) -> _Clustering:
            place = cues.draw * len(_CLUSTERINGS) + repeat
            some = looks[_spread(len(looks), _CLUSTERED, place * _GOLDEN)]
            start = some[_spread(len(some), _CLUSTERINGS[repeat], place * _GOLDEN**2 + 0.5)]
            label, _ = assign(looks, kmeans_from(some, start))
            used = np.bincount(label) > 0
            label, clusters = (np.cumsum(used) - 1)[label], int(used.sum())
            ones = np.ones(clusters)
            return _Clustering(
                label,
                _compact(sample, label, clusters) if cues.compactness else ones,
                _inner(sample, label, clusters) if cues.border else ones,
            )

        self._all = each_on_one_thread(clustering, range(len(_CLUSTERINGS)))
        self._filmed = ~sample.on_screen

    def score(self, cues: Sequence[Cue], *, border: bool = True) -> Values:
        """Mean over the clusterings of each cluster's score: how far it lies together, times the mean of each cue.

        Args:
            cues: what else counts.
            border: whether it counts against a cluster that it touches the border.

        Returns:
            (n,), 0 to 1; 0 where a patch is painted on the screen.
        """
        total = np.zeros(len(self._all[0].label))
        for one in self._all:
            score = one.compact * one.inner if border else one.compact.copy()
            for cue in cues:
                score *= cue.mean(one.label, len(score)) ** cue.power
            total += (score / max(score.max(), 1e-12))[one.label]
        return np.asarray(total / len(self._all) * self._filmed)


def _spread(total: int, count: int, begin: float) -> npt.NDArray[np.int64]:
    """``count`` numbers below ``total``, or all of them, evenly spread. The first goes by ``begin``'s fraction."""
    count = min(count, total)
    return ((np.arange(count) + begin % 1) * total / count).astype(np.int64)


def _inner(sample: Sample, label: npt.NDArray[np.int64], clusters: int) -> Values:
    """(K,): 1 for a cluster off the border of its frames, less for others."""
    at_border = np.bincount(label, weights=sample.border, minlength=clusters) / np.bincount(label, minlength=clusters)
    return np.asarray(1 - np.clip(at_border / (2 * max(sample.border.mean(), 1e-9)), 0, 1))


def _compact(sample: Sample, label: npt.NDArray[np.int64], clusters: int) -> Values:
    """(K,): 1 for a cluster that lies together in its frames, less for others."""
    off_centre = _off_centre(sample, sample.frame * clusters + label)
    whole = np.bincount(sample.frame, weights=_off_centre(sample, sample.frame)) / np.bincount(sample.frame)
    spread = off_centre / np.maximum(whole[sample.frame], 1e-12)
    mean = np.bincount(label, weights=spread, minlength=clusters) / np.bincount(label, minlength=clusters)
    return np.asarray(np.exp(-mean / _ONCE))


def _off_centre(sample: Sample, group: npt.NDArray[np.int64]) -> Values:
    """(n,): squared distance of each patch from the centre of its group."""
    count = np.maximum(np.bincount(group), 1)
    squared = np.zeros(len(group))
    for place in sample.place.astype(np.float64).T:
        squared += (place - (np.bincount(group, weights=place) / count)[group]) ** 2
    return squared

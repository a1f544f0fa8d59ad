"""Masks against annotated ones: folders of label pictures in, scores of each clip out.

::

    for clip in evaluate_folders("out/", "Annotations/cow", frames="JPEGImages/cow"):
        print(clip.name, clip.scores)

Frames are read one after the other and dropped: memory holds two of them, a table of labels, and one name and two
scores for each. The scores themselves are `metrics`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from ..clustering import Floats, kmeans, nearest
from ..frames import Pixels
from ..luma import luma
from ..sources.folder import read_picture
from .label_folders import Clip, match_clips, read_labels
from .metrics import (
    Table,
    ari,
    boundary_f,
    box_positions,
    contingency,
    jaccard,
    nmi,
    temporal_agreement,
)

_SAMPLE = 20_000  # pixels from which the position-only baseline learns


@dataclass(frozen=True)
class FrameScores:
    """One frame: its file's stem, J and F, and whether it has no prediction."""

    stem: str
    j: float
    f: float
    missing: bool = False


@dataclass(frozen=True)
class Scores:
    """The scores of a clip, or their means; None where a score has nothing to say. See `metrics`.

    J and F are means over frames, T is one over pairs of frames that follow each other. All others count the pixels
    of the whole clip at once.
    """

    j: float | None
    f: float | None
    t: float | None = None
    """None without frames, or where no two frames follow each other."""
    coverage: float | None = None
    """Share of the object's pixels that have a label. None where there is no object."""
    spill: float | None = None
    """Share of the labelled pixels that are outside of the object. None where nothing is labelled."""
    share: float | None = None
    """Share of all pixels that have a label."""
    nmi: float | None = None
    """Predicted against annotated parts on annotated pixels, unlabelled ones being a label of their own. None, like
    the next three, where the truth has fewer than two parts."""
    ari: float | None = None
    position_nmi: float | None = None
    """The same of k-means on a pixel's place in the box of the object, into as many clusters as there are predicted
    parts: what a labelling is worth that has not seen the picture."""
    position_ari: float | None = None

    @classmethod
    def mean(cls, of: Sequence[Scores]) -> Scores:
        """The mean of each score, over those that have it."""
        columns = {field.name: [getattr(one, field.name) for one in of] for field in fields(cls)}
        known = {name: [value for value in values if value is not None] for name, values in columns.items()}
        return cls(**{name: sum(values) / len(values) if values else None for name, values in known.items()})


@dataclass(frozen=True)
class ClipScores:
    """What `evaluate_clip` finds."""

    name: str
    scores: Scores
    frames: tuple[FrameScores, ...]
    pairs: int
    """Pairs of frames that T is the mean of."""
    resized: int
    """Predictions that were brought to the size of the truth."""
    without_prediction: int
    """Annotated frames without a prediction: they score 0, or are left out if only common frames are scored."""
    without_truth: int
    """Predictions that no annotated frame belongs to: they are not looked at."""
    parts: int
    """Labels other than 0 in the scored predictions."""
    truth_parts: int
    """Labels other than 0 in the scored truth."""

    @property
    def worst(self) -> FrameScores:
        """The frame with the lowest J, the first of equals."""
        return min(self.frames, key=lambda frame: frame.j)


def evaluate_folders(
    prediction: Path | str, truth: Path | str, frames: Path | str | None = None, *, common: bool = False
) -> tuple[ClipScores, ...]:
    """The scores of each clip. Arguments and errors: see `match_clips` and `evaluate_clip`."""
    return tuple(evaluate_clip(clip) for clip in match_clips(prediction, truth, frames, common=common).clips)


def evaluate_clip(clip: Clip, *, seed: int = 0, on_frame: Callable[[int], None] | None = None) -> ClipScores:
    """Score one clip.

    Args:
        clip: its files.
        seed: of the baseline's sample of pixels and its k-means.
        on_frame: called with 1 after every frame.

    Raises:
        SourceError: a picture cannot be read, or is no label picture.
        DependencyError: the truth has parts, and faiss, which the baseline needs, is not installed.
    """
    tally = _Tally(seed)
    sides = (clip.truth, clip.prediction, clip.frames or {})
    ranks = [{stem: rank for rank, stem in enumerate(side)} for side in sides]
    for stem in clip.stems:
        truth = read_labels(clip.truth[stem])
        given = clip.prediction.get(stem)
        tally.add(stem, None if given is None else read_labels(given), truth)
        if all(stem in rank for rank in ranks):
            tally.add_motion([rank[stem] for rank in ranks], _luma(sides[2][stem], truth.shape))
        if on_frame is not None:
            on_frame(1)
    return tally.result(clip)


class _Tally:
    """Counts frame by frame."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._frames: list[FrameScores] = []
        self._agreements: list[float] = []
        self._before: tuple[Sequence[int], Pixels, Pixels] | None = None
        self._labels: Pixels = np.zeros((0, 0), np.uint8)
        self._predicted = np.zeros(256, np.int64)  # pixels of each label, over all frames
        self._annotated = np.zeros(256, np.int64)
        self._parts: Table = np.zeros((256, 256), np.int64)  # predicted x annotated, on annotated pixels
        self._resized = 0

    def add(self, stem: str, labels: Pixels | None, truth: Pixels) -> None:
        """Count a frame; labels None: it has no prediction."""
        missing = labels is None
        if labels is None:
            labels = np.zeros_like(truth)
        elif labels.shape != truth.shape:
            self._resized += 1
            labels = _resize(labels, truth.shape)
        ours, theirs = labels > 0, truth > 0
        j, f = (0.0, 0.0) if missing else (jaccard(ours, theirs), boundary_f(ours, theirs))
        self._frames.append(FrameScores(stem, j, f, missing))
        self._labels = labels
        self._predicted += np.bincount(labels.ravel(), minlength=256)
        self._annotated += np.bincount(truth.ravel(), minlength=256)
        self._parts += contingency(labels[theirs], truth[theirs])

    def add_motion(self, ranks: Sequence[int], frame: Pixels) -> None:
        """Compare the frame that was added last with the one before, if it follows that one everywhere.

        Args:
            ranks: where the frame stands in the truth, in the prediction, and among the frames.
            frame: (H, W), its luma.
        """
        if self._before is not None:
            ranks_before, labels, frame_before = self._before
            follows = all(now == before + 1 for now, before in zip(ranks, ranks_before, strict=True))
            if follows and frame_before.shape == frame.shape:
                agreement = temporal_agreement(labels, self._labels, frame_before, frame)
                if agreement is not None:
                    self._agreements.append(agreement)
        self._before = ranks, self._labels, frame

    def result(self, clip: Clip) -> ClipScores:
        """The scores of all frames that were added, which are those of ``clip``."""
        parts, truth_parts = (int(np.count_nonzero(pixels[1:])) for pixels in (self._predicted, self._annotated))
        labelled, on_object = int(self._predicted[1:].sum()), int(self._parts[1:].sum())
        agreement: dict[str, float] = {}
        if truth_parts >= 2:
            position = _position_only(clip, max(1, parts), self._seed)
            agreement = {
                "nmi": nmi(self._parts),
                "ari": ari(self._parts),
                "position_nmi": nmi(position),
                "position_ari": ari(position),
            }
        scores = Scores(
            j=_mean([frame.j for frame in self._frames]),
            f=_mean([frame.f for frame in self._frames]),
            t=_mean(self._agreements),
            coverage=_ratio(on_object, int(self._annotated[1:].sum())),
            spill=_ratio(labelled - on_object, labelled),
            share=_ratio(labelled, int(self._predicted.sum())),
            **agreement,
        )
        return ClipScores(
            clip.name,
            scores,
            tuple(self._frames),
            pairs=len(self._agreements),
            resized=self._resized,
            without_prediction=sum(stem not in clip.prediction for stem in clip.truth),
            without_truth=sum(stem not in clip.truth for stem in clip.prediction),
            parts=parts,
            truth_parts=truth_parts,
        )


def _position_only(clip: Clip, parts: int, seed: int) -> Table:
    """The table of the baseline against the truth, in two more passes over the truth."""
    sample = _Sample(_SAMPLE, seed)
    for positions, _ in _annotated_pixels(clip):
        sample.add(positions)
    centroids = kmeans(sample.kept, min(parts, len(np.unique(sample.kept, axis=0))), seed, spherical=False)
    table = np.zeros((256, 256), np.int64)
    for positions, labels in _annotated_pixels(clip):
        table += contingency(nearest(positions, centroids).astype(np.uint8), labels)
    return table


def _annotated_pixels(clip: Clip) -> Iterator[tuple[Floats, Pixels]]:
    """For each scored frame the places (n, 2) in the object's box, and the labels (n,), of the annotated pixels."""
    for stem in clip.stems:
        truth = read_labels(clip.truth[stem])
        yield box_positions(truth > 0), truth[truth > 0]


class _Sample:
    """An even sample of at most ``size`` of all points that come by: those that draw the lowest numbers."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._random = np.random.default_rng(seed)
        self._drawn = np.empty(0)
        self.kept: Floats = np.empty((0, 2), np.float32)

    def add(self, points: Floats) -> None:
        """Let some points (n, 2) come by."""
        drawn = np.concatenate([self._drawn, self._random.random(len(points))])
        points = np.concatenate([self.kept, points])
        if len(drawn) > self._size:
            lowest = np.sort(np.argpartition(drawn, self._size)[: self._size])
            drawn, points = drawn[lowest], points[lowest]
        self._drawn, self.kept = drawn, points


def _resize(labels: Pixels, shape: tuple[int, ...]) -> Pixels:
    return np.asarray(cv2.resize(labels, shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT), dtype=np.uint8)


def _luma(file: Path, shape: tuple[int, ...]) -> Pixels:
    frame = luma(read_picture(file))
    if frame.shape == shape:
        return frame
    return np.asarray(cv2.resize(frame, shape[1::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None

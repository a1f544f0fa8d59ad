"""PCK: the share of points that were found near enough to where they are (as SPair-71k has it)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import SettingsError
from .pair_files import PairFile, PointPair

Yardstick = Literal["box", "image"]


@dataclass(frozen=True)
class PairScores:
    """How the points of one pair of pictures were found."""

    name: str
    shares: tuple[float, ...]  # of the true points, found within each alpha
    points: int
    missing: int  # points that have no prediction: they count as wrong


def score_pair(
    name: str, found: PairFile | None, truth: PairFile, alphas: Sequence[float], of: Yardstick
) -> PairScores:
    """Score one pair. A point is the same in both files by its name, or without a name by its number.

    It is right where it lies no farther from the truth than alpha times the longer side of the yardstick in the other
    picture: of the object's box, or of the whole picture.

    Raises:
        SettingsError: the truth has no point, no other picture or no box where that is the yardstick; or the prediction
            is of pictures of another size.
    """
    other = truth.other
    points = [(pair, pair.other) for pair in truth.pairs if pair.other is not None]
    if other is None or not points:
        raise SettingsError(f"{name}: the truth has no points of the other picture; look at its pairs")
    if of == "box" and other.box is None:
        raise SettingsError(f"{name}: the truth has no box of the other picture; give it, or take --of image")
    if found is not None and found.other is not None:
        size, true = (found.other.width, found.other.height), (other.width, other.height)
        if size != true:
            raise SettingsError(
                f"{name}: the prediction is of a picture of {size[0]}x{size[1]} pixels, the truth of "
                f"{true[0]}x{true[1]}; give the points of one and the same picture"
            )
    side = _longer_side(other.box) if of == "box" and other.box is not None else max(other.width, other.height)
    known = {} if found is None else {_key(pair): pair.other for pair in found.pairs if pair.other is not None}
    off = [math.dist(known[_key(pair)], at) if _key(pair) in known else math.inf for pair, at in points]
    shares = tuple(sum(one <= alpha * side for one in off) / len(off) for alpha in alphas)
    return PairScores(name, shares, len(off), sum(one == math.inf for one in off))


def mean_scores(scores: Sequence[PairScores]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The means over pairs, each counting the same, and over all points."""
    total = sum(one.points for one in scores)
    columns = list(zip(*(one.shares for one in scores), strict=True))
    by_point = [[one.shares[k] * one.points for one in scores] for k in range(len(columns))]
    return tuple(sum(column) / len(scores) for column in columns), tuple(sum(column) / total for column in by_point)


def _key(pair: PointPair) -> str | int:
    return pair.number if pair.name is None else pair.name


def _longer_side(box: Sequence[float]) -> float:
    return max(box[2] - box[0], box[3] - box[1])

"""Points of two pictures that mean the same (paper, section 4: point correspondences)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ..clustering import Floats, kmeans
from ..sources.selection import spread
from .described import Described
from .mutual import neighbours
from .points import Points, patches_at

_CLUSTERED = 1000  # pairs that clusters are made from: joined descriptors of more would only take memory


@dataclass(frozen=True)
class Correspondence:
    """Two points that mean the same, in pixels of their pictures as `points` has them."""

    one: tuple[float, float]  # x, y
    other: tuple[float, float]
    similarity: float  # cosine of their descriptors, -1..1
    saliency: float | None = None  # 0..1, mean of both ends; None of points that were given
    name: str | None = None  # of a point that was given


def correspondences(one: Described, other: Described, count: int, seed: int = 0) -> list[Correspondence]:
    """Well-spread pairs of patches that are nearest to one another, both on the object.

    The pairs are clustered by what both ends look like, and each cluster shows its most salient one, as in the paper.

    Args:
        one: the first picture.
        other: the second one.
        count: pairs wanted.
        seed: of k-means.

    Returns:
        At most ``count``, the most salient first; none where no pair is on the object in both.
    """
    found = neighbours(one.descriptors, other.descriptors)
    first = found.mutual()
    second = found.of_one[first]
    on_object = one.foreground[first.cpu()] & other.foreground[second.cpu()]
    first, second = first[on_object.to(first.device)], second[on_object.to(first.device)]
    if not len(first):
        return []
    salient = ((one.salient[first.cpu()] + other.salient[second.cpu()]) / 2).numpy()
    shown = _spread(one.descriptors[first], other.descriptors[second], salient, count, seed)
    shown = shown[np.argsort(-salient[shown], kind="stable")]
    ends = (one.points[first.cpu().numpy()[shown]], other.points[second.cpu().numpy()[shown]])
    cosines = found.cosine[first].cpu().numpy()[shown]
    return [
        Correspondence(_pair(a), _pair(b), float(cosine), float(rank))
        for a, b, cosine, rank in zip(*ends, cosines, salient[shown], strict=True)
    ]


def transferred(one: Described, other: Described, points: Points, names: list[str | None]) -> list[Correspondence]:
    """Where given points (k, 2) of the first picture are in the second: the nearest patch of all, one way.

    What is seen at a point is the patch whose centre is nearest to it. The point itself is given back as it was.
    """
    patches = torch.from_numpy(patches_at(one.grid, one.size, points)).to(one.descriptors.device)
    found = neighbours(one.descriptors[patches], other.descriptors)
    ends = other.points[found.of_one.cpu().numpy()]
    return [
        Correspondence(_pair(a), _pair(b), cosine, name=name)
        for a, b, cosine, name in zip(points, ends, found.cosine.tolist(), names, strict=True)
    ]


def _spread(one: torch.Tensor, other: torch.Tensor, salient: Floats, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Of pairs of descriptors, (k, D) both, the most salient one of each of ``count`` clusters; all, if no more."""
    k = len(one)
    if k <= count:
        return np.arange(k)
    some = spread(range(k), _CLUSTERED)
    joined = torch.cat([one[some], other[some]], dim=1).cpu().numpy() / np.float32(2**0.5)
    centroids = torch.from_numpy(kmeans(joined, count, seed)).to(one.device)
    label = (one @ centroids[:, : one.shape[1]].T + other @ centroids[:, one.shape[1] :].T).argmax(1).cpu().numpy()
    order = np.argsort(-salient, kind="stable")
    _, first = np.unique(label[order], return_index=True)
    return np.asarray(order[first])


def _pair(point: Points) -> tuple[float, float]:
    return float(point[0]), float(point[1])

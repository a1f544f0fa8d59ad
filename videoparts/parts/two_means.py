"""Some points in two groups, so that a few other points give nearly the same two.

Where several ways to part a cloud of points are nearly as good, the best of many starts of k-means is one of them by
chance. Here every point belongs to both centroids, the more to the nearer, and the two start along the principal axis:
then there is one way, which changes little when the points do. (Deterministic annealing at one temperature: Rose,
Gurewitz, Fox, "Statistical Mechanics and Phase Transitions in Clustering", 1990.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

_TEMPERATURE = 0.2  # of the variance along the principal axis; at 1 the two centroids would be one
_ROUNDS = 60  # at most
_STILL = 1e-5  # of the spread along the axis: a centroid that moves less has arrived
_FEWEST = 4  # points that can still be parted
_ROUNDING = 1e-5  # squared distance that may be rounding


@dataclass(frozen=True, eq=False, repr=False)
class Halves:
    """Points in two groups."""

    gain: float  # by how much two means shorten the weighted sum of squared distances; 0 where nothing can be parted
    centroids: torch.Tensor  # (2, D)
    first: torch.Tensor  # (n,) bool: those that are nearer to the first centroid, which are no less than the others


def halve(points: torch.Tensor, weight: torch.Tensor) -> Halves:
    """Part points in two.

    Args:
        points: (n, D) float32.
        weight: (n,) float32, not negative: how much each counts.
    """
    total = weight.sum()
    whole = Halves(0.0, points.new_zeros(2, points.shape[1]), torch.ones(len(points), dtype=torch.bool))
    if len(points) < _FEWEST or total <= 0:
        return whole
    mean = weight @ points / total
    away = points - mean
    covariance = (away * weight[:, None]).T @ away / total
    if covariance.trace() < _ROUNDING:  # all points are one but for rounding, with which LAPACK comes to no end
        return whole
    variance, axes = torch.linalg.eigh(covariance)
    if variance[-1] < _ROUNDING:
        return whole
    centroids = _soft(away, weight, axes[:, -1] * variance[-1].sqrt(), variance[-1])
    first = _nearer(away, centroids) > 0
    share = weight[first].sum() / total
    if not 0 < share < 1:
        return whole
    if share < 0.5:
        first, centroids = ~first, centroids.flip(0)
    one, other = (weight[side] @ away[side] / weight[side].sum() for side in (first, ~first))
    gain = (total * share * (1 - share) * (one - other).square().sum()).item()
    return Halves(gain if gain > _ROUNDING * total.item() else 0.0, centroids + mean, first)


def _soft(points: torch.Tensor, weight: torch.Tensor, start: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """Centroids (2, D) of points (n, D) whose mean is 0; from ``start`` (D,) and its opposite."""
    total = weight.sum()
    centroids = torch.stack([start, -start])
    for _ in range(_ROUNDS):
        mine = weight * (_nearer(points, centroids) / (_TEMPERATURE * variance)).sigmoid()
        whose = torch.stack([mine, weight - mine])
        moved = whose @ points / whose.sum(1, keepdim=True).clamp(min=1e-9 * total.item())
        arrived = (moved - centroids).abs().max() < _STILL * variance.sqrt()
        centroids = moved
        if arrived:
            break
    return centroids


def _nearer(points: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """(n,): by how much points (n, D) are nearer to the first of two centroids, as half a squared distance."""
    half = centroids.square().sum(1) / 2
    return points @ (centroids[0] - centroids[1]) - (half[0] - half[1])

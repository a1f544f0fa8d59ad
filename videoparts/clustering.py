"""Spherical k-means, and how many clusters to take. The only file that knows faiss.

Clusterings are small, mostly of 2500 points along 64 axes: 4 ms each on one core. So faiss works on the CPU, whichever
of its packages is installed; its k-means would take all GPUs of the machine, those too that other runs are at work on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DependencyError, FitError
from .one_thread import each_on_one_thread

Floats = npt.NDArray[np.float32]

_ITERATIONS = 30
_REDO = 3  # k-means keeps the best of so many starts
_MOST_CLUSTERS = 14  # the elbow of the paper's authors looks no further
_FEW_ROUNDS = 5  # of k-means, from clusters that are good but for one
_TRIES = 3  # clusters that are split, to see which is best
_POWERS = 10  # iterations that find the longest axis of a cluster, nearly
_ELBOW_SAMPLE = 6000  # descriptors that are enough to see where the elbow is


def kmeans(descriptors: Floats, k: int, seed: int = 0, *, redo: int = _REDO, spherical: bool = True) -> Floats:
    """Spherical k-means: centroids of unit length that keep the sum of cosines to the nearest one largest.

    The same descriptors and seed give the same centroids.

    Args:
        descriptors: (n, D) float32, unit length, n at least k.
        k: clusters.
        seed: of the starting points.
        redo: starts, of which the best is kept.
        spherical: False for plain k-means, of points of any length: it keeps the sum of squared distances smallest.

    Returns:
        (k, D) float32, unit length if spherical.

    Raises:
        FitError: fewer descriptors than clusters.
        DependencyError: faiss is not installed.
    """
    n = len(descriptors)
    if n < k:
        raise FitError(
            f"{n} descriptors cannot make {k} clusters; sample more frames (--frames) or ask for fewer parts"
        )
    return _trained(descriptors, k, niter=_ITERATIONS, nredo=redo, spherical=spherical, seed=seed)


def kmeans_from(descriptors: Floats, start: Floats, rounds: int = _ITERATIONS) -> Floats:
    """Spherical k-means from centroids that are given, so that chance has no part in it.

    Args:
        descriptors: (n, D) float32, unit length, n at least k.
        start: (k, D) float32.
        rounds: of assigning and averaging, at most.

    Returns:
        (k, D) float32, unit length.

    Raises:
        DependencyError: faiss is not installed.
    """
    return _trained(descriptors, len(start), start, niter=rounds, spherical=True)


def _trained(descriptors: Floats, k: int, start: Floats | None = None, **how: Any) -> Floats:
    """k centroids (k, D) of faiss; from a start (k, D), or from descriptors that it draws."""
    faiss = _faiss()
    n, d = descriptors.shape
    with _one_thread(faiss):
        algorithm = faiss.Kmeans(
            d,
            k,
            min_points_per_centroid=1,  # faiss would warn on the terminal below 39, which is its habit, not a limit
            max_points_per_centroid=n,  # faiss would cluster a sample of its own drawing
            gpu=False,
            **how,
        )
        algorithm.train(np.ascontiguousarray(descriptors, dtype=np.float32), init_centroids=start)
    return np.asarray(algorithm.centroids, dtype=np.float32).reshape(k, d)


def assign(descriptors: Floats, centroids: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """The nearest centroid of each descriptor, (n,), and the cosine to it, (n,)."""
    cosines = descriptors @ centroids.T
    nearest = cosines.argmax(axis=1)
    return nearest, np.take_along_axis(cosines, nearest[:, None], axis=1)[:, 0]


def along_axes(descriptors: Floats, axes: int) -> Floats:
    """Descriptors (n, D) along the few directions in which they are longest: (n, axes) float32, or (n, D) if D is less.

    Their products, and so what is near to what, stay nearly the same, and clustering takes a fraction of the time.
    """
    moment = np.asarray(descriptors.T @ descriptors, dtype=np.float64)
    return np.ascontiguousarray(descriptors @ np.linalg.eigh(moment)[1][:, -axes:].astype(np.float32))


def nearest(points: Floats, centroids: Floats) -> npt.NDArray[np.int64]:
    """The centroid, (n,), of k (k, D) that is the least distance away from each point (n, D), of any length."""
    # |p - c|^2 = |p|^2 - 2 (p c - |c|^2 / 2), of which |p| is the same for every c
    return np.asarray((points @ centroids.T - (centroids**2).sum(axis=1) / 2).argmax(axis=1))


def kmeans_elbow(descriptors: Floats, elbow: float) -> Floats:
    """Cluster with growing k until that pays no more (paper, section 4: the elbow rule).

    Stops at the first k whose mean squared distance is more than ``elbow`` times that of k - 1, and keeps that k, as
    the paper's authors do. They begin anew, ten times, for each k. Here k clusters are those of k - 1, of which each of
    the three with the largest distance is split, and the best after a few rounds of k-means is kept: as good as the
    best of ten starts, and chance has no part in it.

    Args:
        descriptors: (n, D) float32, unit length.
        elbow: 0..1; nearer to 1 gives more clusters.

    Returns:
        (k, D) float32, k at most 14.

    Raises:
        FitError: no descriptors.
        DependencyError: faiss is not installed.
    """
    sample = descriptors[:: max(1, len(descriptors) // _ELBOW_SAMPLE)]
    centroids = kmeans(sample, 1, redo=1)
    distance = _mean_distance(sample, centroids)
    while len(centroids) < min(_MOST_CLUSTERS, len(sample)):
        tried = each_on_one_thread(lambda start: kmeans_from(sample, start, _FEW_ROUNDS), one_more(sample, centroids))
        distances = [_mean_distance(sample, some) for some in tried]
        best = int(np.argmin(distances))
        centroids, last, distance = tried[best], distance, distances[best]
        if distance > elbow * last:
            break
    return kmeans_from(descriptors, centroids)


def one_more(descriptors: Floats, centroids: Floats) -> list[Floats]:
    """Centroids (k + 1, D) to start from, three at most: of k (k, D), where one of the clusters with the largest
    distance is cut across the axis along which it is longest."""
    label, cosine = assign(descriptors, centroids)
    distance = np.bincount(label, 1 - cosine.astype(np.float64), len(centroids))
    starts = []
    for cluster in np.argsort(-distance, kind="stable")[:_TRIES]:
        two = _cut(descriptors[label == cluster]) if (label == cluster).any() else centroids[[cluster, cluster]]
        starts.append(np.concatenate([np.delete(centroids, cluster, axis=0), two]))
    return starts


def _cut(inside: Floats) -> Floats:
    """Two centroids (2, D) for the descriptors of one cluster."""
    mean = inside.mean(axis=0)
    away = inside - mean
    axis = away[np.square(away).sum(axis=1).argmax()]
    for _ in range(_POWERS):
        axis = away.T @ (away @ axis)
        axis /= max(float(np.linalg.norm(axis)), 1e-12)
    step = np.sqrt(np.square(away @ axis).mean()) * axis
    two = np.stack([mean + step, mean - step])
    two /= np.maximum(np.linalg.norm(two, axis=1, keepdims=True), 1e-12)
    return np.asarray(two, dtype=np.float32)


def _mean_distance(descriptors: Floats, centroids: Floats) -> float:
    # |a - b|^2 = 2 - 2 cos for unit vectors
    return float(2 - 2 * assign(descriptors, centroids)[1].mean(dtype=np.float64))


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    """Clusterings of our size take 6 to 20 times as long on two threads of faiss beside torch's own as on one."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def faiss_version() -> str | None:
    """The version of faiss, None where it is not installed."""
    try:
        return str(_faiss().__version__)
    except DependencyError:
        return None


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise DependencyError(
            "clustering needs faiss; install one of: pip install 'videoparts[cpu]' or pip install 'videoparts[gpu]'"
        ) from error
    return faiss

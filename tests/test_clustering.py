"""Spherical k-means against faiss' own assignment, and the elbow on clusters that are known."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pytest

from videoparts import clustering
from videoparts.clustering import Floats, along_axes, assign, kmeans, kmeans_elbow, one_more
from videoparts.errors import DependencyError, FitError
from videoparts.vit.extractor import ViTExtractor


def blobs(clusters: int, each: int = 60, d: int = 16, spread: float = 0.05, seed: int = 0) -> Floats:
    """Tight bundles of unit vectors, in no order."""
    random = np.random.default_rng(seed)
    centres = np.linalg.qr(random.normal(size=(d, d)))[0][:clusters]
    points = np.repeat(centres, each, axis=0) + spread * random.normal(size=(clusters * each, d))
    points = random.permutation(points / np.linalg.norm(points, axis=1, keepdims=True))
    return np.asarray(points, dtype=np.float32)


def test_known_clusters_are_found() -> None:
    points = blobs(5)
    centroids = kmeans(points, 5)
    nearest, cosine = assign(points, centroids)
    assert np.allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
    assert sorted(np.bincount(nearest)) == [60] * 5
    assert cosine.min() > 0.9


def test_assignment_is_faiss_own() -> None:
    import faiss

    points = blobs(7, spread=0.3)
    centroids = kmeans(points, 4)
    index = faiss.IndexFlatIP(points.shape[1])
    index.add(centroids)
    assert np.array_equal(index.search(points, 1)[1][:, 0], assign(points, centroids)[0])


def test_the_same_seed_gives_the_same_bytes_and_another_may_not() -> None:
    points = blobs(8, spread=0.5)
    assert kmeans(points, 6, seed=3).tobytes() == kmeans(points, 6, seed=3).tobytes()
    assert kmeans(points, 6, seed=3).tobytes() != kmeans(points, 6, seed=4).tobytes()


@pytest.mark.parametrize("clusters", [2, 4, 6])
def test_the_elbow_is_one_past_the_clusters_that_are_there(clusters: int) -> None:
    # The rule keeps the first k that no longer pays, as the paper's authors do.
    assert len(kmeans_elbow(blobs(clusters, each=200, spread=0.02), 0.9)) == clusters + 1


def distance(points: Floats, centroids: Floats) -> float:
    return float(2 - 2 * assign(points, centroids)[1].mean(dtype=np.float64))


def descriptors_of(photograph: npt.NDArray[np.uint8], extractor: ViTExtractor) -> Floats:
    return np.asarray(extractor.extract(photograph[None]).descriptors[0].flatten(0, 1).numpy())


def test_one_more_cluster_at_a_time_is_as_good_as_many_new_starts(
    photograph: npt.NDArray[np.uint8], extractor: ViTExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = descriptors_of(photograph, extractor)
    trained: list[int] = []
    train = clustering._trained
    monkeypatch.setattr(clustering, "_trained", lambda *given, **how: trained.append(given[1]) or train(*given, **how))
    found = []
    for k in (2, 5, 8, 12):
        monkeypatch.setattr(clustering, "_MOST_CLUSTERS", k)
        trained.clear()
        found.append(distance(points, kmeans_elbow(points, 0.9999)))
        assert trained == [1, 2] + [c for c in range(3, k + 1) for _ in range(min(3, c - 1))] + [k]
    from_scratch = [distance(points, kmeans(points, k, redo=10)) for k in (2, 5, 8, 12)]
    assert max(a / b for a, b in zip(found, from_scratch, strict=True)) < 1.02
    assert found == sorted(found, reverse=True)


def test_one_more_cuts_the_widest_cluster_across_its_longest_axis() -> None:
    points = blobs(3, each=80, spread=0.01)
    three = kmeans(points, 3)
    joined = three[:2].sum(axis=0)
    two = np.stack([joined / np.linalg.norm(joined), three[2]])
    start = one_more(points, two)[0]
    assert start.shape == (3, points.shape[1])
    assert start.dtype == np.float32
    # Each is nearest to another of the three that are there.
    assert sorted((start @ three.T).argmax(axis=1)) == [0, 1, 2]
    assert (start @ three.T).max(axis=1).min() > 0.95


def test_equal_descriptors_end_in_one_place() -> None:
    points = np.tile(np.eye(1, 8, dtype=np.float32), (50, 1))
    assert np.allclose(kmeans_elbow(points, 0.9)[:, 0], 1, atol=1e-3)


def test_the_elbow_stops_at_fifteen() -> None:
    random = np.random.default_rng(0).normal(size=(400, 64)).astype(np.float32)
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    assert len(kmeans_elbow(random, 0.9999)) <= 15


def test_too_few_descriptors() -> None:
    with pytest.raises(FitError, match="3 descriptors cannot make 4 clusters"):
        kmeans(blobs(3, each=1), 4)


def test_faiss_threads_are_left_as_they_were() -> None:
    import faiss

    before = faiss.omp_get_max_threads()
    kmeans(blobs(3), 3)
    assert faiss.omp_get_max_threads() == before


def test_without_faiss_both_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(DependencyError, match=r"videoparts\[cpu\].*videoparts\[gpu\]"):
        kmeans(blobs(3), 3)


def test_along_axes_products_stay_nearly_the_same() -> None:
    random = np.random.default_rng(0)
    some = random.normal(size=(500, 6)) @ random.normal(size=(6, 40)) + 1e-3 * random.normal(size=(500, 40))
    some = (some / np.linalg.norm(some, axis=1, keepdims=True)).astype(np.float32)
    few = along_axes(some, 6)
    assert few.shape == (500, 6)
    assert np.abs(few @ few.T - some @ some.T).max() < 1e-4
    assert along_axes(some[:, :4], 6).shape == (500, 4)

"""Cues averaged over clusterings, against the same spelt out patch by patch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scenes import H, Scene, Thing, W, box

from videoparts.clustering import along_axes, assign, kmeans_from
from videoparts.foreground import evidence
from videoparts.foreground.evidence import Clusterings, Cue, Cues
from videoparts.sampling.sample import Sample


@pytest.fixture(scope="module")
def scene() -> Scene:
    compact = Thing(5, lambda i: box(6, 6 + i, 6, 8))
    edge = Thing(6, lambda _: box(0, 0, H, 3))
    scattered = np.random.default_rng(3).random((8, H, W)) < 0.1
    return Scene([compact, edge, Thing(7, lambda i: scattered[i])], noise=0.05)


def slow_prior(sample: Sample, label: npt.NDArray[np.int64], cluster: int) -> float:
    """One cluster: exp(-2 variance within a frame / that of the whole frame), less for what lies at the border."""
    members = np.flatnonzero(label == cluster)
    spreads = []
    for n in members:
        here = sample.frame == sample.frame[n]
        mine = sample.place[here & (label == cluster)].astype(np.float64)
        whole = sample.place[here].astype(np.float64)
        variance = ((whole - whole.mean(axis=0)) ** 2).sum(axis=1).mean()
        spreads.append(((sample.place[n] - mine.mean(axis=0)) ** 2).sum() / variance)
    at_border = min(1.0, sample.border[members].mean() / (2 * sample.border.mean()))
    return float((1 - at_border) * np.exp(-2 * np.mean(spreads)))


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_scores_are_those_of_the_definition(scene: Scene, power: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_CLUSTERINGS", (5, 9))
    monkeypatch.setattr(evidence, "_CLUSTERED", 1000)
    sample, draw = scene.sample(), 2
    cue = np.random.default_rng(1).random(len(sample))
    other = sample.saliency.astype(np.float64)
    found = Clusterings(sample, Cues(draw=draw)).score([Cue(cue, power), Cue(other, 1.0)])
    wanted = np.zeros(len(sample))
    looks = along_axes(sample.tokens[:, sample.tokens.shape[1] // 2 :], 64)  # all: k-means goes by rounding too
    for repeat, k in enumerate((5, 9)):
        nth, golden = draw * 2 + repeat, 0.6180339887498949
        drawn = looks[[int((i + nth * golden % 1) * len(looks) / 1000) for i in range(1000)]]
        start = drawn[[int((i + (nth * golden**2 + 0.5) % 1) * 1000 / k) for i in range(k)]]
        label, _ = assign(looks, kmeans_from(drawn, start))
        score = {
            c: slow_prior(sample, label, c) * cue[label == c].mean() ** power * other[label == c].mean()
            for c in set(label.tolist())
        }
        wanted += np.array([score[c] for c in label.tolist()]) / max(score.values()) / 2
    assert np.abs(found - wanted).max() < 1e-5
    assert found.max() <= 1


def means(scene: Scene, cues: Cues) -> list[float]:
    """Mean score of the ground and of each thing, where no cue but the priors speaks."""
    score = Clusterings(scene.sample(), cues).score([])
    return [float(score[scene.truth(k)].mean()) for k in range(4)]


def test_what_lies_together_off_the_border_comes_first(scene: Scene) -> None:
    ground, compact, edge, scattered = means(scene, Cues())
    assert compact > 0.8
    assert max(ground, edge, scattered) < 0.4 * compact


def test_each_prior_can_be_left_out(scene: Scene) -> None:
    _, compact, edge, scattered = means(scene, Cues(border=False))
    assert edge > 0.5 * compact
    assert scattered < 0.5 * compact
    _, compact, edge, scattered = means(scene, Cues(compactness=False))
    assert edge < 0.1 * compact
    assert scattered > 0.5 * compact
    assert means(scene, Cues(compactness=False, border=False)) == pytest.approx([1, 1, 1, 1])


def test_a_cue_counts_by_its_mean_in_a_cluster(scene: Scene) -> None:
    sample = scene.sample()
    cue = scene.truth(2).astype(np.float64)  # the edge, though its priors are low
    # Patches that happen to have it, here and there on the compact thing, are not enough.
    cue[np.flatnonzero(scene.truth(1))[::40]] = 1
    score = Clusterings(sample, Cues(border=False)).score([Cue(cue, 1.0)])
    assert score[scene.truth(2)].min() > 5 * score[scene.truth(1)].mean()
    assert score[scene.truth(3)].max() < 0.05


def test_a_cue_counts_by_those_patches_that_it_knows_of() -> None:
    values, known = np.array([1.0, 1.0, 5.0, 0.0, 7.0]), np.array([True, True, False, True, False])
    label = np.array([0, 0, 0, 1, 2])
    mean = Cue(values, 1.0, known).mean(label, 3)
    general = 2 / 3
    assert mean[0] == pytest.approx((2 + 0.05 * 3 * general) / (2 + 0.05 * 3))
    assert mean[1] == pytest.approx(0.05 * general / 1.05)
    assert mean[2] == pytest.approx(general)  # of which nothing is known
    assert Cue(values, 1.0).mean(label, 3).tolist() == pytest.approx([7 / 3, 0, 7])


def test_a_cue_that_nothing_has_gives_zeros(scene: Scene) -> None:
    sample = scene.sample()
    assert not Clusterings(sample, Cues()).score([Cue(np.zeros(len(sample)), 1.0)]).any()


def test_the_later_half_of_the_tokens_is_clustered(scene: Scene) -> None:
    sample, other = scene.sample(), scene.sample()
    other.tokens[:, : other.tokens.shape[1] // 2] = 0
    one, same = (Clusterings(s, Cues()).score([]) for s in (sample, other))
    assert np.array_equal(one, same)


def test_few_patches_make_fewer_clusters() -> None:
    tiny = Scene([], frames=1, noise=0.3).sample()
    few = Sample([replace(f, **{name: getattr(f, name)[:4, :5] for name in NAMES}) for f in tiny.frames])
    assert len(few) == 20 < min(evidence._CLUSTERINGS)
    assert np.isfinite(Clusterings(few, Cues()).score([])).all()


NAMES = ("descriptors", "tokens", "saliency", "paper_saliency")

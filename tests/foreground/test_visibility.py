"""Frames that show the object less well are lifted; those without it are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from videoparts.foreground.visibility import Visibility, best, visibility

H, W = 24, 40
THRESHOLD = 0.4

Map = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]


def scores(lead: float, seed: int, size: int = 8) -> tuple[Map, Marks]:
    """Background of 0 to 0.2, and an object that scores by so much more."""
    found = np.random.default_rng(seed).uniform(0, 0.2, (H, W))
    mark = np.zeros((H, W), dtype=bool)
    mark[8 : 8 + size, 12 : 12 + size] = lead > 0
    return found + lead * mark, mark


def learned(leads: list[float]) -> tuple[Visibility, list[tuple[Map, Marks]]]:
    frames = [scores(lead, seed) for seed, lead in enumerate(leads)]
    return visibility([s for s, _ in frames], [m & (s > THRESHOLD) for s, m in frames], THRESHOLD), frames


def lifted(known: Visibility, score: Map) -> Map:
    return known.lifted(torch.from_numpy(score)[None])[0].numpy()


def test_the_best_patches_are_the_highest_hundredth() -> None:
    values = torch.arange(2.0 * 1000).reshape(2, 20, 50)
    assert best(values).tolist() == [994.0, 1994.0]  # the mean of 11


def test_a_frame_of_few_patches_has_one_best() -> None:
    assert best(torch.tensor([[[1.0, 3.0], [2.0, 0.0]]])).item() == 3


def test_a_dim_object_comes_over_the_threshold() -> None:
    known, _ = learned([0.8] * 9 + [0.25])
    dim, mark = scores(0.25, 100)
    assert (dim[mark] > THRESHOLD).mean() < 0.5
    assert (lifted(known, dim)[mark] > THRESHOLD).mean() > 0.9
    assert (lifted(known, dim)[~mark] > THRESHOLD).mean() < 0.01


@pytest.mark.parametrize("shown", [2, 5, 10])  # frames of ten that show the object
def test_a_frame_without_the_object_stays_nearly_empty(shown: int) -> None:
    known, _ = learned([0.8] * shown + [0.0] * (10 - shown))
    assert known.share > 0.1
    without = [lifted(known, scores(0, seed)[0]) > THRESHOLD for seed in range(100, 120)]
    assert np.mean(without) < 0.002


def test_a_frame_is_lifted_for_a_reason() -> None:
    known, _ = learned([0.8] * 5 + [0.25])
    dim, nothing = scores(0.25, 100)[0], scores(0, 101)[0]
    both = torch.from_numpy(np.stack([dim, nothing]))
    found = known.lifted(both, least=float(best(both)[0]))
    assert torch.equal(found[0], known.lifted(both)[0])
    assert not torch.equal(found[0], both[0])
    assert torch.equal(found[1], both[1])
    assert not torch.equal(known.lifted(both)[1], both[1])


def test_a_frame_as_usual_stays_what_it_is() -> None:
    known, frames = learned([0.8] * 9)
    for score, _ in frames:
        assert np.abs(lifted(known, score) - score).max() < 0.01


def test_each_frame_is_lifted_by_itself() -> None:
    known, frames = learned([0.8] * 5 + [0.3, 0.5])
    together = known.lifted(torch.from_numpy(np.stack([s for s, _ in frames])))
    for k, (score, _) in enumerate(frames):
        assert np.array_equal(together[k].numpy(), lifted(known, score))


def test_another_scale_changes_nothing() -> None:
    known, frames = learned([0.8] * 5 + [0.3])
    score = frames[-1][0]
    other = known.scaled(0.05, THRESHOLD)
    assert np.allclose(lifted(other, (score - THRESHOLD) / 0.05), (lifted(known, score) - THRESHOLD) / 0.05)


def test_nothing_is_lifted_where_nothing_is_known() -> None:
    full = np.ones((H, W))
    for marks in (full > 0, full < 0):  # no background; no frame that shows the object
        known = visibility([0.3 * full], [marks], THRESHOLD)
        assert known == Visibility()
        assert torch.equal(known.lifted(torch.ones(2, 3, 3)), torch.ones(2, 3, 3))

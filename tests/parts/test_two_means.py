"""Points in two groups: found where they are, by no chance, and hardly moved by other points."""

from __future__ import annotations

import pytest
import torch

from videoparts.parts.two_means import halve


def clouds(*centres: tuple[float, ...], count: int = 100, spread: float = 0.1, seed: int = 0) -> torch.Tensor:
    """Points around each centre, one cloud after the other."""
    random = torch.Generator().manual_seed(seed)
    return torch.cat([torch.tensor(c) + spread * torch.randn(count, len(c), generator=random) for c in centres])


def test_two_clouds_are_two_halves() -> None:
    points = clouds((0.0, 5.0, 1.0), (3.0, 5.0, 1.0))
    weight = torch.ones(200)
    weight[:100] = 3  # so the first cloud is the first half
    halves = halve(points, weight)
    assert halves.first.tolist() == [True] * 100 + [False] * 100
    assert torch.allclose(halves.centroids, torch.stack([points[:100].mean(0), points[100:].mean(0)]), atol=0.02)
    # 300 against 100, 3 apart: 400 * 3/4 * 1/4 * 9
    assert halves.gain == pytest.approx(675, rel=0.03)


def test_the_gain_is_what_two_means_explain() -> None:
    points = torch.randn(300, 8, generator=torch.Generator().manual_seed(1))
    weight = torch.rand(300, generator=torch.Generator().manual_seed(2))
    halves = halve(points, weight)

    def scatter(some: torch.Tensor) -> torch.Tensor:
        mean = weight[some] @ points[some] / weight[some].sum()
        return weight[some] @ (points[some] - mean).square().sum(1)

    everything = torch.ones(300, dtype=torch.bool)
    explained = scatter(everything) - scatter(halves.first) - scatter(~halves.first)
    assert halves.gain == pytest.approx(explained.item(), rel=1e-4)
    assert weight[halves.first].sum() >= weight[~halves.first].sum()
    nearest = torch.cdist(points, halves.centroids).argmin(1) == 0
    assert nearest.equal(halves.first)


def test_where_many_splits_are_as_good_other_points_change_little() -> None:
    # A cloud longer in one direction: plain 2-means has many optima that are nearly as good.
    random = torch.Generator().manual_seed(3)
    points = torch.randn(3000, 20, generator=random) * torch.linspace(1.3, 0.7, 20)
    whole = halve(points, torch.ones(3000)).first
    for _ in range(4):
        some = torch.rand(3000, generator=random) < 0.9
        again = halve(points[some], torch.ones(int(some.sum()))).first
        same = (again == whole[some]).float().mean().item()
        assert max(same, 1 - same) > 0.9


def test_what_cannot_be_parted() -> None:
    same = torch.ones(9, 4)
    for points, weight in ((same, torch.ones(9)), (clouds((0.0, 1.0), count=3), torch.ones(3)), (same, torch.zeros(9))):
        halves = halve(points, weight)
        assert halves.gain == 0
        assert halves.first.all()


def test_points_that_are_one_but_for_rounding_stay_together() -> None:
    """Of the covariance of these, with 1e-15 in it and else nothing, LAPACK in float32 finds no eigenvalues."""
    points = torch.ones(40, 128)
    points[:3, 7] += 1e-7
    halves = halve(points, torch.full((40,), 0.3))
    assert halves.gain == 0
    assert halves.first.all()

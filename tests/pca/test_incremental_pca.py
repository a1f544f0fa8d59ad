"""Components of descriptors that come some at a time, beside those of all at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from videoparts.errors import FitError, SettingsError
from videoparts.pca.incremental import IncrementalPCA, centrality

SIZE = 12


def descriptors(n: int = 500, seed: int = 0) -> torch.Tensor:
    """(n, SIZE) with a different spread along each of some oblique directions, far from zero."""
    generator = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64))[0]
    spread = 0.7 ** torch.arange(SIZE, dtype=torch.float64)
    return (torch.randn(n, SIZE, generator=generator, dtype=torch.float64) * spread @ turn + 3).float()


def middles(n: int = 500) -> torch.Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_they_are_those_of_a_singular_value_decomposition() -> None:
    x = descriptors()
    pca = IncrementalPCA()
    for some, central in zip(x.split(37), middles().split(37), strict=True):
        pca.add(some, central)
    found = pca.components(4)
    exact = x.double().numpy()
    _, values, rows = np.linalg.svd(exact - exact.mean(axis=0), full_matrices=False)
    cosines = np.abs((found.axes.numpy() * rows[:4]).sum(axis=1))
    assert cosines == pytest.approx(np.ones(4), abs=1e-6)
    assert found.share == pytest.approx((values**2 / (values**2).sum())[:4], rel=1e-9)
    assert found.mean.numpy() == pytest.approx(exact.mean(axis=0), abs=1e-6)
    assert len(pca) == 500
    low, high = np.percentile((exact - exact.mean(axis=0)) @ found.axes.numpy().T, (1, 99), axis=0)
    assert found.low.numpy() == pytest.approx(low, abs=1e-5)
    assert found.high.numpy() == pytest.approx(high, abs=1e-5)


def test_order_and_signs_do_not_hang_on_the_order_in_which_they_come() -> None:
    x, central = descriptors(), middles()
    one, other = IncrementalPCA(), IncrementalPCA()
    one.add(x, central)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(5))
    for some in order.split(7):
        other.add(x[some] + 1e-6 * torch.randn(len(some), SIZE), central[some])  # as another machine rounds
    assert torch.allclose(one.components(6).axes, other.components(6).axes, atol=1e-4)


def test_scores_rise_towards_the_middle() -> None:
    pca = IncrementalPCA()
    x, central = descriptors(), middles()
    pca.add(x, central)
    scores = pca.components(SIZE).scores(x).double()
    assert ((scores - scores.mean(0)).T @ (central - central.mean()) > 0).all()
    flipped = IncrementalPCA()
    flipped.add(-x, central)
    again = flipped.components(SIZE).scores(-x).double()
    assert torch.allclose(scores, again, atol=1e-4)  # of a mirrored world, the same pictures


def test_what_is_kept_is_bounded_and_drawn_evenly() -> None:
    budget = 50_000
    pca = IncrementalPCA(kept=budget)
    x = descriptors(200_000)
    x[:100_000] += 10  # the first half is another world: it must have its half of the range
    for some in x.split(1000):
        pca.add(some, torch.rand(1000))
        assert sum(kept.nbytes for kept in pca._kept) <= budget
    found = pca.components(1)
    everything = found.scores(x)[:, 0]
    for bound, percent in ((found.low, 0.01), (found.high, 0.99)):
        beyond = (everything < bound).double().mean()
        assert beyond == pytest.approx(percent, abs=0.015)


def test_shades_run_from_black_to_white() -> None:
    pca = IncrementalPCA()
    x = descriptors(5000)
    pca.add(x, torch.rand(5000))
    shades = pca.components(3).shades(x)
    assert ((shades < 0).double().mean(0) - 0.01).abs().max() < 0.002
    assert ((shades > 1).double().mean(0) - 0.01).abs().max() < 0.002


def test_what_cannot_be_is_said() -> None:
    pca = IncrementalPCA()
    with pytest.raises(FitError, match="3 components need more than 3 patches, got 0"):
        pca.components(3)
    pca.add(descriptors(), middles())
    with pytest.raises(SettingsError, match="--components 13: descriptors of this model have 12 numbers"):
        pca.components(13)
    with pytest.raises(SettingsError, match="leave --binned out"):
        IncrementalPCA().add(torch.zeros(1, 26112), torch.zeros(1))


def test_one_plain_colour_is_no_division_by_nothing() -> None:
    pca = IncrementalPCA()
    pca.add(torch.ones(100, SIZE), torch.rand(100))
    assert torch.isfinite(pca.components(3).shades(torch.ones(5, SIZE))).all()


def test_the_middle_is_in_the_middle() -> None:
    central = centrality(5, 7)
    assert central.argmax() == 2 * 7 + 3
    assert torch.allclose(central, central.flip(0))
    assert torch.allclose(central, central.flip(1))
    assert central[0].max() < central[1].max() < central[2].max()

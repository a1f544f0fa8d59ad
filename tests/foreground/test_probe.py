"""Probes: how likely a patch is on the object."""

from __future__ import annotations

import pytest
import torch

from videoparts.features import Features
from videoparts.foreground.probe import CentroidProbe, LinearProbe, probe_from, probe_tensors
from videoparts.foreground.visibility import Visibility
from videoparts.grid import Grid

EYE = torch.eye(6)


def features(*rows: int, tokens: torch.Tensor | None = None) -> Features:
    n = len(rows)
    return Features(
        EYE[list(rows)].view(1, 1, n, 6),
        Grid(14, 14 * n, 14, 14),
        tokens=None if tokens is None else tokens.view(1, 1, n, -1),
    )


def test_a_linear_probe_is_a_weighted_sum_of_tokens() -> None:
    probe = LinearProbe(torch.tensor([2.0, -1.0]), 0.5)
    odds = probe.odds(features(0, 1, tokens=torch.tensor([[1.0, 0.0], [0.0, 3.0]])))
    assert odds.shape == (1, 1, 2)
    assert odds.flatten().tolist() == [2.5, -2.5]


def test_a_linear_probe_lifts_a_frame_that_has_something_of_the_object() -> None:
    probe = LinearProbe(torch.tensor([1.0]), 0.0, Visibility(usual=4.0, share=0.5))
    something = features(0, 1, tokens=torch.tensor([[1.0], [-2.0]]))
    nothing = features(0, 1, tokens=torch.tensor([[-0.25], [-2.0]]))
    assert probe.odds(something).flatten().tolist() == [2.5, -0.5]
    assert probe.odds(nothing).flatten().tolist() == [-0.25, -2.0]


def test_a_linear_probe_says_what_it_misses() -> None:
    probe = LinearProbe(torch.ones(2), 0)
    with pytest.raises(ValueError, match="extracted without"):
        probe.odds(features(0))
    with pytest.raises(ValueError, match="size 2, got 3"):
        probe.odds(features(0, tokens=torch.ones(3)))


def test_a_centroid_probe_compares_the_nearest_of_either_side() -> None:
    probe = CentroidProbe(background=EYE[:2], foreground=torch.stack([EYE[2], EYE[3], -EYE[4]]))
    assert probe.odds(features(0, 1, 2, 3, 5)).flatten().tolist() == pytest.approx([-20, -20, 20, 20, 0])


def test_without_background_everything_is_object() -> None:
    probe = CentroidProbe(EYE[:0], EYE[:1])
    assert (probe.odds(features(0, 1, 5)) > 10).all()


@pytest.mark.parametrize(
    "probe", [LinearProbe(EYE[0], 0.1), CentroidProbe(EYE[:2], EYE[2:]), CentroidProbe(EYE[:0], EYE)]
)
def test_a_probe_is_its_tensors(probe: LinearProbe | CentroidProbe) -> None:
    tensors = probe_tensors(probe)
    again = probe_from(tensors | {"other": EYE})
    assert type(again) is type(probe)
    assert all(probe_tensors(again)[name].equal(tensor) for name, tensor in tensors.items())
    if isinstance(probe, LinearProbe):
        assert isinstance(again, LinearProbe)
        assert again.bias == probe.bias
    with pytest.raises(KeyError):
        probe_from(dict(list(tensors.items())[1:]))


def test_probes_check_themselves_at_birth() -> None:
    with pytest.raises(ValueError, match="weight"):
        LinearProbe(EYE, 0)
    for background, foreground in ((EYE, EYE[:, :5]), (EYE, EYE[:0]), (EYE[0], EYE)):
        with pytest.raises(ValueError, match="centroids must be"):
            CentroidProbe(background, foreground)

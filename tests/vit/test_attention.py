"""The CPU's attention against softmax spelt out in float64."""

from __future__ import annotations

import math

import pytest
import torch

from videoparts.vit import attention
from videoparts.vit.attention import attend

WIDTH, HEADS = 48, 3


def projected(tokens: int, strength: float, seed: int = 0) -> torch.Tensor:
    """Queries, keys and values (t, 3 D) bf16; ``strength`` scales the queries."""
    qkv = torch.randn(tokens, 3 * WIDTH, generator=torch.Generator().manual_seed(seed))
    qkv[:, :WIDTH] *= strength
    return qkv.bfloat16()


def slow(qkv: torch.Tensor) -> torch.Tensor:
    """(t, D) float64, with the whole matrix; scores are logarithms to base 2."""
    queries, keys, values = qkv.double().unflatten(1, (3, HEADS, -1)).permute(1, 2, 0, 3)
    weights = (queries @ keys.transpose(1, 2) * math.log(2)).softmax(-1)
    return (weights @ values).transpose(0, 1).flatten(1)


def distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found.double() - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("tokens", [1, 50, 256, 257, 700])
def test_equals_a_softmax(tokens: int, strength: float) -> None:
    qkv = projected(tokens, strength)
    found = attend(qkv, HEADS)
    assert found.shape == (tokens, WIDTH)
    assert distance(found, slow(qkv)) < 0.02  # scores, weights, sums and results are rounded to 8 bits each


@pytest.mark.parametrize("sign", [1, -1])
def test_scores_beyond_all_powers_of_two_are_no_trouble(sign: int) -> None:
    # All scores of one head near +-300, where a power of 2 is infinite or 0; they differ by a few.
    qkv = projected(90, 0.3)
    lift = torch.zeros(3 * WIDTH)
    lift[0], lift[WIDTH] = 20.0, sign * 15.0
    qkv = (qkv.float() + lift).bfloat16()
    queries, keys, _ = qkv.double().unflatten(1, (3, HEADS, -1)).permute(1, 2, 0, 3)
    assert ((queries @ keys.transpose(1, 2))[0] * sign).min() > 130
    found = attend(qkv, HEADS)
    assert found.isfinite().all()
    size = WIDTH // HEADS
    assert distance(found[:, size:], slow(qkv)[:, size:]) < 0.02
    # Scores of 300 are rounded to even numbers: weights of that head are right to a factor of 2.
    assert distance(found[:, :size], slow(qkv)[:, :size]) < 1.0


def test_subtracting_the_largest_score_changes_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    qkv = projected(300, 1.0)
    fast = attend(qkv, HEADS)
    monkeypatch.setattr(attention, "_SAFE", 0.0)
    careful = attend(qkv, HEADS)
    assert not torch.equal(careful, fast)
    assert distance(careful, fast.double()) < 0.02


def test_each_head_is_on_its_own() -> None:
    # One that is not safe does not change what its neighbours compute.
    qkv = projected(120, 0.3)
    alone = attend(qkv, HEADS)
    wild = qkv.clone()
    wild[:, : WIDTH // HEADS] *= 100
    size = WIDTH // HEADS
    assert torch.equal(attend(wild, HEADS)[:, size:], alone[:, size:])


def test_the_block_changes_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    qkv = projected(90, 1.0)
    whole = attend(qkv, HEADS)
    monkeypatch.setattr(attention, "_QUERIES", 7)
    assert distance(attend(qkv, HEADS), whole.double()) < 0.01


@pytest.mark.parametrize("tokens", [65, 962])
def test_the_number_of_threads_changes_nothing(tokens: int) -> None:
    qkv, found = projected(tokens, 0.3), []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3, 16):
            torch.set_num_threads(threads)
            found.append(attend(qkv, HEADS))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, found[0]) for one in found[1:])

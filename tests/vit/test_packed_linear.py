from __future__ import annotations

import math

import pytest
import torch

from videoparts.vit import packed_linear
from videoparts.vit.packed_linear import PackedLinear, can_pack

WAYS = [
    pytest.param(True, marks=pytest.mark.skipif(not can_pack(), reason="this torch cannot pack weights here")),
    False,
]


@pytest.fixture(params=WAYS, autouse=True)
def packed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(packed_linear, "can_pack", lambda: request.param)
    return bool(request.param)


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def slow(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, gelu: bool) -> torch.Tensor:
    y = x.double() @ weight.bfloat16().double().T
    y = y if bias is None else y + bias.bfloat16().double()
    return y * 0.5 * (1 + (y / math.sqrt(2)).erf()) if gelu else y


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("tokens", "inside", "outside"), [(1, 48, 48), (50, 48, 192), (333, 384, 96)])
def test_equals_the_product(tokens: int, inside: int, outside: int, with_bias: bool, gelu: bool, packed: bool) -> None:
    x, weight = drawn(2, tokens, inside, seed=0).bfloat16(), drawn(outside, inside, seed=1) / inside**0.5
    bias = drawn(outside, seed=2) if with_bias else None
    layer = PackedLinear(weight, bias, gelu=gelu)
    assert layer.packed == packed
    found, wanted = layer(x), slow(x, weight, bias, gelu)
    assert found.dtype == torch.bfloat16
    # One rounding to 8 bits, where it is packed; a second one, of the product before GELU, where not.
    assert ((found.double() - wanted).abs() <= (1 if packed else 3) * 2**-8 * wanted.abs() + 1e-2).all()
    assert (found.double() - wanted).norm() < (0.002 if packed else 0.004) * wanted.norm()


def test_equals_the_product_and_a_sum(packed: bool) -> None:
    x, weight, bias = drawn(1, 70, 192, seed=0).bfloat16(), drawn(48, 192, seed=1) / 14, drawn(48, seed=2)
    plus = 10 * drawn(1, 70, 48, seed=3).bfloat16()
    before = plus.clone()
    found = PackedLinear(weight, bias)(x, plus)
    wanted = slow(x, weight, bias, False) + plus.double()
    assert (found.double() - wanted).norm() < 0.003 * wanted.norm()
    assert torch.equal(plus, before)


def test_an_image_does_not_change_its_neighbour() -> None:
    layer, x = PackedLinear(drawn(96, 48, seed=1), drawn(96, seed=2)), drawn(3, 50, 48, seed=0).bfloat16()
    assert all(torch.equal(layer(x[i : i + 1])[0], layer(x)[i]) for i in range(3))


def test_it_can_be_sent_where_its_model_is() -> None:
    x = drawn(1, 5, 48, seed=0).bfloat16()
    layer = PackedLinear(drawn(96, 48, seed=1), None)
    assert torch.equal(layer.to("cpu", torch.bfloat16).eval().requires_grad_(False)(x), layer(x))

"""Products of 8 bits against the same sums in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from videoparts.vit import packed_linear, rounded_linear
from videoparts.vit.activations import Activations, Rounding
from videoparts.vit.rounded_linear import RoundedLinear, RoundedNorm, can_round

needs_vnni = pytest.mark.skipif(not can_round(), reason="this processor has no instructions for 8 bits")


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def numbers(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def rounding(width: int, low: float = -2.0, high: float = 3.0) -> Rounding:
    step = (high - low) / 255
    low = round(low / step) * step
    return Rounding(0.5 + torch.rand(width, generator=torch.Generator().manual_seed(5)), low, low + 255 * step)


def slow(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, given: Rounding) -> torch.Tensor:
    weight = weight * given.scale
    step = weight.abs().amax(1, keepdim=True) / 127
    values = (x.double() - given.zero) * given.step
    y = values @ ((weight / step).round().double() * step.double()).T
    return y if bias is None else y + bias.double()


def gelu(y: torch.Tensor) -> torch.Tensor:
    return y * 0.5 * (1 + (y / math.sqrt(2)).erf())


@needs_vnni
@pytest.mark.parametrize("with_gelu", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("tokens", "inside", "outside"), [(1, 48, 48), (50, 48, 192), (333, 384, 96)])
def test_equals_the_product(tokens: int, inside: int, outside: int, with_bias: bool, with_gelu: bool) -> None:
    x, weight, given = numbers(2, tokens, inside), drawn(outside, inside, seed=1) / inside**0.5, rounding(inside)
    bias = drawn(outside, seed=2) if with_bias else None
    found = RoundedLinear(weight, bias, given, gelu=with_gelu)(x)
    wanted = slow(x, weight, bias, given)
    wanted = gelu(wanted) if with_gelu else wanted
    assert found.dtype == torch.bfloat16
    assert ((found.double() - wanted).abs() <= 2**-8 * wanted.abs() + 1e-5).all()


@needs_vnni
def test_equals_the_product_and_a_sum() -> None:
    x, weight, bias, given = numbers(1, 70, 192), drawn(48, 192, seed=1) / 14, drawn(48, seed=2), rounding(192)
    plus = 10 * drawn(1, 70, 48, seed=3).bfloat16()
    before = plus.clone()
    found = RoundedLinear(weight, bias, given)(x, plus)
    wanted = slow(x, weight, bias, given) + plus.double()
    assert ((found.double() - wanted).abs() <= 2**-8 * wanted.abs() + 1e-5).all()
    assert torch.equal(plus, before)


@needs_vnni
def test_a_result_is_rounded_for_the_next_layer() -> None:
    x, weight, bias, given = numbers(1, 70, 192), drawn(48, 192, seed=1) / 14, drawn(48, seed=2), rounding(192)
    result = rounding(48, -0.2, 2.0)
    found = RoundedLinear(weight, bias, given, gelu=True, result=result)(x)
    wanted = (gelu(slow(x, weight, bias, given)) / result.step + result.zero).clamp(0, 255)
    assert found.dtype == torch.uint8
    assert (found.double() - wanted).abs().max() < 0.502
    assert (found == 255).any()  # what is beyond the range is at its end


@needs_vnni
def test_an_image_does_not_change_its_neighbour() -> None:
    layer, x = RoundedLinear(drawn(96, 48, seed=1), drawn(96, seed=2), rounding(48)), numbers(3, 50, 48)
    assert all(torch.equal(layer(x[i : i + 1])[0], layer(x)[i]) for i in range(3))


@needs_vnni
def test_it_can_be_sent_where_its_model_is() -> None:
    layer, x = RoundedLinear(drawn(96, 48, seed=1), None, rounding(48)), numbers(1, 5, 48)
    before = layer(x)
    assert torch.equal(layer.to("cpu", torch.bfloat16).eval().requires_grad_(False)(x), before)


@needs_vnni
def test_weights_of_nothing_do_no_harm() -> None:
    bias = drawn(8, seed=2)
    found = RoundedLinear(torch.zeros(8, 16), bias, rounding(16))(numbers(1, 5, 16))
    assert torch.equal(found[0], bias.bfloat16().expand(5, 8))


def test_a_norm_gives_the_numbers() -> None:
    norm = nn.LayerNorm(32, eps=1e-6).requires_grad_(False)
    norm.weight.copy_(drawn(32, seed=0))
    norm.bias.copy_(drawn(32, seed=1))
    x = 3 * drawn(2, 40, 32, seed=2).bfloat16()
    normed = F.layer_norm(x.double(), (32,), norm.weight.double(), norm.bias.double(), norm.eps)
    its = Rounding.of(Activations(normed.float().flatten(0, 1).amin(0) / 2, normed.float().flatten(0, 1).amax(0) / 2))
    its = Rounding(0.5 + torch.rand(32, generator=torch.Generator().manual_seed(5)), its.lowest, its.highest)
    found = RoundedNorm(norm, its).to("cpu", torch.bfloat16)(x)
    wanted = (normed / its.scale.double() / its.step + its.zero).clamp(0, 255)
    assert found.dtype == torch.uint8
    assert (found.double() - wanted).abs().max() < 0.501
    assert {0, 255} <= set(found.flatten().tolist())  # what is beyond the range is at its ends


@pytest.mark.parametrize("missing", ["packing", "instructions", "the probe", "the product"])
def test_it_is_not_taken_for_granted(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounded_linear, "can_pack", lambda: missing != "packing")
    if missing == "the probe":
        monkeypatch.delattr(torch.cpu, "_is_vnni_supported", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: missing != "instructions", raising=False)
    if missing == "the product":
        monkeypatch.setattr(torch.ops, "onednn", object())
    assert not can_round()


def test_it_is_found_where_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    if not packed_linear.can_pack():
        pytest.skip("this torch cannot pack weights here")
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: True, raising=False)
    assert can_round()

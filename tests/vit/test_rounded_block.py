"""Blocks in 8 bits against timm's in float64 whose weights and inputs are rounded in the same way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from rounding import require_close_to_fp32
from tiny import HEADS, TINY, WIDTH, tiny_block, tiny_extractor, tiny_tokens

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.errors import SettingsError
from videoparts.vit.activations import Rounding, activations
from videoparts.vit.extractor import ViTExtractor
from videoparts.vit.fast_block import weights_for_powers_of_two
from videoparts.vit.precision import cpu_computes_bf16
from videoparts.vit.rounded_block import RoundedBlock
from videoparts.vit.rounded_linear import can_round

pytestmark = pytest.mark.skipif(
    not (can_round() and cpu_computes_bf16()), reason="this processor has no instructions for 8 bits"
)


def rounded(values: torch.Tensor, by: Rounding) -> torch.Tensor:
    """The values (..., in) that are left of some."""
    numbers = (values / by.scale / by.step).round().clamp(-by.zero, 255 - by.zero)
    return numbers * by.step * by.scale


def slow(made: Any, x: torch.Tensor, given: Any) -> torch.Tensor:
    """timm's block, in float64, with weights and what they are multiplied with rounded to 8 bits."""
    x = x.double()
    by = {layer: Rounding.of(its, layer.weight) for layer, its in given.items()}
    by[made.attn.qkv] = Rounding.of(given[made.attn.qkv], weights_for_powers_of_two(made.attn, None)[0])
    by[made.mlp.fc2] = Rounding.of(given[made.mlp.fc2])

    def linear(values: torch.Tensor, layer: Any) -> torch.Tensor:
        weight = layer.weight * by[layer].scale
        step = weight.abs().amax(1, keepdim=True) / 127
        weight = (weight / step).round() * step / by[layer].scale
        return F.linear(rounded(values, by[layer]), weight.double(), layer.bias.double())

    def normed(values: torch.Tensor, norm: Any) -> torch.Tensor:
        return F.layer_norm(values, (WIDTH,), norm.weight.double(), norm.bias.double(), norm.eps)

    def scaled(values: torch.Tensor, scale: Any) -> torch.Tensor:
        return values * scale.gamma.double() if hasattr(scale, "gamma") else values

    n, t, _ = x.shape
    q, k, v = linear(normed(x, made.norm1), made.attn.qkv).view(n, t, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
    seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    x = x + scaled(F.linear(seen, made.attn.proj.weight.double(), made.attn.proj.bias.double()), made.ls1)
    inner = F.gelu(linear(normed(x, made.norm2), made.mlp.fc1))
    return x + scaled(linear(inner, made.mlp.fc2), made.ls2)


@pytest.mark.parametrize("count", [1, 50, 300])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_equals_timms_with_rounded_weights(scale: float | None, count: int) -> None:
    made, x = tiny_block(init_values=scale), tiny_tokens(count)
    (given,) = activations([made], [tiny_tokens(50, seed=1).float()])
    with torch.inference_mode():
        found = RoundedBlock(made, given).to("cpu", torch.bfloat16).eval()(x).double() - x.double()
        wanted = slow(made, x, given) - x.double()
        exact = made.double()(x.double()) - x.double()
    assert (found - wanted).norm() < 0.02 * wanted.norm()  # what bf16 rounds, and tips from one number to the next
    assert (found - exact).norm() < 0.05 * exact.norm()


def test_timms_block_is_what_it_was() -> None:
    made = tiny_block()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    RoundedBlock(made, activations([made], [tiny_tokens(50).float()])[0])
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())


# Through the extractor


@pytest.mark.parametrize("precision", ["int8", "quick"])
def test_it_is_close_to_fp32(precision: Any, extractor: ViTExtractor, photograph: Any) -> None:
    compute = ComputeSettings(device="cpu", offline=True, precision=precision)
    made = ViTExtractor(ExtractorSettings(), compute)
    assert all(isinstance(one, RoundedBlock) for one in made._blocks)
    require_close_to_fp32(made, extractor, photograph, mean=0.99, attention=0.98)


def test_neither_the_batch_nor_the_threads_change_anything() -> None:
    pictures = torch.rand(4, 3, 20, 28, generator=torch.Generator().manual_seed(0))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            made = tiny_extractor("v2", stride=1, precision="int8")
            together = made.describe(pictures, attention=True, tokens=True)
            alone = [made.describe(pictures[i : i + 1], attention=True, tokens=True) for i in range(4)]
            found += [[together], alone]
    finally:
        torch.set_num_threads(before)
    for name in ("descriptors", "attention", "tokens"):
        first, *others = (torch.cat([getattr(one, name) for one in some]) for some in found)
        assert all(torch.equal(first, other) for other in others)


def test_blocks_that_it_cannot_run_are_left_to_the_rest() -> None:
    assert tiny_extractor("v3", precision="quick").precision == "bfloat16"
    with pytest.raises(SettingsError, match="--precision int8: it cannot run the blocks of this model; take auto"):
        tiny_extractor("v3", precision="int8")


def test_every_other_family_can_be_run() -> None:
    for family in TINY:
        assert family == "v3" or tiny_extractor(family, precision="int8").precision == "int8"

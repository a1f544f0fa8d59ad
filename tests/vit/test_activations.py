"""Ranges of 8-bit activations, and what rounding to them leaves."""

from __future__ import annotations

import pytest
import torch
from timm.models.vision_transformer import Block

from videoparts.vit.activations import Activations, Rounding, activations, pink_noise


def rounded(x: torch.Tensor, rounding: Rounding) -> torch.Tensor:
    """What is left of ``x`` (..., in)."""
    step = (rounding.highest - rounding.lowest) / 255
    numbers = ((x / rounding.scale).clamp(rounding.lowest, rounding.highest) / step).round()
    assert len(numbers.unique()) <= 256
    return numbers * step * rounding.scale


def test_ranges_are_those_of_all_samples() -> None:
    torch.manual_seed(0)
    blocks = [Block(12, 3, qkv_bias=True).eval() for _ in range(2)]
    samples = [torch.randn(1, 5, 12), torch.randn(1, 7, 12) * 3]
    found = activations(blocks, samples)
    assert [list(one) for one in found] == [[b.attn.qkv, b.attn.proj, b.mlp.fc1, b.mlp.fc2] for b in blocks]
    with torch.inference_mode():
        normed = torch.cat([blocks[1].norm1(blocks[0](x))[0] for x in samples])
    given = found[1][blocks[1].attn.qkv]
    assert torch.equal(given.lowest, normed.amin(0))
    assert torch.equal(given.highest, normed.amax(0))
    assert found[0][blocks[0].mlp.fc2].lowest.shape == (48,)


def test_nothing_stays_hooked() -> None:
    block = Block(12, 3).eval()
    activations([block], [torch.randn(1, 5, 12)])
    assert not any(module._forward_pre_hooks for module in block.modules())


@pytest.mark.parametrize("shift", [0.0, 4.0, -4.0])
def test_zero_is_kept_and_the_range_has_a_margin(shift: float) -> None:
    x = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0)) + shift
    rounding = Rounding.of(Activations(x.amin(0), x.amax(0)), torch.ones(4, 8))
    assert not rounded(torch.zeros(1, 8), rounding).any()
    step = (rounding.highest - rounding.lowest) / 255 * float(rounding.scale.max())
    assert float((rounded(x, rounding) - x).abs().max()) < 0.51 * step
    beyond = x * 1.2
    assert torch.allclose(rounded(beyond, rounding), beyond, atol=0.1)


def test_one_large_channel_leaves_the_others_their_numbers() -> None:
    """SmoothQuant's point: with one step for channels as they are, small ones would be lost."""
    generator = torch.Generator().manual_seed(0)
    size = torch.tensor([100.0] + [1.0] * 31)
    x, weight = torch.randn(500, 32, generator=generator) * size, torch.randn(16, 32, generator=generator) / size
    given = Activations(x.amin(0), x.amax(0))
    smooth = Rounding.of(given, weight)
    plain = Rounding(torch.ones(32), float(x.min()), float(x.max()))
    wanted = x @ weight.T

    def error(rounding: Rounding) -> float:
        return float((rounded(x, rounding) @ weight.T - wanted).norm() / wanted.norm())

    assert error(smooth) < 0.03
    assert error(plain) > 5 * error(smooth)


def test_a_channel_of_nothing_does_no_harm() -> None:
    given = Activations(torch.zeros(3), torch.tensor([1.0, 0.0, 2.0]))
    rounding = Rounding.of(given, torch.tensor([[1.0, 0.0, 1.0]]))
    assert torch.isfinite(rounded(torch.tensor([[0.5, 0.0, 2.0]]), rounding)).all()


def test_pink_noise_is_always_the_same_and_its_neighbours_are_alike() -> None:
    pictures = pink_noise(3, 56)
    assert pictures.shape == (3, 3, 56, 56)
    assert pictures.dtype == torch.uint8
    assert torch.equal(pictures, pink_noise(3, 56))
    values = pictures.float()
    assert 80 < float(values.mean()) < 150
    beside = (values[..., 1:] - values[..., :-1]).abs().mean()
    far = (values[..., 28:] - values[..., :-28]).abs().mean()
    assert beside < 0.5 * far

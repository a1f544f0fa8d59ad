"""A ViT's block in 8 bits on a CPU: its largest products multiply integers, all else is as in `FastBlock`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .activations import Activations, Rounding
from .fast_block import FastAttention, FastMlp, weights_for_powers_of_two
from .packed_linear import PackedLinear
from .plain_block import layer_scale, scaled
from .rounded_linear import RoundedLinear, RoundedNorm


class RoundedBlock(nn.Module):
    """Takes the place of timm's `Block` and computes nearly the same.

    The projection after attention stays in bf16: it is small, and to round what it is given would take as long as it
    saves. What the second layer of the MLP is given is rounded where the first one's results are at hand.

    Args:
        block: the one whose weights are taken, in float32: a plain one, its MLP too.
        given: what its linear layers are given.
    """

    def __init__(self, block: Any, given: Mapping[nn.Module, Activations]) -> None:
        super().__init__()
        self.norm1 = block.norm1  # facets are read with it
        weight, bias = weights_for_powers_of_two(block.attn, block.norm1.bias)
        rounding = Rounding.of(given[block.attn.qkv], weight)
        self._rounded1 = RoundedNorm(block.norm1, rounding)
        proj = PackedLinear(*scaled(block.attn.proj, layer_scale(block.ls1)))
        self.attn = FastAttention(block.attn, RoundedLinear(weight, bias, rounding), proj)

        first, second = block.mlp.fc1, block.mlp.fc2
        rounding, inner = Rounding.of(given[first], first.weight.detach()), Rounding.of(given[second])
        self._rounded2 = RoundedNorm(block.norm2, rounding)
        self.mlp = FastMlp(
            RoundedLinear(first.weight, first.bias, rounding, gelu=True, result=inner),
            RoundedLinear(*scaled(second, layer_scale(block.ls2)), inner),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, t, D) to (N, t, D), bf16."""
        x = self.attn(self._rounded1(x), x)
        out: torch.Tensor = self.mlp(self._rounded2(x), x)
        return out

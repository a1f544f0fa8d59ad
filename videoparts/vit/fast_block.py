"""A ViT's block in bf16 on a CPU: the same function of its tokens, arranged so that little but products is left.

What a block multiplies or adds in fixed amounts is put into the weights of its products, before they are rounded to
bf16: LayerScale, the scale of the queries, and what all keys have in common.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from .attention import attend
from .packed_linear import PackedLinear
from .plain_block import is_plain_mlp, layer_scale, scaled


def run_blocks(
    blocks: nn.ModuleList, x: torch.Tensor, rope: torch.Tensor | None, keep: Collection[int]
) -> dict[int, torch.Tensor]:
    """Run a ViT's blocks, of any kind, up to the last one whose output is asked for.

    Args:
        blocks: all of them.
        x: (N, t, D) that the first is given.
        rope: a rotation that they are given; None: they take none.
        keep: numbers of blocks, from 0.

    Returns:
        Their outputs (N, t, D) by number, and under -1 what the first is given.
    """
    outputs = {-1: x}
    for i in range(max(keep) + 1):
        x = blocks[i](x) if rope is None else blocks[i](x, rope=rope)
        if i in keep:
            outputs[i] = x
    return outputs


class FastBlock(nn.Module):
    """Takes the place of timm's `Block` and computes the same.

    Args:
        block: the one whose weights are taken, in float32: a plain one, but for its MLP.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.attn = FastAttention(
            block.attn,
            PackedLinear(*weights_for_powers_of_two(block.attn, block.norm1.bias)),
            PackedLinear(*scaled(block.attn.proj, layer_scale(block.ls1))),
        )
        self.mlp: nn.Module = OtherMlp(block.mlp, block.ls2)
        if is_plain_mlp(block.mlp):
            first, second = block.mlp.fc1, block.mlp.fc2
            self.mlp = FastMlp(
                PackedLinear(first.weight, first.bias, gelu=True),
                PackedLinear(*scaled(second, layer_scale(block.ls2))),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, t, D) to (N, t, D), bf16."""
        x = self.attn(self.norm1(x), x)
        out: torch.Tensor = self.mlp(self.norm2(x), x)
        return out


class FastAttention(nn.Module):
    """timm's `Attention` with the LayerScale and the sum that follow it.

    Args:
        attention: the one whose place it takes.
        qkv: its first layer, with `weights_for_powers_of_two`.
        proj: its last layer, with the LayerScale; adds a tensor too.
    """

    def __init__(self, attention: Any, qkv: nn.Module, proj: nn.Module) -> None:
        super().__init__()
        self.num_heads: int = attention.num_heads
        self.q_norm, self.k_norm = attention.q_norm, attention.k_norm  # of no effect here, but asked for
        self.q_proj, self.k_proj, self.v_proj = _thirds(attention.qkv)
        self.qkv, self.proj = qkv, proj

    def forward(self, x: torch.Tensor, plus: torch.Tensor) -> torch.Tensor:
        """What ``qkv`` takes (N, t, D) to (N, t, D), with ``plus`` added."""
        seen = torch.stack([attend(one, self.num_heads) for one in self.qkv(x)])
        projected: torch.Tensor = self.proj(seen, plus)
        return projected


class FastMlp(nn.Module):
    """timm's `Mlp` with the LayerScale and the sum that follow it.

    Args:
        fc1: its first layer, with GELU.
        fc2: its second layer, with the LayerScale; adds a tensor too.
    """

    def __init__(self, fc1: nn.Module, fc2: nn.Module) -> None:
        super().__init__()
        self.fc1, self.fc2 = fc1, fc2

    def forward(self, x: torch.Tensor, plus: torch.Tensor) -> torch.Tensor:
        """What ``fc1`` takes (N, t, D) to (N, t, D), with ``plus`` added."""
        projected: torch.Tensor = self.fc2(self.fc1(x), plus)
        return projected


class OtherMlp(nn.Module):
    """An MLP of another kind as it is, with the LayerScale and the sum that follow it.

    Args:
        mlp: the MLP.
        scale: the LayerScale.
    """

    def __init__(self, mlp: nn.Module, scale: nn.Module) -> None:
        super().__init__()
        self.inner, self.scale = mlp, scale

    def forward(self, x: torch.Tensor, plus: torch.Tensor) -> torch.Tensor:
        """(N, t, D) to (N, t, D), with ``plus`` added."""
        added: torch.Tensor = plus + self.scale(self.inner(x))
        return added


def _thirds(qkv: Any) -> list[nn.Linear]:
    """Query, key and value as layers of their own, as they are read as facets."""
    layers = []
    for i in range(3):
        layer = nn.Linear(qkv.in_features, qkv.out_features // 3, bias=qkv.bias is not None, device="meta")
        layer.weight = nn.Parameter(qkv.weight.detach().chunk(3)[i], requires_grad=False)
        if qkv.bias is not None:
            layer.bias = nn.Parameter(qkv.bias.detach().chunk(3)[i], requires_grad=False)
        layers.append(layer)
    return layers


def weights_for_powers_of_two(attention: Any, shift: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (3 D, D) and bias (3 D,) of the projection that `attend` wants, in place of those of an attention.

    What is added to all keys alike adds the same to all scores of a query and has no part in its attention: their bias,
    and what the bias of the norm before, ``shift``, adds to it. In some blocks of DINOv2 that is ten times what tells
    keys apart, and scores rounded to bf16 would then be off by one and more. It is left out.
    """
    qkv, heads = attention.qkv, attention.num_heads
    weight = qkv.weight.detach().clone()
    bias = weight.new_zeros(len(weight)) if qkv.bias is None else qkv.bias.detach().clone()
    queries, keys = slice(0, len(weight) // 3), slice(len(weight) // 3, 2 * len(weight) // 3)
    scale = math.log2(math.e) / math.sqrt(len(weight) // 3 / heads)
    weight[queries] *= scale
    bias[queries] *= scale
    bias[keys] = 0 if shift is None else -(weight[keys] * shift.detach()).sum(1)
    return weight, bias

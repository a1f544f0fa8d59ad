"""Which of timm's blocks are plain ones, of which a faster copy can be made, and their weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def is_plain(block: nn.Module) -> bool:
    """Whether a module is timm's `Block` with plain attention, and an MLP of any kind."""
    from timm.models.vision_transformer import Block

    return type(block) is Block and isinstance(block.norm1, nn.LayerNorm) and _is_plain_attention(block.attn)


def _is_plain_attention(attention: Any) -> bool:
    from timm.layers.attention import Attention

    steps = ("q_norm", "k_norm", "norm")
    plain = type(attention) is Attention and all(isinstance(getattr(attention, s), nn.Identity) for s in steps)
    return plain and getattr(attention, "gate", None) is None


def is_plain_mlp(mlp: Any) -> bool:
    """Whether a module is timm's plain MLP: two layers with the exact GELU between them."""
    from timm.layers.mlp import Mlp

    plain = type(mlp) is Mlp and type(mlp.act) is nn.GELU and mlp.act.approximate == "none"
    return plain and isinstance(mlp.norm, nn.Identity) and isinstance(mlp.fc1, nn.Linear)


def all_plain(blocks: Iterable[Any]) -> bool:
    """Whether all blocks are plain ones, their MLPs too."""
    return all(is_plain(block) and is_plain_mlp(block.mlp) for block in blocks)


def layer_scale(scale: nn.Module) -> torch.Tensor | None:
    """(D,): what a LayerScale multiplies by; None: it is none."""
    return None if isinstance(scale, nn.Identity) else scale.get_parameter("gamma").detach()


def scaled(linear: Any, by: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weight and bias of a layer whose result is then multiplied by ``by`` (out,)."""
    weight, bias = linear.weight.detach(), None if linear.bias is None else linear.bias.detach()
    if by is None:
        return weight, bias
    return weight * by[:, None], None if bias is None else bias * by

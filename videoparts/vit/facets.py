"""What is read off a block's self-attention: a facet, and where [CLS] looks."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F


def project(attn: Any, x: torch.Tensor, facet: Literal["query", "key", "value"]) -> torch.Tensor:
    """Query, key or value of all heads side by side, (N, t, D): one third of the block's projection.

    Before any rotation or norm of the heads, as the paper takes them.

    Args:
        attn: timm's attention, of any kind, or `FastAttention`.
        x: (N, t, D) that it is given.
        facet: which.
    """
    which = ("query", "key", "value").index(facet)
    if getattr(attn, "q_proj", None) is not None:
        projection = (attn.q_proj, attn.k_proj, attn.v_proj)[which]
        return F.linear(x, projection.weight, projection.bias)
    third = attn.qkv.weight.shape[0] // 3
    rows = slice(which * third, (which + 1) * third)
    bias = attn.qkv.bias
    if bias is None and getattr(attn, "q_bias", None) is not None:
        bias = torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
    return F.linear(x, attn.qkv.weight[rows], None if bias is None else bias[rows])


def cls_attention(attn: Any, x: torch.Tensor, rope: torch.Tensor | None, prefix: int) -> torch.Tensor:
    """The [CLS] token's row of the attention matrix, (N, heads, t) float32: no t x t matrix is made.

    Args:
        attn: as for `project`.
        x: (N, t, D) that it is given.
        rope: the rotation of the patches; None: there is none.
        prefix: tokens before the patches.
    """
    heads = attn.num_heads
    query = project(attn, x[:, :1], "query").reshape(len(x), 1, heads, -1).transpose(1, 2)
    key = project(attn, x, "key").reshape(len(x), x.shape[1], heads, -1).transpose(1, 2)
    query, key = attn.q_norm(query), attn.k_norm(key)
    if rope is not None:  # [CLS] itself is never rotated, only the keys of patches are
        from timm.layers.pos_embed_sincos import apply_rot_embed_cat

        rotated = apply_rot_embed_cat(key[:, :, prefix:].float(), rope, half=getattr(attn, "rotate_half", False))
        key = torch.cat([key[:, :, :prefix].float(), rotated], dim=2)
    logits: torch.Tensor = (query.float() * query.shape[-1] ** -0.5) @ key.float().transpose(2, 3)
    return logits.softmax(-1)[:, :, 0]

"""Self-attention in bf16 on a CPU, faster than torch's own kernel for it."""

from __future__ import annotations

import torch

# Queries of a head worked on at a time: enough of them to make products efficient, and their rows of the attention
# matrix stay in the processor's cache. 200 to 450 are equally fast, 128 and the whole matrix are slower.
_QUERIES = 256
_SAFE = 100.0  # 2 to this power, times any number of tokens and any value, is far from the end of bf16's range


def attend(qkv: torch.Tensor, heads: int) -> torch.Tensor:
    """Attention of one picture's tokens to one another.

    torch's fused kernel takes 1.8 times as long in bf16 (measured at 1000 to 1800 tokens). Memory stays linear in the
    number of tokens. A softmax costs as much as a product here, so it is made of fewer and shorter passes: powers are
    of 2, which take less time than those of e; rows are divided by their sum in the end, when they have become as short
    as a head is wide; and the largest score of a row is subtracted only where the lengths of queries and keys do not
    rule out an overflow.

    Args:
        qkv: (t, 3 D) bf16: queries, keys and values of all heads. The weight of a key is 2 to the power of its product
            with the query, so queries have to be scaled by ``log2(e) / sqrt(D / heads)``.
        heads: how many there are, side by side.

    Returns:
        (t, D).
    """
    t = len(qkv)
    parts = qkv.view(t, 3, heads, -1)
    longest = torch.linalg.vector_norm(parts[:, :2], dim=-1).amax(0)
    safe = (longest[0] * longest[1] < _SAFE).tolist()
    queries, keys, values = parts.permute(1, 2, 0, 3).contiguous()  # each (heads, t, d)
    out, sums = qkv.new_empty(queries.shape), qkv.new_empty(heads, t)
    rows = -(-t // -(-t // _QUERIES))  # as even as can be
    block = qkv.new_empty(rows, t)
    for query, key, value, result, total, fits in zip(queries, keys.mT, values, out, sums, safe, strict=True):
        for some, seen, its_sum in zip(query.split(rows), result.split(rows), total.split(rows), strict=True):
            weights = torch.mm(some, key, out=block[: len(some)])
            if not fits:
                weights -= weights.amax(1, keepdim=True)
            weights.exp2_()
            torch.mm(weights, value, out=seen)
            torch.sum(weights, 1, out=its_sum)
    return (out.transpose(0, 1) / sums.t()[..., None]).flatten(1)

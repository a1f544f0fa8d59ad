"""A ViT of the DINO family spelt out in float64: slow, with full attention matrices, and free of timm's modules.

It reads nothing of a model but its tensors, in timm's names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.float64]
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@dataclass(frozen=True)
class Block:
    """What one block did, [CLS] and registers included: t tokens, D wide."""

    query: Array  # (t, D), before any rotation
    key: Array
    value: Array
    token: Array  # the block's output
    attention: Array  # (heads, t, t)


def run(
    tensors: Mapping[str, torch.Tensor], family: str, image: Array, *, patch: int, stride: int, heads: int
) -> tuple[list[Block], int]:
    """All blocks for an image (3, H, W) in 0..1, and how many tokens come before the patches."""
    w = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    rows = 1 + (image.shape[1] - patch) // stride
    columns = 1 + (image.shape[2] - patch) // stride
    normal = (image - MEAN[:, None, None]) / STD[:, None, None]
    kernel = w["patch_embed.proj.weight"].reshape(len(w["patch_embed.proj.weight"]), -1)
    patches = []
    for i in range(rows):
        for j in range(columns):
            window = normal[:, i * stride : i * stride + patch, j * stride : j * stride + patch]
            patches.append(kernel @ window.ravel() + w["patch_embed.proj.bias"])
    x = np.stack(patches)
    first = w["cls_token"][0]
    turn: Callable[[Array], Array] | None = None
    if family in ("v1", "v2"):
        first = first + w["pos_embed"][0, :1]
        x = x + positions_with_offset(w["pos_embed"][0, 1:], rows, columns)
    elif family == "v2reg":
        first = np.concatenate([first, w["reg_token"][0]])
        x = x + positions_antialiased(w["pos_embed"][0], rows, columns)
    else:
        first = np.concatenate([first, w["reg_token"][0]])
        turn = rotation(rows, columns, x.shape[1] // heads)
    x = np.concatenate([first, x])

    blocks = []
    depth = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
    eps = 1e-5 if family == "v3" else 1e-6
    for i in range(depth):
        here = {name.removeprefix(f"blocks.{i}."): a for name, a in w.items() if name.startswith(f"blocks.{i}.")}
        blocks.append(_block(here, x, heads, len(first), eps, turn))
        x = blocks[-1].token
    return blocks, len(first)


def token_blocks(layer: int, facet: str, depth: int) -> tuple[int, int]:
    """Whose outputs are tokens: the block at two thirds of the layer's depth, and the layer itself. What is not read
    as tokens needs of the last block only what it is given, and has the tokens of the one before instead."""
    return layer * 2 // 3, depth - 2 if layer == depth - 1 and facet != "token" else layer


def _block(
    w: Mapping[str, Array], x: Array, heads: int, prefix: int, eps: float, turn: Callable[[Array], Array] | None
) -> Block:
    width = x.shape[1]
    y = _norm(x, w["norm1.weight"], w["norm1.bias"], eps)
    qkv = y @ w["attn.qkv.weight"].T + w.get("attn.qkv.bias", 0.0)
    query, key, value = qkv[:, :width], qkv[:, width : 2 * width], qkv[:, 2 * width :]
    size = width // heads
    attention, mixed = [], []
    for h in range(heads):
        q, k, v = (a[:, h * size : (h + 1) * size] for a in (query, key, value))
        if turn is not None:
            q = np.concatenate([q[:prefix], turn(q[prefix:])])
            k = np.concatenate([k[:prefix], turn(k[prefix:])])
        logits = q @ k.T / math.sqrt(size)
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        attention.append(share)
        mixed.append(share @ v)
    out = np.concatenate(mixed, axis=1) @ w["attn.proj.weight"].T + w["attn.proj.bias"]
    x = x + out * w.get("ls1.gamma", w.get("gamma_1", 1.0))
    y = _norm(x, w["norm2.weight"], w["norm2.bias"], eps)
    y = _gelu(y @ w["mlp.fc1.weight"].T + w["mlp.fc1.bias"]) @ w["mlp.fc2.weight"].T + w["mlp.fc2.bias"]
    x = x + y * w.get("ls2.gamma", w.get("gamma_2", 1.0))
    return Block(query, key, value, x, np.stack(attention))


def _norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps) * weight + bias


def _gelu(x: Array) -> Array:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


# Position embeddings


def cubic(x: float, a: float) -> float:
    """Keys' cubic kernel; ``a`` is its slope at 1."""
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    if x < 2:
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return 0.0


def offset_weights(old: int, new: int) -> Array:
    """(new, old): DINO's own code asks for (new + 0.1) / old times as many positions, and samples at that scale."""
    weights = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * old / (new + 0.1) - 0.5
        left = math.floor(centre)
        for j in range(left - 1, left + 3):
            weights[i, min(max(j, 0), old - 1)] += cubic(centre - j, -0.75)
    return weights


def antialiased_weights(old: int, new: int) -> Array:
    """(new, old): sizes only; a kernel as wide as the step where the grid becomes coarser, cut at the border."""
    step = old / new
    stretch = max(step, 1.0)
    weights = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * step
        for j in range(old):
            weights[i, j] = cubic((j + 0.5 - centre) / stretch, -0.5)
        weights[i] /= weights[i].sum()
    return weights


def _resampled(positions: Array, vertical: Array, horizontal: Array) -> Array:
    side = vertical.shape[1]
    square = positions.reshape(side, side, -1)
    return np.einsum("ia,jb,abd->ijd", vertical, horizontal, square).reshape(-1, positions.shape[1])


def positions_with_offset(positions: Array, rows: int, columns: int) -> Array:
    """DINO, and DINOv2 without registers: (side * side, D) to (rows * columns, D)."""
    side = math.isqrt(len(positions))
    if (rows, columns) == (side, side):
        return positions
    return _resampled(positions, offset_weights(side, rows), offset_weights(side, columns))


def positions_antialiased(positions: Array, rows: int, columns: int) -> Array:
    """DINOv2 with registers: (side * side, D) to (rows * columns, D)."""
    side = math.isqrt(len(positions))
    if (rows, columns) == (side, side):
        return positions
    return _resampled(positions, antialiased_weights(side, rows), antialiased_weights(side, columns))


def rotation(rows: int, columns: int, size: int) -> Callable[[Array], Array]:
    """DINOv3: turns pairs (k, k + size / 2) of a head's dimensions by the patch's place, y first, then x.

    Places run from -1 to 1 over the grid; a quarter of the dimensions are frequencies 2 pi / 100 ** (k / quarter).
    """
    quarter = size // 4
    frequencies = 2 * math.pi / 100.0 ** (np.arange(quarter) / quarter)
    angles = []
    for i in range(rows):
        for j in range(columns):
            y, x = 2 * (i + 0.5) / rows - 1, 2 * (j + 0.5) / columns - 1
            angles.append(np.concatenate([y * frequencies, x * frequencies]))
    cos, sin = np.cos(angles), np.sin(angles)

    def turn(vectors: Array) -> Array:
        a, b = vectors[:, : size // 2], vectors[:, size // 2 :]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=1)

    return turn

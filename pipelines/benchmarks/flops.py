"""Multiply-adds that descriptors of a frame cost: those of products and convolutions, which are nearly all there are.

Counted from the shapes of the model and of the grid, for what `ViTExtractor` computes and no more: it stops at the
block that is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from videoparts.grid import Grid
from videoparts.identity import ExtractorIdentity
from videoparts.vit.extractor import token_blocks
from videoparts.vit.shifts import shifts_of


@dataclass(frozen=True)
class VitShape:
    """The sizes of a ViT that its cost depends on."""

    patch: int
    prefix: int  # tokens before those of the patches: [CLS] and registers
    width: int  # D
    depth: int  # blocks
    layers: int  # multiply-adds of a block's linear layers, for one token

    @classmethod
    def of(cls, model: Any) -> VitShape:
        """Of a model of timm's, as `load_model` gives it."""
        linear = (layer for layer in model.blocks[0].modules() if isinstance(layer, nn.Linear))
        return cls(
            patch=int(model.patch_embed.patch_size[0]),
            prefix=int(model.num_prefix_tokens),
            width=int(model.embed_dim),
            depth=len(model.blocks),
            layers=sum(layer.in_features * layer.out_features for layer in linear),
        )

    def embedding(self, grid: Grid) -> int:
        """Of the patches of a grid."""
        return grid.rows * grid.columns * 3 * self.patch**2 * self.width

    def block(self, grid: Grid) -> int:
        """Of one whole block: its layers, queries by keys, and their weights by values."""
        tokens = self.tokens(grid)
        return tokens * self.layers + 2 * tokens**2 * self.width

    def tokens(self, grid: Grid) -> int:
        """t, [CLS] and registers included."""
        return self.prefix + grid.rows * grid.columns


def multiply_adds(
    shape: VitShape, grid: Grid, identity: ExtractorIdentity, *, attention: bool = False, tokens: bool = False
) -> int:
    """Of one frame, as `ViTExtractor.describe` computes it with these arguments.

    Args:
        shape: of the model.
        grid: of the frame's patches.
        identity: of the extractor.
        attention: whether the [CLS] attention of the last block is asked for too.
        tokens: whether the tokens are.
    """
    if identity.shifted:
        once = replace(identity, shifted=False)
        passes = (multiply_adds(shape, s.grid, once, attention=attention, tokens=tokens) for s in shifts_of(grid))
        return sum(passes)
    layer, facet = identity.layer, identity.facet
    whole = layer + 1 if facet == "token" else layer
    if tokens:
        whole = max(whole, token_blocks(layer, facet, shape.depth - 1)[1] + 1)
    if attention:
        whole = max(whole, shape.depth - 1)
    t, d = shape.tokens(grid), shape.width
    projection = 0 if facet == "token" else t * d * d
    looks = d * d + t * d * d + t * d if attention else 0  # the query of [CLS], all keys, one by the others
    return shape.embedding(grid) + whole * shape.block(grid) + projection + looks


def authors_multiply_adds(shape: VitShape, grid: Grid) -> int:
    """Of one frame, in the authors' arrangement: twice all blocks."""
    return 2 * (shape.embedding(grid) + shape.depth * shape.block(grid))

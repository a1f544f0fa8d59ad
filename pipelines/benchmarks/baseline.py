"""The arrangement of the paper's authors, written by us from its description: to be read and compared with, not fast.

What their part co-segmentation, which is what they use for video, does to every frame (Amir, Gandelsman, Bagon, Dekel,
"Deep ViT Features as Dense Visual Descriptors", 2022; github.com/ShirAmir/dino-vit-features), and so does this:

- fp32, one frame after the other, each a batch of its own;
- a stride of half a patch and a short side of 224 pixels (DINO ViT-S/8 with stride 4; DINOv2's patches of 14 pixels
  make that 7); descriptors are keys, without log-binning, which they keep for correspondences;
- a hook takes the descriptors out of their block, and all blocks run to the end of the model;
- every block makes its attention matrix whole: softmax(q kT / sqrt(d)) v;
- saliency, the [CLS] token's row of the last block's attention, comes from a second pass of another extractor. Its
  stride is 8, which does not divide 14 either: here it is that of the first pass.

Theirs computes queries, keys and values of the hooked block once more, and here that is spared. It takes layer 11; all
blocks are run in any case, so that the cost is the same for ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from videoparts.grid import Grid
from videoparts.identity import ExtractorIdentity
from videoparts.vit.descriptors import log_bin
from videoparts.vit.positions import resample_positions, resampling_of

SHORT_SIDE = 224


def authors_stride(patch: int) -> int:
    """Pixels between patches, as the authors take it: half a patch."""
    return patch // 2


@dataclass(frozen=True)
class Block:
    """What a hook can take out of one block, for N images of t tokens, [CLS] and registers included."""

    query: torch.Tensor  # (N, heads, t, d)
    key: torch.Tensor
    value: torch.Tensor
    attention: torch.Tensor  # (N, heads, t, t)
    token: torch.Tensor  # (N, t, D) the block's output


class AuthorsArrangement:
    """Descriptors and [CLS] attention of frames, one at a time.

    Args:
        model: a plain ViT of timm's in fp32, as `load_model` gives it; see `fits`.
        identity: what is computed, as `ViTExtractor` computes it.
        device: that computes.
    """

    def __init__(self, model: Any, identity: ExtractorIdentity, device: torch.device) -> None:
        self._model = model.to(device).eval()
        self._identity = identity
        self._device = device
        self._mean, self._std = (
            torch.tensor(model.default_cfg[name], device=device)[:, None, None] for name in ("mean", "std")
        )

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether this is a ViT as the authors' code takes it: positions are added, not rotated by, as in DINOv3."""
        return getattr(model, "rope", None) is None and model.pos_embed is not None

    @torch.no_grad()
    def describe(self, image: torch.Tensor, grid: Grid) -> tuple[torch.Tensor, torch.Tensor]:
        """Two passes.

        Args:
            image: (1, 3, H, W) float32 in 0..1, of the size that ``grid`` is for.
            grid: where its patches lie.

        Returns:
            Descriptors (1, h, w, D) of unit length, and the [CLS] attention of the last block, (1, heads, h, w).
        """
        h, w = grid.rows, grid.columns
        described = self._pass(image, grid, self._identity.layer)
        found: torch.Tensor = getattr(described, self._identity.facet)
        if self._identity.facet != "token":
            found = found.transpose(1, 2).flatten(2)  # the heads side by side
        descriptors = found[:, -h * w :].reshape(1, h, w, -1)
        if self._identity.binned:
            descriptors = log_bin(descriptors)
        looking = self._pass(image, grid, len(self._model.blocks) - 1)
        return F.normalize(descriptors, dim=-1), looking.attention[:, :, 0, -h * w :].reshape(1, -1, h, w)

    def _pass(self, image: torch.Tensor, grid: Grid, layer: int) -> Block:
        """All blocks, one of which is kept."""
        x = self._embedded((image.to(self._device) - self._mean) / self._std, grid)
        kept: Block | None = None
        for number, block in enumerate(self._model.blocks):
            done = _block(block, x)
            x = done.token
            if number == layer:
                kept = done
        self._model.norm(x)  # nobody asks for it; theirs runs it too
        assert kept is not None
        return kept

    def _embedded(self, image: torch.Tensor, grid: Grid) -> torch.Tensor:
        """(1, t, D): the patches and what comes before them, with their positions."""
        model, projection = self._model, self._model.patch_embed.proj
        x = F.conv2d(image, projection.weight, projection.bias, stride=grid.stride).flatten(2).transpose(1, 2)
        prefix = [tokens for tokens in (model.cls_token, getattr(model, "reg_token", None)) if tokens is not None]
        start = torch.cat(prefix, dim=1)
        positions = model.pos_embed
        if not model.no_embed_class:
            start = start + positions[:, : start.shape[1]]
            positions = positions[:, start.shape[1] :]
        positions = resample_positions(positions, (grid.rows, grid.columns), resampling_of(self._identity.model))
        embedded: torch.Tensor = model.norm_pre(torch.cat([start, x + positions], dim=1))
        return embedded


def _block(block: Any, x: torch.Tensor) -> Block:
    attend = block.attn
    n, t, width = x.shape
    qkv = attend.qkv(block.norm1(x)).reshape(n, t, 3, attend.num_heads, width // attend.num_heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    logits = attend.q_norm(query) @ attend.k_norm(key).transpose(2, 3) * query.shape[-1] ** -0.5
    attention = logits.softmax(-1)
    x = x + block.ls1(attend.proj((attention @ value).transpose(1, 2).reshape(n, t, width)))
    x = x + block.ls2(block.mlp(block.norm2(x)))
    return Block(query, key, value, attention, x)

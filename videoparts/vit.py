"""Descriptors and [CLS] attention of a DINO ViT, in one pass. The only file that knows timm."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .attention import ChunkedAttention
from .config import ComputeSettings, ExtractorSettings, Facet
from .descriptors import log_bin, unit_length
from .devices import resolve_device, resolve_precision
from .errors import SettingsError, WeightsError
from .features import Features
from .frames import Pixels
from .grid import Grid
from .identity import ExtractorIdentity
from .naming import Tensors, timm_name
from .positions import resample_positions, resampling_of
from .resize import resize
from .weights import Weights, find_weights

# What a descriptor never depends on: the head, and the norm after the last block.
_UNUSED = ("norm.", "fc_norm.", "head.", "mask_token")


class ViTExtractor:
    """Computes `Features` of frames with a ViT of the DINO family.

    Args:
        settings: what is computed.
        compute: where the weights come from, device, precision.
        weights: weights to take instead of those that ``compute`` leads to.

    Raises:
        SettingsError: an unknown model, layer, device, or a stride that does not divide the patch size.
        WeightsError: no weights are found, or they do not fit the model.
    """

    def __init__(
        self,
        settings: ExtractorSettings | None = None,
        compute: ComputeSettings | None = None,
        *,
        weights: Weights | None = None,
    ) -> None:
        settings = settings or ExtractorSettings()
        compute = compute or ComputeSettings()
        self.device = resolve_device(compute.device)
        self.dtype = resolve_precision(compute.precision, self.device)
        self.batch_size = compute.batch_size or (16 if self.device.type == "cuda" else 1)
        name = timm_name(settings.model)
        model = _build(name)
        weights = weights or find_weights(name, compute.weights, offline=compute.offline)
        _load(model, weights, settings.model)
        self.origin = weights.origin

        self.patch_size: int = model.patch_embed.patch_size[0]
        self._stride = settings.stride or self.patch_size
        Grid.fit((1, 1), settings.load_size, self.patch_size, self._stride)  # raises what can be wrong with them
        depth = len(model.blocks)
        layer = depth * 5 // 6 - 1 if settings.layer is None else settings.layer
        layer = max(0, layer) if settings.layer is None else _block(layer, depth, settings.model)
        self.identity = ExtractorIdentity(
            model=name,
            layer=layer,
            facet=settings.facet,
            stride=self._stride,
            load_size=settings.load_size,
            binned=settings.binned,
            fingerprint=_fingerprint(model),
        )
        self._resampling = resampling_of(name)
        self._prepare(model)

    @property
    def depth(self) -> int:
        """Blocks of the model."""
        return len(self._blocks)

    def at(self, layer: int, facet: Facet) -> ViTExtractor:
        """The same model, read at another block (from 0; negative: from the last) and facet. Nothing is loaded again.

        Raises:
            SettingsError: there is no such block.
        """
        other = copy.copy(self)
        number = _block(layer, self.depth, self.identity.model)
        other.identity = replace(self.identity, layer=number, facet=facet)
        return other

    def grid(self, size: tuple[int, int]) -> Grid:
        """Where the patches lie for frames of ``size`` (height, width)."""
        return Grid.fit(size, self.identity.load_size, self.patch_size, self._stride)

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        """Features of frames of any size, resized to the load size first.

        Args:
            pixels: (N, H, W, 3) uint8 RGB.
            attention: also give the [CLS] attention of the last block.
            tokens: also give the outputs of the descriptors' block and of the one at two thirds of its depth: the
                later one knows what a patch belongs to, the earlier one knows better where it ends.
        """
        if pixels.dtype not in (np.uint8, torch.uint8) or pixels.ndim != 4 or pixels.shape[3] != 3:
            raise ValueError(f"pixels must be (N, H, W, 3) uint8, got {tuple(pixels.shape)} {pixels.dtype}")
        frames = torch.as_tensor(pixels).to(self.device)
        grid = self.grid((frames.shape[1], frames.shape[2]))
        return self.describe(resize(frames, (grid.height, grid.width), "bicubic"), attention=attention, tokens=tokens)

    @torch.inference_mode()
    def describe(self, images: torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        """Features of images at exactly the size they have; pixels beyond the last whole patch are not seen.

        Args:
            images: (N, 3, H, W) uint8, or float in 0..1.
            attention: also give the [CLS] attention of the last block.
            tokens: also give the tokens, as `extract` does.
        """
        grid = Grid(images.shape[2], images.shape[3], self.patch_size, self._stride)
        # A CPU is as fast with one image at a time, and so the result cannot depend on the batch.
        step = len(images) if self.device.type == "cuda" else 1
        outputs = [self._forward(images[i : i + step], grid, attention, tokens) for i in range(0, len(images), step)]
        descriptors = torch.cat([output[0] for output in outputs])
        if self.identity.binned:
            descriptors = log_bin(descriptors.float())
        return Features(
            unit_length(descriptors),
            grid,
            torch.cat([output[1] for output in outputs]) if attention else None,
            torch.cat([output[2] for output in outputs]) if tokens else None,
        )

    def _prepare(self, model: Any) -> None:
        """Keep what a forward pass needs, in the precision it needs."""
        self._rope = getattr(model, "rope", None)
        self._prefix_tokens = int(model.num_prefix_tokens)
        prefix = [t for t in (model.cls_token, getattr(model, "reg_token", None)) if t is not None]
        self._prefix = torch.cat(prefix, dim=1).detach()  # (1, 1 + registers, D)
        positions = getattr(model, "pos_embed", None)
        self._positions: torch.Tensor | None = None
        if positions is not None:
            positions = positions.detach().float()
            if not model.no_embed_class:  # the embedding covers [CLS] too
                self._prefix = self._prefix + positions[:, : self._prefix_tokens]
                positions = positions[:, self._prefix_tokens :]
            self._positions = positions.to(self.device)
        self._prefix = self._prefix.to(self.device, self.dtype)
        self._grids: dict[tuple[int, int], tuple[torch.Tensor | None, torch.Tensor | None]] = {}

        # mean and std of the pixels go into the first convolution: conv((x - mean) / std) = conv'(x).
        # The sum runs in float64 so that float32 stays exact to rounding.
        proj = model.patch_embed.proj
        mean = torch.tensor(model.default_cfg["mean"], dtype=torch.float64)
        std = torch.tensor(model.default_cfg["std"], dtype=torch.float64)
        weight = proj.weight.detach().double() / std[:, None, None]
        bias = proj.bias.detach().double() - (weight * mean[:, None, None]).sum((1, 2, 3))
        self._patch_weight = weight.to(self.device, self.dtype)
        self._patch_bias = bias.to(self.device, self.dtype)
        self._norm_pre = model.norm_pre.to(self.device, self.dtype).eval()
        self._blocks = model.blocks.to(self.device, self.dtype).eval().requires_grad_(False)
        if self.device.type == "cpu" and self.dtype == torch.bfloat16:
            for block in self._blocks:
                if ChunkedAttention.fits(block.attn):
                    block.attn = ChunkedAttention(block.attn)

    def _embeddings(self, grid: Grid) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Position embedding (1, h * w, D) and rotary embedding of a grid, made once a size."""
        size = (grid.rows, grid.columns)
        if size not in self._grids:
            positions = None
            if self._positions is not None:
                positions = resample_positions(self._positions, size, self._resampling).to(self.dtype)
            rope = None
            if self._rope is not None:
                rope = self._rope.get_embed(shape=list(size)).to(self.device)
            self._grids[size] = (positions, rope)
        return self._grids[size]

    def _forward(
        self, images: torch.Tensor, grid: Grid, attention: bool, tokens: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of one batch: descriptors (N, h, w, D), not normalised, attention (N, heads, h, w), and tokens
        (N, h, w, 2 D); empty what was not asked for."""
        n = len(images)
        images = images.to(self.device)
        images = images.to(self.dtype) / 255 if images.dtype == torch.uint8 else images.to(self.dtype)
        x = F.conv2d(images, self._patch_weight, self._patch_bias, stride=self._stride)
        x = x.flatten(2).transpose(1, 2)
        positions, rope = self._embeddings(grid)
        if positions is not None:
            x = x + positions
        x = self._norm_pre(torch.cat([self._prefix.expand(n, -1, -1), x], dim=1))

        layer, facet = self.identity.layer, self.identity.facet
        last = len(self._blocks) - 1
        wanted = (layer * 2 // 3, layer) if tokens else ()
        whole = facet == "token" or tokens  # the descriptors' block has to be run to its end
        outputs: dict[int, torch.Tensor] = {}
        descriptors = looks = x[:, :0]
        for i, block in enumerate(self._blocks):
            projected, looking = i == layer and facet != "token", i == last and attention
            normed = block.norm1(x) if projected or looking else x
            if projected:
                descriptors = _project(block.attn, normed, ("query", "key", "value").index(facet))
            if looking:
                looks = _cls_attention(block.attn, normed, rope, self._prefix_tokens)
            further = attention and i < last
            if not (further or i < layer or (i == layer and whole)):
                break
            x = block(x) if rope is None else block(x, rope=rope)
            if i == layer and facet == "token":
                descriptors = x
            if i in wanted:
                outputs[i] = x
        h, w = grid.rows, grid.columns
        start = self._prefix_tokens
        joined = [unit_length(outputs[i][:, start:].reshape(n, h, w, -1)) for i in wanted]
        return (
            descriptors[:, start:].reshape(n, h, w, -1),
            looks[:, :, start:].reshape(n, -1, h, w) if attention else looks,
            torch.cat(joined, dim=-1) if tokens else x[:, :0],
        )


def _block(layer: int, depth: int, model: str) -> int:
    """The number of a block, from 0; ``layer`` may count from the last, -1."""
    number = layer + depth if layer < 0 else layer
    if not 0 <= number < depth:
        raise SettingsError(f"--layer {layer}: {model} has blocks 0 to {depth - 1}")
    return number


def _build(name: str) -> Any:
    import timm

    if not timm.is_model(name.split(".")[0]):
        raise SettingsError(f"this timm, {timm.__version__}, has no model {name!r}; upgrade timm or take another model")
    # Random weights that are overwritten a moment later take seconds to draw; DINOv3's class knows no other way.
    fast: dict[str, Any] = {} if "dinov3" in name else {"weight_init": "skip"}
    try:
        model = timm.create_model(name, pretrained=False, num_classes=0, **fast)
    except (RuntimeError, ValueError) as error:  # of a known model, but an unknown tag
        raise SettingsError(f"model {name!r}: {error}") from error
    if not all(hasattr(model, part) for part in ("blocks", "patch_embed", "cls_token", "norm_pre")):
        raise SettingsError(f"model {name!r} is not a plain ViT with a [CLS] token; take one of the DINO family")
    return model.eval()


def _load(model: nn.Module, weights: Weights, name: str) -> None:
    """Load tensors in timm's or the original naming; timm's own filter of the architecture translates."""
    translate = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    other = f"{weights.origin}: weights of another architecture than {name}; name the right one with --model"
    kernel = weights.tensors.get("patch_embed.proj.weight")
    if kernel is not None and kernel.shape != model.state_dict()["patch_embed.proj.weight"].shape:
        raise WeightsError(other)  # timm would resample patches of another size without a word
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # timm prints a line for each bias that it drops
            tensors: Tensors = translate(dict(weights.tensors), model) if translate else dict(weights.tensors)
        missing, unexpected = model.load_state_dict(tensors, strict=False)
    except (RuntimeError, LookupError, AssertionError, ValueError) as error:
        raise WeightsError(other) from error
    wrong = [key for key in (*missing, *unexpected) if not key.startswith(_UNUSED)]
    if wrong:
        raise WeightsError(
            f"{weights.origin}: does not fit {name}: {len(wrong)} tensors missing or unknown, such as {wrong[0]}; "
            "name the right architecture with --model"
        )


def _fingerprint(model: nn.Module) -> str:
    """SHA-256, 16 hex digits, over the tensors that descriptors depend on, as float32 under timm's names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if not name.startswith(_UNUSED):
            digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().float().contiguous().numpy().data)
    return digest.hexdigest()[:16]


def _project(attn: Any, x: torch.Tensor, which: int) -> torch.Tensor:
    """Query (0), key (1) or value (2) of all heads side by side, (N, t, D): one third of the block's projection.

    Before any rotation or norm of the heads, as the paper takes them.
    """
    if attn.qkv is None:
        projection = (attn.q_proj, attn.k_proj, attn.v_proj)[which]
        return F.linear(x, projection.weight, projection.bias)
    third = attn.qkv.weight.shape[0] // 3
    rows = slice(which * third, (which + 1) * third)
    bias = attn.qkv.bias
    if bias is None and getattr(attn, "q_bias", None) is not None:
        bias = torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
    return F.linear(x, attn.qkv.weight[rows], None if bias is None else bias[rows])


def _cls_attention(attn: Any, x: torch.Tensor, rope: torch.Tensor | None, prefix: int) -> torch.Tensor:
    """The [CLS] token's row of the attention matrix, (N, heads, t) float32: no t x t matrix is made."""
    heads = attn.num_heads
    query = _project(attn, x[:, :1], 0).reshape(len(x), 1, heads, -1).transpose(1, 2)
    key = _project(attn, x, 1).reshape(len(x), x.shape[1], heads, -1).transpose(1, 2)
    query, key = attn.q_norm(query), attn.k_norm(key)
    if rope is not None:  # [CLS] itself is never rotated, only the keys of patches are
        from timm.layers.pos_embed_sincos import apply_rot_embed_cat

        rotated = apply_rot_embed_cat(key[:, :, prefix:].float(), rope, half=getattr(attn, "rotate_half", False))
        key = torch.cat([key[:, :, :prefix].float(), rotated], dim=2)
    logits: torch.Tensor = (query.float() * query.shape[-1] ** -0.5) @ key.float().transpose(2, 3)
    return logits.softmax(-1)[:, :, 0]

"""Descriptors and [CLS] attention of a DINO ViT, in one pass. No other folder knows timm."""

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
from torch import nn

from ..config import ComputeSettings, ExtractorSettings, Facet
from ..devices import on_device, resolve_device
from ..errors import SettingsError, WeightsError
from ..features import Features
from ..frames import Pixels
from ..grid import Grid
from ..identity import ExtractorIdentity
from ..resize import resize
from .activations import activations, pink_noise
from .descriptors import log_bin, unit_length
from .facets import cls_attention, project
from .fast_block import FastBlock, run_blocks
from .naming import Tensors, timm_name
from .openvino_blocks import OpenVinoBlocks
from .patch_embedding import embedded
from .plain_block import all_plain, is_plain
from .positions import embeddings, resampling_of
from .precision import precision_name, resolve_precision
from .rounded_block import RoundedBlock
from .shifts import Seen, seen_in_turn
from .weights import Weights, find_weights

_SAMPLES, _SAMPLE_PATCHES = 2, 16  # pictures, and patches along their sides
_FEWEST = 8  # patches along the short side of a frame that show enough of it
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
        self.precision = precision_name(compute, self.device)
        self.runtime = compute.runtime
        if self.runtime == "openvino" and self.device.type != "cpu":
            raise SettingsError(f"--runtime openvino runs on a CPU, not on {self.device}; take --device cpu, or torch")
        self.batch_size = compute.batch_size or (16 if self.device.type == "cuda" else 1)
        name = timm_name(settings.model)
        model, self.origin = load_model(settings.model, compute, weights)
        if self.precision == "int8" and not all_plain(model.blocks):
            if compute.precision == "int8":
                raise SettingsError("--precision int8: it cannot run the blocks of this model; take auto")
            self.precision = precision_name(replace(compute, precision="auto"), self.device)

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
            shifted=settings.shifted and self._stride < self.patch_size,
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

    def afar(self) -> ViTExtractor | None:
        """The same model at half the load size; None where that has only a few patches. Nothing is loaded again."""
        load_size = self.identity.load_size // 2
        if load_size < _FEWEST * self.patch_size:
            return None
        other = copy.copy(self)
        other.identity = replace(self.identity, load_size=load_size)
        return other

    def grid(self, size: tuple[int, int]) -> Grid:
        """Where the patches lie for frames of ``size`` (height, width)."""
        return Grid.fit(size, self.identity.load_size, self.patch_size, self._stride)

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        """Features of frames of any size, resized to the load size first.

        Args:
            pixels: (N, H, W, 3) uint8 RGB.
            attention: also give the [CLS] attention of the last block.
            tokens: also give the outputs of two blocks, see `token_blocks`: the later one knows what a patch belongs
                to, the earlier one knows better where it ends.

        Raises:
            ValueError: ``pixels`` are not of that shape and type.
        """
        if pixels.dtype not in (np.uint8, torch.uint8) or pixels.ndim != 4 or pixels.shape[3] != 3:
            raise ValueError(f"pixels must be (N, H, W, 3) uint8, got {tuple(pixels.shape)} {pixels.dtype}")
        frames = on_device(pixels, self.device)
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
        outputs = [self._seen(images[i : i + step], grid, attention, tokens) for i in range(0, len(images), step)]
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
        self._prefix_tokens = int(model.num_prefix_tokens)
        prefix = [t for t in (model.cls_token, getattr(model, "reg_token", None)) if t is not None]
        self._prefix = torch.cat(prefix, dim=1).detach()  # (1, 1 + registers, D)
        positions = getattr(model, "pos_embed", None)
        if positions is not None:
            positions = positions.detach().float()
            if not model.no_embed_class:  # the embedding covers [CLS] too
                self._prefix = self._prefix + positions[:, : self._prefix_tokens]
                positions = positions[:, self._prefix_tokens :]
        rope = getattr(model, "rope", None)
        self._embeddings = embeddings(positions, rope, self._resampling, self.device, self.dtype)
        self._prefix = self._prefix.to(self.device, self.dtype)

        # mean and std of the pixels go into the first convolution: conv((x - mean) / std) = conv'(x).
        # The sum runs in float64 so that float32 stays exact to rounding.
        proj = model.patch_embed.proj
        mean = torch.tensor(model.default_cfg["mean"], dtype=torch.float64)
        std = torch.tensor(model.default_cfg["std"], dtype=torch.float64)
        weight = proj.weight.detach().double() / std[:, None, None]
        bias = proj.bias.detach().double() - (weight * mean[:, None, None]).sum((1, 2, 3))
        self._patch_weight = weight.to(self.device, self.dtype)
        if self.device.type == "cuda":  # as frames are, channels last, which its convolutions in fp16 want
            self._patch_weight = self._patch_weight.contiguous(memory_format=torch.channels_last)
        self._patch_bias = bias.to(self.device, self.dtype)
        self._norm_pre = model.norm_pre.to(self.device, self.dtype).eval()
        blocks = list(model.blocks)
        self._openvino: OpenVinoBlocks | None = None
        if self.runtime == "openvino":
            samples = self._samples() if self.precision == "int8" else []
            self._openvino = OpenVinoBlocks(copy.deepcopy(blocks), self.dtype, samples)
        elif self.precision == "int8":
            given = activations(blocks, self._samples(), self.dtype)
            blocks = [RoundedBlock(block, its) for block, its in zip(blocks, given, strict=True)]
        elif self.device.type == "cpu" and self.dtype == torch.bfloat16:
            blocks = [FastBlock(block) if is_plain(block) else block for block in blocks]
        self._blocks: Any = nn.ModuleList(blocks).to(self.device, self.dtype).eval().requires_grad_(False)

    def _samples(self) -> list[torch.Tensor]:
        """What the first block is given for a few pictures, each (1, t, D) float32."""
        side = _SAMPLE_PATCHES * self.patch_size
        grid = Grid(side, side, self.patch_size, self.patch_size)
        return [self._embed(one, grid)[0].float() for one in torch.split(pink_noise(_SAMPLES, side), 1)]

    def _embed(self, images: torch.Tensor, grid: Grid) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the first block is given (N, t, D), and the rotation that all are."""
        images = images.to(self.device)
        images = images.to(self.dtype) / 255 if images.dtype == torch.uint8 else images.to(self.dtype)
        exact = self.device.type == "cuda" and self.dtype == torch.float32
        x = embedded(images, self._patch_weight, self._patch_bias, grid.stride, exact=exact)
        positions, rope = self._embeddings((grid.rows, grid.columns))
        if positions is not None:
            x = x + positions
        return self._norm_pre(torch.cat([self._prefix.expand(len(images), -1, -1), x], dim=1)), rope

    def _seen(self, images: torch.Tensor, grid: Grid, attention: bool, tokens: bool) -> Seen:
        """As `_forward`, of all patches at once or in turn."""

        def see(some: torch.Tensor, some_grid: Grid) -> Seen:
            return self._forward(some, some_grid, attention, tokens)

        return seen_in_turn(see, images, grid) if self.identity.shifted else see(images, grid)

    def _run(
        self, x: torch.Tensor, rope: torch.Tensor | None, keep: set[int], labelled: int | None
    ) -> dict[int, torch.Tensor]:
        """The outputs of some blocks.

        OpenVINO takes half a second and more to get ready for a choice of them. The few frames that a fit sees are
        asked for more than those that are labelled after it, of which ``labelled`` is the last block: torch runs what
        is beyond, and OpenVINO gets ready once.
        """
        if self._openvino is None:
            return run_blocks(self._blocks, x, rope, keep)
        if labelled is None or max(keep) <= labelled:
            return self._openvino.run(x, keep)
        outputs = self._openvino.run(x, {number for number in keep if number <= labelled})
        beyond = {number - labelled - 1 for number in keep if number > labelled}
        found = run_blocks(self._blocks[labelled + 1 :], outputs[labelled], rope, beyond)
        return outputs | {number + labelled + 1: output for number, output in found.items()}

    def _forward(self, images: torch.Tensor, grid: Grid, attention: bool, tokens: bool) -> Seen:
        """Of one batch: descriptors (N, h, w, D), not normalised, attention (N, heads, h, w), and tokens
        (N, h, w, 2 D); empty what was not asked for."""
        n = len(images)
        x, rope = self._embed(images, grid)
        layer, facet, last = self.identity.layer, self.identity.facet, len(self._blocks) - 1
        joined = token_blocks(layer, facet, last) if tokens else ()
        keep = {*joined, layer if facet == "token" else layer - 1}  # -1: what the first block is given
        if attention:
            keep |= {last - 1}
        outputs = self._run(x, rope, keep, max(joined) if attention and tokens else None)
        if facet == "token":
            descriptors = outputs[layer]
        else:
            block = self._blocks[layer]
            descriptors = project(block.attn, block.norm1(outputs[layer - 1]), facet)
        looks = x[:, :0]
        h, w = grid.rows, grid.columns
        start = self._prefix_tokens
        if attention:
            block = self._blocks[last]
            looks = cls_attention(block.attn, block.norm1(outputs[last - 1]), rope, start)
            looks = looks[:, :, start:].reshape(n, -1, h, w)
        each = [unit_length(outputs[i][:, start:].reshape(n, h, w, -1)) for i in joined]
        return descriptors[:, start:].reshape(n, h, w, -1), looks, torch.cat(each, dim=-1) if tokens else x[:, :0]


def token_blocks(layer: int, facet: Facet, last: int) -> tuple[int, int]:
    """The blocks whose outputs are a patch's tokens: the descriptors' block, and the one at two thirds of its depth.

    The last block is not run for them: its keys and its attention need no more than what it is given.
    """
    later = layer if facet == "token" else min(layer, max(last - 1, 0))
    return layer * 2 // 3, later


def _block(layer: int, depth: int, model: str) -> int:
    """The number of a block, from 0; ``layer`` may count from the last, -1."""
    number = layer + depth if layer < 0 else layer
    if not 0 <= number < depth:
        raise SettingsError(f"--layer {layer}: {model} has blocks 0 to {depth - 1}")
    return number


def load_model(model: str, compute: ComputeSettings, weights: Weights | None = None) -> tuple[Any, str]:
    """A model of timm's with its weights, in float32 on the CPU, and where they are from.

    Args:
        model: as `ExtractorSettings.model`.
        compute: where the weights come from.
        weights: weights to take instead.

    Raises:
        SettingsError, WeightsError: as `ViTExtractor` does.
    """
    name = timm_name(model)
    built = _build(name)
    weights = weights or find_weights(name, compute.weights, offline=compute.offline)
    _load(built, weights, model)
    return built, weights.origin


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

"""Tiny seeded ViTs, one of each family: they are registered in timm, and then everything finds them by name.

``ExtractorSettings(model=TINY["v2"])`` works wherever a real model does, once the weights are given: `tiny_weights`
makes them, `tiny_file` writes them for ``--weights``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from timm.models import register_model
from timm.models.eva import Eva
from timm.models.vision_transformer import Block, VisionTransformer

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.vit.extractor import ViTExtractor
from videoparts.vit.weights import Weights

PATCH, SIDE, WIDTH, DEPTH, HEADS = 4, 5, 48, 4, 3
TINY = {
    "v1": "vit_tiny_patch4_dino",
    "v2": "vit_tiny_patch4_dinov2",
    "v2reg": "vit_tiny_patch4_reg4_dinov2",
    "v3": "vit_tiny_patch4_dinov3",
}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _described(model: Any) -> Any:
    model.default_cfg = {"mean": MEAN, "std": STD}
    return model


def _plain(**more: Any) -> Any:
    more.setdefault("img_size", PATCH * SIDE)
    return _described(
        VisionTransformer(
            patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS, num_classes=0, weight_init="skip", **more
        )
    )


@register_model
def vit_tiny_patch4_dino(pretrained: bool = False, **_: Any) -> Any:
    return _plain()


@register_model
def vit_tiny_patch4_dinov2(pretrained: bool = False, **_: Any) -> Any:
    return _plain(init_values=0.1)


@register_model
def vit_tiny_patch4_reg4_dinov2(pretrained: bool = False, **_: Any) -> Any:
    return _plain(init_values=0.1, reg_tokens=4, no_embed_class=True)


@register_model
def vit_tiny_patch4_dinov3(pretrained: bool = False, **_: Any) -> Any:
    return _described(
        Eva(
            img_size=PATCH * SIDE,
            patch_size=PATCH,
            embed_dim=WIDTH,
            depth=DEPTH,
            num_heads=HEADS,
            num_classes=0,
            qkv_bias=False,
            init_values=0.1,
            use_abs_pos_emb=False,
            use_rot_pos_emb=True,
            rope_type="dinov3",
            rope_temperature=100,
            rope_rotate_half=True,
            num_reg_tokens=4,
            dynamic_img_size=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-5),
        )
    )


def random_tensors(model: torch.nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights for any ViT, large enough that every token, position and head matters."""
    generator = torch.Generator().manual_seed(seed)

    def draw(name: str, tensor: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(tensor.shape, generator=generator)
        if ("norm" in name and name.endswith("weight")) or "gamma" in name:
            return 1 + 0.2 * noise
        if tensor.ndim < 2:
            return 0.2 * noise
        if name.endswith(("pos_embed", "token")):
            return 0.5 * noise
        return 1.5 * noise / tensor[0].numel() ** 0.5

    return {name: draw(name, tensor) for name, tensor in model.state_dict().items()}


def tiny_block(**more: Any) -> Any:
    """timm's block of a plain tiny ViT, with weights."""
    options = {"qkv_bias": True, "norm_layer": partial(torch.nn.LayerNorm, eps=1e-6), **more}
    made = Block(WIDTH, HEADS, **options).eval().requires_grad_(False)
    made.load_state_dict(random_tensors(made))
    return made


def tiny_tokens(count: int, seed: int = 0) -> torch.Tensor:
    """What a block may be given for two pictures: (2, count, WIDTH) bf16."""
    return torch.randn(2, count, WIDTH, generator=torch.Generator().manual_seed(seed)).bfloat16()


def tiny_weights(family: str, seed: int = 0) -> Weights:
    """The weights of a tiny model."""
    return Weights(random_tensors(timm.create_model(TINY[family]), seed), f"tiny, seed {seed}")


def tiny_file(folder: Path, family: str = "v2", seed: int = 0) -> Path:
    """The same in a file, for ``--weights``."""
    path = folder / f"{family}-{seed}.safetensors"
    safetensors.torch.save_file(tiny_weights(family, seed).tensors, path)
    return path


def tiny_options(folder: Path) -> list[str]:
    """A quiet command line's options for the same model in the same precision; its weights go to ``folder``."""
    model = ["--model", TINY["v2"], "--weights", str(tiny_file(folder)), "--load-size", "32"]
    return [*model, "--precision", "fp32", "--device", "cpu", "--offline", "-q"]


def tiny_extractor(
    family: str = "v2", *, precision: Any = "fp32", runtime: Any = "torch", seed: int = 0, **settings: Any
) -> ViTExtractor:
    """An extractor that takes milliseconds; ``settings`` are those of `ExtractorSettings`."""
    settings.setdefault("load_size", 32)
    return ViTExtractor(
        ExtractorSettings(model=TINY[family], **settings),
        ComputeSettings(device="cpu", precision=precision, runtime=runtime),
        weights=tiny_weights(family, seed),
    )

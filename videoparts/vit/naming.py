"""Names: of models, and of the tensors in a file of weights. Pure functions on dictionaries."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

import torch

from ..errors import SettingsError, WeightsError

Tensors = dict[str, torch.Tensor]

# The names that DINO's authors gave their models, and timm's names of the same.
TIMM_NAMES: Mapping[str, str] = {
    "dino_vits8": "vit_small_patch8_224.dino",
    "dino_vits16": "vit_small_patch16_224.dino",
    "dino_vitb8": "vit_base_patch8_224.dino",
    "dino_vitb16": "vit_base_patch16_224.dino",
    "dinov2_vits14": "vit_small_patch14_dinov2.lvd142m",
    "dinov2_vitb14": "vit_base_patch14_dinov2.lvd142m",
    "dinov2_vitl14": "vit_large_patch14_dinov2.lvd142m",
    "dinov2_vitg14": "vit_giant_patch14_dinov2.lvd142m",
    "dinov2_vits14_reg": "vit_small_patch14_reg4_dinov2.lvd142m",
    "dinov2_vitb14_reg": "vit_base_patch14_reg4_dinov2.lvd142m",
    "dinov2_vitl14_reg": "vit_large_patch14_reg4_dinov2.lvd142m",
    "dinov2_vitg14_reg": "vit_giant_patch14_reg4_dinov2.lvd142m",
    "dinov3_vits16": "vit_small_patch16_dinov3.lvd1689m",
    "dinov3_vits16plus": "vit_small_plus_patch16_dinov3.lvd1689m",
    "dinov3_vitb16": "vit_base_patch16_dinov3.lvd1689m",
    "dinov3_vitl16": "vit_large_patch16_dinov3.lvd1689m",
    "dinov3_vith16plus": "vit_huge_plus_patch16_dinov3.lvd1689m",
    "dinov3_vit7b16": "vit_7b_patch16_dinov3.lvd1689m",
}


def timm_name(model: str) -> str:
    """timm's name of a model of the DINO family, from its authors' name or from timm's own.

    Raises:
        SettingsError: the name is neither; the message holds the nearest ones.
    """
    if model in TIMM_NAMES:
        return TIMM_NAMES[model]
    if model.startswith("vit_") and "dino" in model:
        tagged = [name for name in TIMM_NAMES.values() if name.split(".")[0] == model]
        return tagged[0] if tagged else model
    near = difflib.get_close_matches(model, TIMM_NAMES, n=3, cutoff=0.4) or list(TIMM_NAMES)
    raise SettingsError(f"unknown model {model!r}; did you mean {', '.join(near)}?")


def patch_size(model: str) -> int | None:
    """The side in pixels of a model's patches, as its name in timm tells it; None where it does not.

    >>> patch_size("dinov2_vits14")
    14

    Raises:
        SettingsError: there is no such model.
    """
    told = re.search(r"_patch(\d+)", timm_name(model))
    return int(told[1]) if told else None


def unwrap(checkpoint: object, origin: str) -> Tensors:
    """The tensors of a backbone inside a checkpoint, with the wrappings of training scripts taken off.

    Handles bare state dictionaries, and those under ``teacher`` (preferred: it is what DINO publishes),
    ``student``, ``state_dict`` or ``model``; prefixes ``module.`` and ``backbone.``; and Hugging Face's names
    of DINOv2.

    Raises:
        WeightsError: there is no tensor in it.
    """
    for key in ("teacher", "student", "state_dict", "model"):
        if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
    tensors: Tensors = {}
    if isinstance(checkpoint, Mapping):
        named = {k: v for k, v in checkpoint.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
        # Beside a backbone there are the heads that it was trained with.
        backbone = {k: v for k, v in named.items() if re.match(r"(module\.)?backbone\.", k)}
        for name, value in (backbone or named).items():
            tensors[re.sub(r"^(module\.|backbone\.|dinov2\.|encoder\.(?=blocks))+", "", name)] = value
    if not tensors:
        raise WeightsError(f"{origin}: holds no weights; give the state dictionary of a ViT")
    if "embeddings.cls_token" in tensors:
        tensors = from_hugging_face(tensors)
    return tensors


_HF_TO_TIMM = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.mask_token$", ""),
    (r"^embeddings\.register_tokens$", "register_tokens"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"blocks.\1.attn.proj."),
    (r"^encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1$", r"blocks.\1.ls\2.gamma"),
    (r"^encoder\.layer\.(\d+)\.(norm[12]|mlp\.fc[12])\.", r"blocks.\1.\2."),
    (r"^encoder\.layer\.(\d+)\.mlp\.weights_in\.", r"blocks.\1.mlp.w12."),
    (r"^encoder\.layer\.(\d+)\.mlp\.weights_out\.", r"blocks.\1.mlp.w3."),
    (r"^layernorm\.", "norm."),
)


def from_hugging_face(tensors: Tensors) -> Tensors:
    """DINOv2 in the names of Hugging Face's ``Dinov2Model``, in the names of DINOv2's authors (and of timm).

    Query, key and value, which Hugging Face keeps apart, become one ``qkv``.
    """
    out: Tensors = {}
    split: dict[tuple[str, str], Tensors] = {}
    for name, value in tensors.items():
        if found := re.match(r"^encoder\.layer\.(\d+)\.attention\.attention\.(query|key|value)\.(\w+)$", name):
            block, which, kind = found.groups()
            split.setdefault((block, kind), {})[which] = value
            continue
        for pattern, new in _HF_TO_TIMM:
            if re.match(pattern, name):
                if new:
                    out[re.sub(pattern, new, name)] = value
                break
    for (block, kind), thirds in split.items():
        out[f"blocks.{block}.attn.qkv.{kind}"] = torch.cat([thirds[w] for w in ("query", "key", "value")])
    # timm recognises the naming of DINOv2's authors by its mask token, and then translates what differs from its own.
    if "register_tokens" in out or any(".mlp.w12." in name for name in out):
        out["mask_token"] = torch.zeros(1)
    return out

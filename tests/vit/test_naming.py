from __future__ import annotations

import pytest
import timm
import torch

from videoparts.errors import SettingsError, WeightsError
from videoparts.vit.naming import TIMM_NAMES, from_hugging_face, timm_name, unwrap

# Hugging Face's names of one block of Dinov2Model, and the names of DINOv2's authors for the same tensors.
BLOCK = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "attention.output.dense.weight": "attn.proj.weight",
    "attention.output.dense.bias": "attn.proj.bias",
    "layer_scale1.lambda1": "ls1.gamma",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "mlp.fc1.weight": "mlp.fc1.weight",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.weight": "mlp.fc2.weight",
    "mlp.fc2.bias": "mlp.fc2.bias",
    "layer_scale2.lambda1": "ls2.gamma",
}
REST = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}


def hugging_face_tensors(blocks: int = 11) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A whole model in both namings; every tensor is filled with a number of its own."""
    given, wanted = {}, {}
    names = dict(REST)
    for i in range(blocks):
        names |= {f"encoder.layer.{i}.{old}": f"blocks.{i}.{new}" for old, new in BLOCK.items()}
    for number, (old, new) in enumerate(names.items()):
        given[old] = wanted[new] = torch.full((2,), float(number))
    for i in range(blocks):
        for kind in ("weight", "bias"):
            thirds = [torch.full((2, 3), 1000.0 + 10 * i + k) for k in range(3)]
            for which, third in zip(("value", "query", "key"), (thirds[2], thirds[0], thirds[1]), strict=True):
                given[f"encoder.layer.{i}.attention.attention.{which}.{kind}"] = third
            wanted[f"blocks.{i}.attn.qkv.{kind}"] = torch.cat(thirds)
    return given, wanted


def same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_hugging_face_names_become_those_of_the_authors() -> None:
    given, wanted = hugging_face_tensors()
    assert same(from_hugging_face(given), wanted)
    assert same(from_hugging_face(given | {"embeddings.mask_token": torch.zeros(1)}), wanted)


def test_hugging_face_registers_carry_the_sign_that_timm_looks_for() -> None:
    given, wanted = hugging_face_tensors(1)
    registers = torch.ones(1, 4, 2)
    found = from_hugging_face(given | {"embeddings.register_tokens": registers})
    assert found.pop("mask_token").numel() == 1
    assert same(found, wanted | {"register_tokens": registers})


def test_hugging_face_swiglu_of_the_giant_model() -> None:
    given, wanted = hugging_face_tensors(1)
    extra = {f"encoder.layer.0.mlp.weights_{k}.weight": torch.ones(2) for k in ("in", "out")}
    found = from_hugging_face(given | extra)
    assert "mask_token" in found
    assert {"blocks.0.mlp.w12.weight", "blocks.0.mlp.w3.weight"} == found.keys() - wanted.keys() - {"mask_token"}


TENSORS = {"cls_token": torch.zeros(1, 1, 2), "blocks.0.norm1.weight": torch.ones(2)}


@pytest.mark.parametrize(
    "checkpoint",
    [
        TENSORS,
        {"teacher": TENSORS, "student": {"cls_token": torch.ones(1)}, "epoch": 3},
        {"student": TENSORS},
        {"state_dict": {f"module.{k}": v for k, v in TENSORS.items()}},
        {"model": TENSORS, "optimizer": {"state": {}}},
        {"teacher": {f"backbone.{k}": v for k, v in TENSORS.items()}},
        {"teacher": {f"module.backbone.{k}": v for k, v in TENSORS.items()} | {"module.head.bias": torch.ones(1)}},
        {f"backbone.{k}": v for k, v in TENSORS.items()} | {"dino_head.last_layer.weight": torch.ones(1)},
        {"teacher": {"state_dict": TENSORS}},
        TENSORS | {"epoch": 3, "args": "--seed 1"},
    ],
)
def test_wrappings_are_taken_off(checkpoint: object) -> None:
    assert same(unwrap(checkpoint, "some.pth"), TENSORS)


def test_hugging_face_names_under_a_backbone_are_found() -> None:
    given, wanted = hugging_face_tensors(2)
    assert same(unwrap({f"backbone.{k}": v for k, v in given.items()}, "some.pth"), wanted)


@pytest.mark.parametrize("checkpoint", [{}, [], None, 3, {"epoch": 3}, {"teacher": {}}, {0: torch.zeros(1)}])
def test_what_holds_no_weights_is_refused(checkpoint: object) -> None:
    with pytest.raises(WeightsError, match=r"^some\.pth: holds no weights"):
        unwrap(checkpoint, "some.pth")


def test_names() -> None:
    assert timm_name("dinov2_vits14") == "vit_small_patch14_dinov2.lvd142m"
    assert timm_name("vit_small_patch14_dinov2") == "vit_small_patch14_dinov2.lvd142m"
    assert timm_name("vit_small_patch14_dinov2.lvd142m") == "vit_small_patch14_dinov2.lvd142m"
    assert timm_name("vit_small_patch16_dinov3_qkvb.lvd1689m") == "vit_small_patch16_dinov3_qkvb.lvd1689m"


@pytest.mark.parametrize("timm_name", TIMM_NAMES.values())
def test_timm_has_every_model(timm_name: str) -> None:
    assert timm_name in timm.list_pretrained(timm_name.split(".")[0] + "*")


@pytest.mark.parametrize(
    ("given", "near"), [("dinov2_vits15", "dinov2_vits14"), ("DINOv2-ViT-S14", "dinov2_vits14"), ("resnet50", "dino_")]
)
def test_an_unknown_model_is_answered_with_near_names(given: str, near: str) -> None:
    with pytest.raises(SettingsError, match=f"unknown model '{given}'; did you mean .*{near}"):
        timm_name(given)

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slow_vit
import timm
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from tiny import DEPTH, HEADS, MEAN, PATCH, SIDE, STD, TINY, random_tensors, tiny_extractor, tiny_file, tiny_weights

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.errors import SettingsError, WeightsError
from videoparts.vit import extractor as module
from videoparts.vit.descriptors import log_bin
from videoparts.vit.extractor import ViTExtractor
from videoparts.vit.precision import cpu_computes_bf16
from videoparts.vit.weights import Weights

FAMILIES = list(TINY)
PRECISIONS = [
    "fp32",
    pytest.param("bf16", marks=pytest.mark.skipif(not cpu_computes_bf16(), reason="this CPU has no bf16")),
]


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def frames(count: int, height: int = 40, width: int = 56) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, height, width, 3), generator=generator, dtype=torch.uint8)


@functools.cache
def slow(family: str, height: int, width: int, stride: int) -> tuple[list[slow_vit.Block], int]:
    image = picture(height, width)[0].double().numpy()
    tensors = tiny_weights(family).tensors
    return slow_vit.run(tensors, family, image, patch=PATCH, stride=stride, heads=HEADS)


@functools.cache
def fast(family: str, layer: int, facet: str, stride: int) -> ViTExtractor:
    return tiny_extractor(family, layer=layer, facet=facet, stride=stride)


# Against the slow ViT

SIZES = [(20, 20, 4), (16, 16, 4), (24, 24, 4), (16, 36, 4), (20, 12, 2), (17, 23, 1)]  # the first is the native one


@pytest.mark.parametrize(("height", "width", "stride"), SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_descriptors_and_attention_are_those_of_the_slow_vit(family: str, height: int, width: int, stride: int) -> None:
    blocks, prefix = slow(family, height, width, stride)
    looks = torch.from_numpy(blocks[-1].attention[:, 0, prefix:])
    for layer, facet in itertools.product((0, DEPTH // 2, DEPTH - 1), ("query", "key", "value", "token")):
        extractor = fast(family, layer, facet, stride)
        wanted = torch.from_numpy(getattr(blocks[layer], facet)[prefix:])
        for attention in (False, True):
            features = extractor.describe(picture(height, width), attention=attention)
            grid = features.grid
            assert (grid.rows, grid.columns) == (1 + (height - PATCH) // stride, 1 + (width - PATCH) // stride)
            found = features.descriptors[0].flatten(0, 1)
            assert (found - F.normalize(wanted, dim=-1)).abs().max() < 2e-5, (layer, facet)
            if not attention:
                assert features.attention is None
                continue
            assert features.attention is not None
            assert (features.attention[0].flatten(1) - looks).abs().max() < 1e-5, (layer, facet)


def test_the_slow_vit_tells_the_families_apart() -> None:
    # The test above means nothing if a wrong resampling passes it.
    positions = tiny_weights("v1").tensors["pos_embed"][0, 1:].double().numpy()
    offset = slow_vit.positions_with_offset(positions, 9, 4)
    antialiased = slow_vit.positions_antialiased(positions, 9, 4)
    assert np.abs(offset - antialiased).max() > 0.1
    assert np.abs(slow_vit.positions_antialiased(positions, SIDE, SIDE) - positions).max() == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_of_a_head_is_what_the_prefix_leaves_of_one(family: str) -> None:
    blocks, prefix = slow(family, 16, 36, 4)
    attention = tiny_extractor(family).describe(picture(16, 36), attention=True).attention
    assert attention is not None
    assert attention.shape == (1, HEADS, 4, 9)
    left = 1 - torch.from_numpy(blocks[-1].attention[:, 0, :prefix].sum(axis=1))
    sums = attention.sum((2, 3))[0]
    assert (sums < 1).all()
    assert (sums - left).abs().max() < 1e-5


@pytest.mark.parametrize("binned", [False, True])
@pytest.mark.parametrize("facet", ["key", "token"])
def test_binned_descriptors_are_binned_before_they_are_scaled(facet: str, binned: bool) -> None:
    blocks, prefix = slow("v2", 16, 36, 4)
    raw = torch.from_numpy(getattr(blocks[-1], facet)[prefix:]).reshape(1, 4, 9, -1)
    wanted = F.normalize(log_bin(raw) if binned else raw, dim=-1)
    found = tiny_extractor("v2", layer=-1, facet=facet, binned=binned).describe(picture(16, 36)).descriptors
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() < 2e-5
    assert (found.norm(dim=-1) - 1).abs().max() < 1e-5


# Against timm's own forward pass, at the size and stride that it knows


def timm_qkv(model: Any, image: torch.Tensor, block: int) -> torch.Tensor:
    """(t, 3, D) of one block."""
    caught: list[torch.Tensor] = []
    handle = model.blocks[block].attn.qkv.register_forward_hook(lambda *a: caught.append(a[2]))
    mean, std = (torch.tensor(model.default_cfg[k])[:, None, None] for k in ("mean", "std"))
    with torch.inference_mode():
        model((image - mean) / std)
    handle.remove()
    return caught[0][0].unflatten(1, (3, -1))


ARCHITECTURES = ["vit_small_patch16_224.dino", "vit_small_patch14_reg4_dinov2.lvd142m", "vit_small_patch16_dinov3"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_real_architectures_agree_with_timm(name: str) -> None:
    model = module._build(name)
    tensors = random_tensors(model)
    model.load_state_dict(tensors)
    side = model.patch_embed.img_size[0]
    image = picture(side, side)
    wanted = timm_qkv(model, image, 9)[model.num_prefix_tokens :, 1]
    compute = ComputeSettings(device="cpu", precision="fp32")
    ours = ViTExtractor(ExtractorSettings(model=name), compute, weights=Weights(tensors, "random"))
    found = ours.describe(image).descriptors[0].flatten(0, 1)
    assert F.cosine_similarity(found, wanted).min() > 0.99999


def test_real_weights_agree_with_timm(extractor: ViTExtractor, photograph: Any) -> None:
    from videoparts.vit.weights import find_weights

    model = timm.create_model("vit_small_patch14_dinov2.lvd142m", num_classes=0).eval()
    tensors = find_weights("vit_small_patch14_dinov2.lvd142m", offline=True).tensors
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert all(name.startswith("norm.") for name in missing)
    image = torch.from_numpy(photograph).permute(2, 0, 1)[None].float() / 255
    image = F.interpolate(image, size=(518, 518), mode="bilinear")
    wanted = timm_qkv(model, image, extractor.identity.layer)[1:, 1]
    assert F.cosine_similarity(extractor.describe(image).descriptors[0].flatten(0, 1), wanted).min() > 0.99999


# Tokens


def timm_outputs(model: Any, image: torch.Tensor) -> list[torch.Tensor]:
    """(h * w, D) of every block, from timm's own forward pass."""
    caught: list[torch.Tensor] = []
    handles = [block.register_forward_hook(lambda *a: caught.append(a[2])) for block in model.blocks]
    mean, std = (torch.tensor(model.default_cfg[k])[:, None, None] for k in ("mean", "std"))
    with torch.inference_mode():
        model((image - mean) / std)
    for handle in handles:
        handle.remove()
    return [out[0, model.num_prefix_tokens :] for out in caught]


@pytest.mark.parametrize("facet", ["key", "token"])
@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_are_outputs_of_timms_blocks(family: str, facet: str) -> None:
    model = timm.create_model(TINY[family]).eval()
    model.load_state_dict(tiny_weights(family).tensors)
    image = picture(PATCH * SIDE, PATCH * SIDE)
    outputs = timm_outputs(model, image)
    assert len(outputs) == DEPTH
    for layer, earlier in ((0, 0), (1, 0), (2, 1), (3, 2)):  # the earlier one at two thirds
        found_earlier, later = slow_vit.token_blocks(layer, facet, DEPTH)
        assert found_earlier == earlier
        for attention in (False, True):
            features = fast(family, layer, facet, PATCH).describe(image, attention=attention, tokens=True)
            assert features.tokens is not None
            assert features.tokens.dtype == torch.float32
            found = features.tokens[0].flatten(0, 1)
            wanted = torch.cat([F.normalize(outputs[i], dim=-1) for i in (earlier, later)], dim=-1)
            assert found.shape == wanted.shape
            assert (found - wanted).abs().max() < 2e-5, (layer, attention)


@pytest.mark.parametrize(("height", "width", "stride"), SIZES[1:])
@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_at_any_size_and_stride_are_those_of_the_slow_vit(
    family: str, height: int, width: int, stride: int
) -> None:
    blocks, prefix = slow(family, height, width, stride)
    tokens = fast(family, 3, "key", stride).describe(picture(height, width), tokens=True).tokens
    assert tokens is not None
    halves = [
        F.normalize(torch.from_numpy(blocks[i].token[prefix:]), dim=-1) for i in slow_vit.token_blocks(3, "key", DEPTH)
    ]
    assert (tokens[0].flatten(0, 1) - torch.cat(halves, dim=-1)).abs().max() < 2e-5


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("facet", ["key", "value", "token"])
@pytest.mark.parametrize("family", FAMILIES)
def test_asking_for_tokens_changes_nothing_else(family: str, facet: str, precision: str) -> None:
    for layer in range(DEPTH):
        extractor = tiny_extractor(family, layer=layer, facet=facet, precision=precision)
        plain = extractor.extract(frames(2), attention=True)
        more = extractor.extract(frames(2), attention=True, tokens=True)
        assert plain.tokens is None
        assert more.tokens is not None
        assert plain.attention is not None
        assert more.attention is not None
        assert more.descriptors.equal(plain.descriptors)
        assert more.attention.equal(plain.attention)
        alone = extractor.extract(frames(2), tokens=True)
        assert alone.tokens is not None
        assert alone.tokens.equal(more.tokens)
        assert alone.descriptors.equal(extractor.extract(frames(2)).descriptors)
        for half in alone.tokens.chunk(2, dim=-1):
            assert (half.norm(dim=-1) - 1).abs().max() < 1e-5


@pytest.mark.parametrize(("depth", "layer"), [(1, 0), (2, 0), (4, 2), (12, 9), (24, 19), (40, 32)])
def test_the_default_layer_is_at_five_sixths_of_the_depth(
    depth: int, layer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(_: str) -> Any:
        model: Any = VisionTransformer(
            img_size=PATCH * SIDE, patch_size=PATCH, embed_dim=6, num_heads=3, num_classes=0, depth=depth
        )
        model.default_cfg = {"mean": MEAN, "std": STD}
        return model

    monkeypatch.setattr(module, "_build", built)
    weights = Weights(built("").state_dict(), "drawn")

    def made(layer: int | None) -> int:
        settings = ExtractorSettings(model=TINY["v1"], layer=layer, load_size=20)
        return ViTExtractor(settings, ComputeSettings(device="cpu"), weights=weights).identity.layer

    assert made(None) == layer
    assert made(-1) == depth - 1
    assert made(0) == 0


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


# The same whatever the batch, and nearly the same whatever the precision


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_result_does_not_depend_on_the_batch(family: str, precision: str) -> None:
    extractor = tiny_extractor(family, precision=precision, binned=True, stride=2)
    pixels = frames(5)
    together = extractor.extract(pixels, attention=True, tokens=True)
    assert together.attention is not None
    assert together.tokens is not None
    for size in (1, 2):
        for i in range(0, 5, size):
            part = extractor.extract(pixels[i : i + size], attention=True, tokens=True)
            assert part.attention is not None
            assert part.tokens is not None
            assert torch.equal(part.tokens, together.tokens[i : i + size])
            assert torch.equal(part.descriptors, together.descriptors[i : i + size])
            assert torch.equal(part.attention, together.attention[i : i + size])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_result_does_not_depend_on_the_batch_with_real_weights(
    precision: Any, photograph: Any, two_threads: None
) -> None:
    settings = ExtractorSettings(load_size=112)
    extractor = ViTExtractor(settings, ComputeSettings(device="cpu", precision=precision, offline=True))
    pixels = torch.from_numpy(np.stack([np.roll(photograph, 40 * i, axis=1) for i in range(3)]))
    together = extractor.extract(pixels).descriptors
    for i in range(3):
        assert torch.equal(extractor.extract(pixels[i : i + 1]).descriptors[0], together[i])


@pytest.mark.skipif(not cpu_computes_bf16(), reason="slow where it is emulated")
def test_bf16_is_close_to_fp32(extractor: ViTExtractor, photograph: Any) -> None:
    half = ViTExtractor(ExtractorSettings(), ComputeSettings(device="cpu", precision="bf16", offline=True))
    assert half.dtype == torch.bfloat16
    assert half.identity == extractor.identity
    pixels = torch.from_numpy(photograph)[None]
    ours, exact = (e.extract(pixels, attention=True, tokens=True) for e in (half, extractor))
    cosines = F.cosine_similarity(ours.descriptors, exact.descriptors, dim=-1)
    assert cosines.mean() > 0.995
    assert cosines.min() > 0.99
    assert not torch.equal(ours.descriptors, exact.descriptors)
    assert ours.descriptors.dtype == torch.float32
    assert ours.attention is not None
    assert exact.attention is not None
    assert ours.tokens is not None
    assert exact.tokens is not None
    assert F.cosine_similarity(ours.tokens, exact.tokens, dim=-1).min() > 0.99
    assert ours.tokens.dtype == torch.float32
    assert F.cosine_similarity(ours.attention.flatten(2), exact.attention.flatten(2), dim=-1).min() > 0.99


def test_uint8_and_float_give_the_same() -> None:
    extractor = tiny_extractor("v1")
    image = frames(1, 24, 32).permute(0, 3, 1, 2)
    as_float = extractor.describe(image.float() / 255).descriptors
    assert (extractor.describe(image).descriptors - as_float).abs().max() < 1e-6


def test_frames_are_resized_to_the_load_size() -> None:
    extractor = tiny_extractor("v1", load_size=24, stride=2)
    features = extractor.extract(frames(2, 48, 96))
    assert (features.grid.height, features.grid.width) == (24, 48)
    assert features.descriptors.shape[:3] == (2, 11, 23)
    assert features.attention is None


@pytest.mark.parametrize("wrong", [frames(1)[0], frames(1).float(), frames(1).permute(0, 3, 1, 2)])
def test_extract_refuses_what_is_not_frames(wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"must be \(N, H, W, 3\) uint8"):
        tiny_extractor("v1").extract(wrong)


# On CUDA


@pytest.mark.parametrize("family", FAMILIES)
def test_what_cuda_gets_computes_the_same(family: str) -> None:
    extractor, pixels = tiny_extractor(family, stride=2), frames(3)
    # timm's own blocks, with torch's fused attention.
    assert all(block.attn.fused_attn for block in extractor._blocks)
    plain = extractor.extract(pixels, attention=True, tokens=True)
    extractor._patch_weight = extractor._patch_weight.contiguous(memory_format=torch.channels_last)
    last = extractor.extract(pixels, attention=True, tokens=True)
    for name in ("descriptors", "attention", "tokens"):
        assert (getattr(last, name) - getattr(plain, name)).abs().max() < 1e-5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_cuda_is_close_to_the_cpu(family: str, precision: Any) -> None:
    settings, weights = ExtractorSettings(model=TINY[family], load_size=32, stride=2), tiny_weights(family)
    there = ViTExtractor(settings, ComputeSettings(device="cuda", precision=precision), weights=weights)
    here = ViTExtractor(settings, ComputeSettings(device="cpu", precision="fp32"), weights=weights)
    found, wanted = (e.extract(frames(5), attention=True, tokens=True) for e in (there, here))
    for name in ("descriptors", "tokens"):
        cosines = F.cosine_similarity(getattr(found, name).cpu(), getattr(wanted, name), dim=-1)
        assert cosines.min() > (0.99999 if precision == "fp32" else 0.998)


# No more than needed


def count_calls(extractor: ViTExtractor) -> list[str]:
    """The list that names of modules such as ``2.mlp`` will be put on when they run."""
    called: list[str] = []
    for i, block in enumerate(extractor._blocks):
        for name in ("attn", "attn.qkv", "attn.proj", "mlp"):
            module = block.get_submodule(name)
            module.register_forward_hook(lambda *_, label=f"{i}.{name}": called.append(label))
    return called


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("facet", "layer", "asked", "whole_blocks"),
    [
        ("key", 0, "", 0),
        ("key", 2, "", 2),
        ("key", DEPTH - 1, "", DEPTH - 1),
        ("token", 2, "", 3),
        ("token", DEPTH - 1, "", DEPTH),
        ("key", 1, "attention", DEPTH - 1),
        ("key", DEPTH - 1, "attention", DEPTH - 1),
        ("token", 1, "attention", DEPTH - 1),
        ("key", 0, "tokens", 1),
        ("key", 2, "tokens", 3),
        ("key", DEPTH - 1, "tokens", DEPTH - 1),
        ("token", 2, "tokens", 3),
        ("key", 1, "attention tokens", DEPTH - 1),
        ("key", DEPTH - 1, "attention tokens", DEPTH - 1),
        ("token", DEPTH - 1, "attention tokens", DEPTH),
    ],
)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_block_runs_in_vain(
    family: str, facet: str, layer: int, asked: str, whole_blocks: int, precision: str
) -> None:
    extractor = tiny_extractor(family, facet=facet, layer=layer, precision=precision)
    called = count_calls(extractor)
    extractor.describe(picture(20, 20), attention="attention" in asked, tokens="tokens" in asked)
    assert called == [f"{i}.{n}" for i in range(whole_blocks) for n in ("attn.qkv", "attn.proj", "attn", "mlp")]


# What it says of itself, and what it refuses


def test_identity_holds_all_that_a_descriptor_depends_on() -> None:
    base = tiny_extractor("v2").identity
    assert base.layer == DEPTH - 2  # at five sixths of the depth
    assert base.stride == PATCH
    assert base == tiny_extractor("v2", layer=DEPTH - 2, stride=PATCH).identity
    assert base == tiny_extractor("v2", layer=-2).identity
    assert base == tiny_extractor("v2", shifted=True).identity  # no patches overlap
    others = [
        tiny_extractor("v1").identity,
        tiny_extractor("v2", seed=1).identity,
        tiny_extractor("v2", layer=0).identity,
        tiny_extractor("v2", facet="query").identity,
        tiny_extractor("v2", stride=2).identity,
        tiny_extractor("v2", stride=2, shifted=True).identity,
        tiny_extractor("v2", load_size=28).identity,
        tiny_extractor("v2", binned=True).identity,
    ]
    assert len({base, *others}) == 1 + len(others)


def test_fingerprint_does_not_see_what_descriptors_do_not_depend_on() -> None:
    weights = tiny_weights("v2")
    changed = dict(weights.tensors)
    changed["norm.weight"] = changed["norm.weight"] + 1
    changed["head.weight"] = torch.ones(3, 48)
    changed["mask_token"] = torch.zeros(1, 48)
    settings = ExtractorSettings(model=TINY["v2"], load_size=32)
    other = ViTExtractor(settings, ComputeSettings(device="cpu"), weights=Weights(changed, "changed"))
    assert other.identity == tiny_extractor("v2").identity


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ExtractorSettings(model=TINY["v1"], layer=DEPTH), f"has blocks 0 to {DEPTH - 1}"),
        (ExtractorSettings(model=TINY["v1"], layer=-DEPTH - 1), f"has blocks 0 to {DEPTH - 1}"),
        (ExtractorSettings(model=TINY["v1"], stride=3), "take one of 1, 2, 4"),
        (ExtractorSettings(model=TINY["v1"], load_size=3), "at least 4"),
        (ExtractorSettings(model="dinov2_vits15"), "dinov2_vits14"),
        (ExtractorSettings(model="vit_huge_patch99_dino"), "no model"),
        (ExtractorSettings(model="vit_small_patch14_dinov2.nonsense"), "nonsense"),
    ],
)
def test_wrong_settings_are_named(settings: ExtractorSettings, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        ViTExtractor(settings, ComputeSettings(device="cpu"), weights=tiny_weights("v1"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("given", "wanted"), [("v1", "v2"), ("v2", "v1"), ("v2", "v2reg"), ("v2", "v3"), ("v3", "v2")])
def test_weights_of_another_family_are_refused(given: str, wanted: str, tmp_path: Path) -> None:
    compute = ComputeSettings(weights=tiny_file(tmp_path, given), device="cpu")
    with pytest.raises(WeightsError, match="--model") as caught:
        ViTExtractor(ExtractorSettings(model=TINY[wanted]), compute)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["dino_vits8", "dino_vitb16"])
def test_weights_of_another_size_are_refused(model: str) -> None:
    # Of patches of 16 pixels where 8 are wanted, timm would make patches of 8 in silence.
    tensors = module._build("vit_small_patch16_224.dino").state_dict()
    with pytest.raises(WeightsError, match="another architecture"):
        ViTExtractor(ExtractorSettings(model=model), weights=Weights(tensors, "dino_vits16.pth"))


def test_weights_that_lack_a_tensor_are_refused() -> None:
    tensors = dict(tiny_weights("v1").tensors)
    del tensors["blocks.1.attn.qkv.bias"]
    with pytest.raises(WeightsError, match=r"blocks\.1\.attn\.qkv\.bias"):
        ViTExtractor(ExtractorSettings(model=TINY["v1"]), weights=Weights(tensors, "some.pth"))

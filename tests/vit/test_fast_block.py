"""Blocks in bf16 on a CPU against timm's in float64, and against the slow ViT."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import slow_vit
import timm
import torch
import torch.nn.functional as F
from timm.layers import GluMlp, Mlp
from timm.layers.attention import Attention
from tiny import (
    DEPTH,
    HEADS,
    PATCH,
    TINY,
    WIDTH,
    random_tensors,
    tiny_block,
    tiny_extractor,
    tiny_tokens,
    tiny_weights,
)
from torch import nn

from videoparts.vit import packed_linear
from videoparts.vit.fast_block import FastBlock, FastMlp, OtherMlp, run_blocks
from videoparts.vit.plain_block import is_plain, is_plain_mlp


def difference(made: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What a fast block adds to its input, and what timm's does in float64."""
    with torch.inference_mode():
        fast = FastBlock(made).to("cpu", torch.bfloat16).eval()
        found = fast(x).double() - x.double()
        return found, made.double()(x.double()) - x.double()


@pytest.mark.parametrize("can_pack", [True, False])
@pytest.mark.parametrize("count", [1, 50, 300])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_equals_timms(scale: float | None, count: int, can_pack: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not can_pack:
        monkeypatch.setattr(packed_linear, "can_pack", lambda: False)
    found, wanted = difference(tiny_block(init_values=scale), tiny_tokens(count))
    assert (found - wanted).norm() < 0.01 * wanted.norm()


def test_equals_timms_without_biases() -> None:
    found, wanted = difference(tiny_block(qkv_bias=False, proj_bias=False), tiny_tokens(40))
    assert (found - wanted).norm() < 0.01 * wanted.norm()


def test_an_mlp_of_another_kind_stays_as_it_is() -> None:
    made = tiny_block(init_values=0.5, mlp_layer=functools.partial(GluMlp, gate_last=False))
    assert is_plain(made)
    assert isinstance(FastBlock(made).mlp, OtherMlp)
    found, wanted = difference(made, tiny_tokens(40))
    assert (found - wanted).norm() < 0.015 * wanted.norm()


@pytest.mark.parametrize(
    "act", [nn.ReLU, functools.partial(nn.GELU, approximate="tanh"), nn.SiLU], ids=["relu", "tanh", "silu"]
)
def test_an_mlp_with_another_activation_stays_as_it_is(act: Callable[[], nn.Module]) -> None:
    made = tiny_block(act_layer=act)
    assert isinstance(FastBlock(made).mlp, OtherMlp)
    assert isinstance(FastBlock(tiny_block()).mlp, FastMlp)
    found, wanted = difference(made, tiny_tokens(40))
    assert (found - wanted).norm() < 0.015 * wanted.norm()


def test_what_all_keys_have_in_common_is_left_out() -> None:
    # A bias of the keys has no part in attention, but scores in the hundreds would be rounded to whole numbers.
    made = tiny_block()
    wanted = made.double()(tiny_tokens(60).double())
    made = made.float()
    made.attn.qkv.bias[WIDTH : 2 * WIDTH] += 300
    assert (made.double()(tiny_tokens(60).double()) - wanted).norm() < 1e-9 * wanted.norm()
    found, wanted = difference(made.float(), tiny_tokens(60))
    assert (found - wanted).norm() < 0.01 * wanted.norm()


def test_only_the_plain_one_is_replaced() -> None:
    assert is_plain(tiny_block())
    assert is_plain(tiny_block(init_values=1.0))
    assert not is_plain(tiny_block(qk_norm=True))
    assert not is_plain(tiny_block(scale_attn_norm=True))
    assert not is_plain(nn.Linear(WIDTH, WIDTH))
    made = tiny_block()
    made.attn.gate = nn.Linear(WIDTH, WIDTH)
    assert not is_plain(made)

    class Another(Attention):  # type: ignore[misc]
        pass

    made = tiny_block()
    made.attn = Another(WIDTH, HEADS)
    assert not is_plain(made)
    assert not is_plain_mlp(Mlp(WIDTH, use_conv=True))


@pytest.mark.parametrize("family", list(TINY))
def test_it_is_used_in_bf16_on_a_cpu_and_nowhere_else(family: str) -> None:
    for precision, used in (("bf16", family != "v3"), ("fp32", False)):  # blocks of v3 rotate queries and keys
        extractor = tiny_extractor(family, precision=precision)
        assert all(isinstance(one, FastBlock) == used for one in extractor._blocks)


def test_blocks_run_as_far_as_is_asked() -> None:
    blocks = nn.ModuleList([tiny_block(), tiny_block(), tiny_block()])
    x = tiny_tokens(7).float()
    with torch.inference_mode():
        first = blocks[0](x)
        second = blocks[1](first)
        for keep in ({-1}, {0}, {1}, {0, 1}, {-1, 1}):
            outputs = run_blocks(blocks, x, None, keep)
            assert outputs.keys() == keep | {-1}
            for i, wanted in ((-1, x), (0, first), (1, second)):
                assert i not in outputs or torch.equal(outputs[i], wanted)


# Through the extractor


@functools.cache
def slow(family: str, stride: int) -> tuple[list[slow_vit.Block], int]:
    image = picture()[0].double().numpy()
    return slow_vit.run(tiny_weights(family).tensors, family, image, patch=PATCH, stride=stride, heads=HEADS)


def picture() -> torch.Tensor:
    return torch.rand(1, 3, 20, 28, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("stride", [4, 2])
@pytest.mark.parametrize("family", list(TINY))
def test_features_in_bf16_are_those_of_the_slow_vit(family: str, stride: int) -> None:
    blocks, prefix = slow(family, stride)
    looks = torch.from_numpy(blocks[-1].attention[:, 0, prefix:])
    for layer, facet in itertools.product((0, DEPTH // 2, DEPTH - 1), ("query", "key", "value", "token")):
        extractor = tiny_extractor(family, layer=layer, facet=facet, stride=stride, precision="bf16")
        features = extractor.describe(picture(), attention=True, tokens=True)
        assert features.attention is not None
        assert features.tokens is not None
        wanted = torch.from_numpy(getattr(blocks[layer], facet)[prefix:])
        numbers = slow_vit.token_blocks(layer, facet, DEPTH)
        earlier, later = (torch.from_numpy(blocks[i].token[prefix:]) for i in numbers)
        found = features.descriptors[0].flatten(0, 1).double()
        assert F.cosine_similarity(found, wanted, dim=-1).min() > 0.998, (layer, facet)
        for half, other in zip(
            features.tokens[0].flatten(0, 1).double().chunk(2, dim=-1), (earlier, later), strict=True
        ):
            assert F.cosine_similarity(half, other, dim=-1).min() > 0.998, (layer, facet)
        assert F.cosine_similarity(features.attention[0].flatten(1).double(), looks, dim=-1).min() > 0.99


def test_timms_block_is_what_it_was() -> None:
    # `FastBlock` must not change the weights of the block it copies: the fingerprint is taken of them.
    made = timm.create_model(TINY["v2"]).blocks[0]
    made.load_state_dict(random_tensors(made))
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    FastBlock(made)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())

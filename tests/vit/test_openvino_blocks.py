"""The ViT run by OpenVINO against torch, and against the slow ViT."""

from __future__ import annotations

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import slow_vit
import torch
import torch.nn.functional as F
from rounding import require_close_to_fp32
from tiny import DEPTH, HEADS, PATCH, TINY, tiny_extractor, tiny_weights

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.errors import SettingsError
from videoparts.vit.extractor import ViTExtractor
from videoparts.vit.precision import cpu_computes_bf16

pytest.importorskip("openvino", reason="OpenVINO is an extra")
OPENVINO = ComputeSettings(device="cpu", offline=True, runtime="openvino")
PLAIN = [family for family in TINY if family != "v3"]


def picture(count: int = 1, height: int = 20, width: int = 28) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("stride", [4, 2])
@pytest.mark.parametrize("family", PLAIN)
def test_features_are_those_of_the_slow_vit(family: str, stride: int) -> None:
    image = picture()
    blocks, prefix = slow_vit.run(
        tiny_weights(family).tensors, family, image[0].double().numpy(), patch=PATCH, stride=stride, heads=HEADS
    )
    looks = torch.from_numpy(blocks[-1].attention[:, 0, prefix:])
    extractor = tiny_extractor(family, stride=stride, runtime="openvino")
    for layer, facet in itertools.product((0, DEPTH // 2, DEPTH - 1), ("query", "key", "value", "token")):
        features = extractor.at(layer, facet).describe(image, attention=True, tokens=True)  # type: ignore[arg-type]
        assert features.attention is not None
        assert features.tokens is not None
        wanted = F.normalize(torch.from_numpy(getattr(blocks[layer], facet)[prefix:]), dim=-1)
        assert (features.descriptors[0].flatten(0, 1) - wanted).abs().max() < 5e-5, (layer, facet)
        assert (features.attention[0].flatten(1) - looks).abs().max() < 5e-5
        numbers = slow_vit.token_blocks(layer, facet, DEPTH)
        halves = [F.normalize(torch.from_numpy(blocks[i].token[prefix:]), dim=-1) for i in numbers]
        assert (features.tokens[0].flatten(0, 1) - torch.cat(halves, dim=-1)).abs().max() < 5e-5


@pytest.mark.skipif(not cpu_computes_bf16(), reason="slow where it is emulated")
def test_bf16_is_close_to_fp32(extractor: ViTExtractor, photograph: Any) -> None:
    half = ViTExtractor(ExtractorSettings(), replace(OPENVINO, precision="bf16"))
    assert half.identity == extractor.identity
    pixels = torch.from_numpy(photograph)[None]
    ours, exact = (e.extract(pixels, attention=True, tokens=True) for e in (half, extractor))
    assert not torch.equal(ours.descriptors, exact.descriptors)
    for name in ("descriptors", "tokens"):
        assert F.cosine_similarity(getattr(ours, name), getattr(exact, name), dim=-1).min() > 0.99
    assert ours.attention is not None
    assert exact.attention is not None
    assert F.cosine_similarity(ours.attention.flatten(2), exact.attention.flatten(2), dim=-1).min() > 0.99


def test_int8_is_close_to_fp32(extractor: ViTExtractor, photograph: Any) -> None:
    made = ViTExtractor(ExtractorSettings(), replace(OPENVINO, precision="int8"))
    require_close_to_fp32(made, extractor, photograph, mean=0.98, attention=0.97)


def test_with_int8_the_layers_are_products_of_integers() -> None:
    extractor = tiny_extractor("v2", runtime="openvino", precision="int8")
    extractor.describe(picture(), tokens=True)
    (network,) = extractor._openvino._networks.values()  # type: ignore[union-attr]
    layers = [
        op for op in network._compiled.get_runtime_model().get_ops() if _told(op, "layerType") == "FullyConnected"
    ]
    # Each block's four; that of a block whose facet alone is wanted is not among them.
    assert len(layers) == 4 * (DEPTH - 1)
    assert {_told(op, "runtimePrecision") for op in layers} <= {"u8", "i8"}


def _told(op: Any, about: str) -> str:
    return str(op.get_rt_info()[about].get())


def test_quick_is_int8() -> None:
    assert tiny_extractor("v2", runtime="openvino", precision="quick").precision == "int8"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_neither_the_batch_nor_the_threads_change_anything(precision: str) -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            extractor = tiny_extractor("v2", stride=1, runtime="openvino", precision=precision)
            together = extractor.describe(picture(4), attention=True, tokens=True)
            with ThreadPoolExecutor(4) as pool:
                alone = [
                    pool.submit(extractor.describe, picture(4)[i : i + 1], attention=True, tokens=True)
                    for i in range(4)
                ]
            found += [together, *(one.result() for one in alone)]
    finally:
        torch.set_num_threads(before)
    for name in ("descriptors", "attention", "tokens"):
        first = getattr(found[0], name)
        assert torch.equal(getattr(found[5], name), first)
        for at in (1, 6):
            assert torch.equal(torch.cat([getattr(one, name) for one in found[at : at + 4]]), first)


def test_a_network_is_compiled_once_a_size_and_choice() -> None:
    extractor = tiny_extractor("v2", runtime="openvino", layer=1)
    networks = extractor._openvino._networks  # type: ignore[union-attr]
    for height, attention, many in ((20, False, 1), (20, False, 1), (20, True, 2), (24, True, 3), (20, True, 3)):
        extractor.describe(picture(1, height), attention=attention)
        assert len(networks) == many
    assert extractor.at(1, "value")._openvino is extractor._openvino


def test_only_the_last_few_networks_are_kept() -> None:
    extractor = tiny_extractor("v2", runtime="openvino")
    networks = extractor._openvino._networks  # type: ignore[union-attr]
    first = extractor.describe(picture(1, 20)).descriptors
    for height in range(24, 52, 4):
        extractor.describe(picture(1, height))
    sizes = [key[0] for key in networks]
    assert len(sizes) == 8
    assert torch.equal(extractor.describe(picture(1, 20)).descriptors, first)  # now the last one used
    extractor.describe(picture(1, 52))
    assert [key[0] for key in networks] == [*sizes[2:], sizes[0], 1 + 13 * 7]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_fit_and_the_labels_after_it_share_their_networks(precision: str) -> None:
    extractor = tiny_extractor("v2", runtime="openvino", layer=1, stride=2, shifted=True, precision=precision)
    networks = extractor._openvino._networks  # type: ignore[union-attr]
    fitted = extractor.describe(picture(), attention=True, tokens=True)
    assert len(networks) == 4
    labelled = extractor.describe(picture(), tokens=True)
    assert len(networks) == 4
    for name in ("descriptors", "tokens"):
        assert torch.equal(getattr(fitted, name), getattr(labelled, name))


def test_it_says_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="--runtime openvino: it cannot run the blocks of this model; take torch"):
        tiny_extractor("v3", runtime="openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(SettingsError, match=r"pip install 'videoparts\[openvino\]'"):
        tiny_extractor("v2", runtime="openvino")


def test_it_computes_on_a_cpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videoparts.vit.extractor.resolve_device", lambda _: torch.device("cuda"))
    with pytest.raises(SettingsError, match="--runtime openvino runs on a CPU, not on cuda"):
        ViTExtractor(ExtractorSettings(model=TINY["v2"]), ComputeSettings(runtime="openvino"))

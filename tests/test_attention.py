"""The CPU's attention against timm's, which it replaces."""

from __future__ import annotations

import pytest
import torch
from timm.layers.attention import Attention

from videoparts import attention
from videoparts.attention import ChunkedAttention
from videoparts.config import ComputeSettings
from videoparts.vit import ViTExtractor


@pytest.mark.parametrize("tokens", [1, 50, 160, 161, 700])
def test_equals_timms(tokens: int) -> None:
    torch.manual_seed(0)
    theirs = Attention(48, num_heads=3, qkv_bias=True).eval()
    x = torch.randn(2, tokens, 48)
    with torch.inference_mode():
        assert torch.allclose(ChunkedAttention(theirs)(x), theirs(x), atol=1e-5)


def test_only_the_plain_one_is_replaced() -> None:
    assert ChunkedAttention.fits(Attention(48, num_heads=3))
    assert not ChunkedAttention.fits(Attention(48, num_heads=3, scale_norm=True, norm_layer=torch.nn.LayerNorm))
    assert not ChunkedAttention.fits(torch.nn.Linear(48, 48))


def test_it_is_used_in_bf16_on_a_cpu_and_nowhere_else() -> None:
    for precision, used in (("bf16", True), ("fp32", False)):
        extractor = ViTExtractor(compute=ComputeSettings(device="cpu", precision=precision, offline=True))  # type: ignore[arg-type]
        assert all(isinstance(block.attn, ChunkedAttention) == used for block in extractor._blocks)


def test_the_chunk_changes_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, x = Attention(48, num_heads=3).eval(), torch.randn(1, 90, 48)
    with torch.inference_mode():
        whole = ChunkedAttention(theirs)(x)
        monkeypatch.setattr(attention, "_QUERIES", 7)
        assert torch.allclose(ChunkedAttention(theirs)(x), whole, atol=1e-6)

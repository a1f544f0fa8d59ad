"""Which heads look at the object, and the saliency they give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F

from videoparts.sampling.saliency import object_heads, saliency, smooth_saliency
from videoparts.vit.extractor import ViTExtractor


def looks(*which: str) -> torch.Tensor:
    """Attention (4, heads, 12, 16): each head looks at the ``object``, at the ``rest``, or at ``noise``."""
    random = torch.Generator().manual_seed(0)
    inside = torch.zeros(4, 12, 16)
    for i in range(4):
        inside[i, 3:9, 2 + i : 8 + i] = 1
    maps = {"object": inside + 0.1, "rest": 1.1 - inside, "noise": torch.rand(4, 12, 16, generator=random)}
    out = torch.stack([maps[w] * (0.8 + 0.4 * torch.rand(4, 12, 16, generator=random)) for w in which], dim=1)
    return out / out.sum((2, 3), keepdim=True)


def test_heads_that_look_elsewhere_are_left_out() -> None:
    assert object_heads(looks("object", "object", "rest", "object", "noise")) == [0, 1, 3]
    assert object_heads(looks("rest", "object", "object")) == [1, 2]


def test_one_head_is_enough() -> None:
    assert object_heads(looks("object")) == [0]


def test_the_heads_of_the_default_model(extractor: ViTExtractor, photograph: npt.NDArray[np.uint8]) -> None:
    """Known of these weights: heads 0, 1, 2, 4 and 5 look at the object, head 3 at the background."""
    attention = extractor.extract(photograph[None], attention=True).attention
    assert attention is not None
    assert object_heads(attention) == [0, 1, 2, 4, 5]


def test_saliency_is_scaled_in_each_frame() -> None:
    attention = looks("object", "rest")
    map_ = saliency(attention, [0])
    assert map_.shape == (4, 12, 16)
    assert map_.amin((1, 2)).eq(0).all()
    assert map_.amax((1, 2)).eq(1).all()
    assert map_[0, 5, 4] > 0.5 > map_[0, 0, 15]


def slow_smooth(attention: torch.Tensor, tokens: torch.Tensor, heads: list[int]) -> torch.Tensor:
    """Patch by patch in float64: the mean over all patches, each by exp((cosine - 1) / 0.1)."""
    out = torch.empty(attention.shape[0], *attention.shape[2:], dtype=torch.float64)
    for n in range(len(attention)):
        mean = sum(attention[n, head].double() for head in heads) / len(heads)
        assert isinstance(mean, torch.Tensor)
        salient = (mean / mean.mean()).clamp(max=10)
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                weight = (((tokens[n].double() * tokens[n, y, x].double()).sum(-1) - 1) / 0.1).exp()
                out[n, y, x] = (weight * salient).sum() / weight.sum()
    return out


@pytest.mark.parametrize("side", [1, 50, 64, 192, 256])
@pytest.mark.parametrize("heads", [[0], [0, 2], [0, 1, 2]])
def test_smooth_saliency_is_that_of_the_definition(
    heads: list[int], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videoparts.sampling.saliency._SIDE", side)
    attention = looks("object", "rest", "noise")
    attention[0, 0, 5, 5] += 1  # one patch that attracts far more than ten times the mean
    random = torch.Generator().manual_seed(1)
    tokens = F.normalize(torch.randn(4, 12, 16, 5, generator=random), dim=-1)
    found = smooth_saliency(attention, tokens, heads)
    assert found.shape == (4, 12, 16)
    assert found.dtype == torch.float32
    assert (found - slow_smooth(attention, tokens, heads)).abs().max() < 1e-5


def test_what_looks_alike_is_as_salient() -> None:
    attention = looks("object")
    halves = torch.zeros(4, 12, 16, 2)
    halves[:, :, :8, 0] = halves[:, :, 8:, 1] = 1
    smooth = smooth_saliency(attention, halves, [0])
    relative = attention[:, 0] / attention[:, 0].mean((1, 2), keepdim=True)
    for half in (slice(0, 8), slice(8, 16)):
        assert (smooth[..., half] - relative[..., half].mean((1, 2), keepdim=True)).abs().max() < 2e-3


def test_smooth_saliency_does_not_depend_on_the_scale_of_attention() -> None:
    attention, random = looks("object", "rest"), torch.Generator().manual_seed(1)
    tokens = F.normalize(torch.randn(4, 12, 16, 5, generator=random), dim=-1)
    assert torch.allclose(
        smooth_saliency(attention * 7, tokens, [0]), smooth_saliency(attention, tokens, [0]), rtol=1e-5
    )

"""Which heads look at the object, and the saliency they give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from videoparts.saliency import object_heads, saliency
from videoparts.vit import ViTExtractor


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

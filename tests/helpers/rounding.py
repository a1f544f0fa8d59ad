"""What is asked of an extractor in 8 bits."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from videoparts.vit.extractor import ViTExtractor


def require_close_to_fp32(
    rounded: ViTExtractor, exact: ViTExtractor, photograph: Any, *, mean: float, attention: float
) -> None:
    """That it rounds, and how far what it gives may be from float32: the least mean cosine of descriptors and tokens,
    and the least one of the heads' attention."""
    assert rounded.precision == "int8"
    assert rounded.identity == exact.identity
    pixels = torch.from_numpy(photograph)[None]
    ours, wanted = (e.extract(pixels, attention=True, tokens=True) for e in (rounded, exact))
    for name in ("descriptors", "tokens"):
        likeness = F.cosine_similarity(getattr(ours, name), getattr(wanted, name), dim=-1)
        assert mean < likeness.mean() < 0.9999  # bf16 alone: above that
        assert likeness.min() > 0.9
    assert ours.attention is not None
    assert wanted.attention is not None
    assert F.cosine_similarity(ours.attention.flatten(2), wanted.attention.flatten(2), dim=-1).min() > attention

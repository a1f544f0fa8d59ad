"""What tells parts from each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from videoparts.part_descriptors import part_descriptors


def test_it_is_a_key_and_the_shallower_tokens() -> None:
    random = torch.Generator().manual_seed(0)
    key = F.normalize(torch.randn(2, 3, 6, generator=random), dim=-1)
    shallow, deep = (F.normalize(torch.randn(2, 3, 4, generator=random), dim=-1) for _ in range(2))
    joined = part_descriptors(key, torch.cat([shallow, deep], dim=-1))
    assert joined.shape == (2, 3, 10)
    assert torch.allclose(joined.norm(dim=-1), torch.ones(2, 3))
    assert torch.allclose(F.normalize(joined[..., :6], dim=-1), key, atol=1e-6)
    assert torch.allclose(F.normalize(joined[..., 6:], dim=-1), shallow, atol=1e-6)
    # The key has two thirds of what tells two patches apart, the tokens one.
    length = joined[..., 6:].norm(dim=-1) / joined[..., :6].norm(dim=-1)
    assert torch.allclose(length, torch.full((2, 3), 0.7))
    other = part_descriptors(key, torch.cat([shallow, -deep], dim=-1))
    assert other.equal(joined)

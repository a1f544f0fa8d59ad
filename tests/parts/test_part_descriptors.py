"""What tells parts from each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from videoparts.parts.descriptors import descriptors_of_many, descriptors_of_one


@pytest.mark.parametrize(
    # Of one thing, the key has two thirds of what tells two patches apart, the tokens one.
    ("join", "half", "share"),
    [(descriptors_of_one, 0, 0.7), (descriptors_of_many, 1, 1.0)],
)
def test_it_is_a_key_and_half_of_the_tokens(
    join: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], half: int, share: float
) -> None:
    random = torch.Generator().manual_seed(0)
    key = F.normalize(torch.randn(2, 3, 6, generator=random), dim=-1)
    tokens = [F.normalize(torch.randn(2, 3, 4, generator=random), dim=-1) for _ in range(2)]
    joined = join(key, torch.cat(tokens, dim=-1))
    assert joined.shape == (2, 3, 10)
    assert torch.allclose(joined.norm(dim=-1), torch.ones(2, 3))
    assert torch.allclose(F.normalize(joined[..., :6], dim=-1), key, atol=1e-6)
    assert torch.allclose(F.normalize(joined[..., 6:], dim=-1), tokens[half], atol=1e-6)
    length = joined[..., 6:].norm(dim=-1) / joined[..., :6].norm(dim=-1)
    assert torch.allclose(length, torch.full((2, 3), share))
    tokens[1 - half] = -tokens[1 - half]
    assert join(key, torch.cat(tokens, dim=-1)).equal(joined)

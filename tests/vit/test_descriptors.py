from __future__ import annotations

import numpy as np
import pytest
import torch

from videoparts.vit.descriptors import log_bin, unit_length


def slow_log_bin(descriptors: torch.Tensor) -> torch.Tensor:
    """One place, one bin, one neighbour at a time: (h, w, D) to (h, w, 17, D)."""
    h, w, d = descriptors.shape

    def mean_around(y: int, x: int) -> torch.Tensor:
        there = [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        inside = [descriptors[i, j] for i, j in there if 0 <= i < h and 0 <= j < w]
        return torch.stack(inside).mean(dim=0)

    out = torch.empty(h, w, 17, d, dtype=descriptors.dtype)
    for y in range(h):
        for x in range(w):
            k = 0
            for distance in (1, 3):
                for dy in (-distance, 0, distance):
                    for dx in (-distance, 0, distance):
                        if distance == 3 and dy == dx == 0:
                            continue
                        i, j = min(max(y + dy, 0), h - 1), min(max(x + dx, 0), w - 1)
                        out[y, x, k] = descriptors[i, j] if distance == 1 else mean_around(i, j)
                        k += 1
            assert k == 17
    return out


@pytest.mark.parametrize(("h", "w"), [(7, 9), (1, 8), (2, 2), (1, 1), (4, 3)])
def test_log_bin_is_that_of_the_slow_loop(h: int, w: int) -> None:
    descriptors = torch.randn(2, h, w, 5, generator=torch.Generator().manual_seed(h * w))
    found = log_bin(descriptors)
    assert found.shape == (2, h, w, 17 * 5)
    for one, wanted in zip(found, descriptors, strict=True):
        assert (one.unflatten(2, (17, 5)) - slow_log_bin(wanted)).abs().max() < 1e-6


def test_bin_four_is_the_patch_itself() -> None:
    descriptors = torch.randn(1, 5, 6, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(log_bin(descriptors).unflatten(3, (17, 3))[..., 4, :], descriptors)


def test_unit_length_is_float32_and_keeps_directions() -> None:
    vectors = torch.from_numpy(np.array([[3.0, 4.0], [0.0, 0.0], [-1e-3, 0.0]]))
    found = unit_length(vectors.to(torch.bfloat16))
    assert found.dtype == torch.float32
    assert torch.allclose(found, torch.tensor([[0.6, 0.8], [0.0, 0.0], [-1.0, 0.0]]))

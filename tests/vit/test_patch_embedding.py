from __future__ import annotations

import pytest
import torch

from videoparts.vit.patch_embedding import embedded


@pytest.mark.parametrize("stride", [14, 7, 2])
def test_a_product_gives_what_a_convolution_gives(stride: int) -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 56, 70, generator=random)
    weight, bias = torch.randn(8, 3, 14, 14, generator=random), torch.randn(8, generator=random)
    usual = embedded(images, weight, bias, stride)
    assert usual.shape == (2, ((56 - 14) // stride + 1) * ((70 - 14) // stride + 1), 8)
    assert torch.allclose(embedded(images, weight, bias, stride, exact=True), usual, atol=1e-4)

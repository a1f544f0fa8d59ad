from __future__ import annotations

import pytest
import torch

from videoparts.sigmoid import sigmoid


def test_it_is_the_logistic_function() -> None:
    x = torch.linspace(-120, 120, 4001)
    assert torch.allclose(sigmoid(x), x.double().sigmoid().float(), atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_is_beside_a_number_changes_nothing(threads: int) -> None:
    x = torch.randn(40_003, generator=torch.Generator().manual_seed(0)) * 4
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = sigmoid(x)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(whole, torch.cat([sigmoid(some) for some in x.split(7)]))

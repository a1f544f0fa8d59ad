"""Nearest neighbours in blocks are those of a plain look at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from videoparts.pairs.mutual import neighbours
from videoparts.vit.descriptors import unit_length


def plain(one: torch.Tensor, other: torch.Tensor) -> tuple[list[int], list[int], list[int]]:
    """One after the other, in float64: nearest of each, and of those the mutual ones."""
    a, b = one.double().numpy(), other.double().numpy()
    of_one = [int(np.argmax([x @ y for y in b])) for x in a]
    of_other = [int(np.argmax([x @ y for x in a])) for y in b]
    return of_one, of_other, [i for i, j in enumerate(of_one) if of_other[j] == i]


@pytest.mark.parametrize("cells", [1, 7, 100, 1000, 1 << 22])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 40), (37, 1), (37, 53)])
def test_blocks_of_any_size_give_what_a_plain_look_gives(n: int, m: int, cells: int) -> None:
    random = torch.Generator().manual_seed(n * m)
    one, other = (unit_length(torch.randn(k, 24, generator=random)) for k in (n, m))
    found = neighbours(one, other, cells)
    of_one, of_other, mutual = plain(one, other)
    assert found.of_one.tolist() == of_one
    assert found.of_other.tolist() == of_other
    assert found.mutual().tolist() == mutual
    torch.testing.assert_close(found.cosine, (one * other[found.of_one]).sum(1))


@pytest.mark.parametrize("cells", [1, 5, 64, 1 << 22])
def test_of_equals_the_first_is_taken(cells: int) -> None:
    """Whole numbers, so that equals are exactly equal."""
    random = torch.Generator().manual_seed(0)
    one = torch.randint(-1, 2, (30, 3), generator=random).float()
    other = torch.randint(-1, 2, (41, 3), generator=random).float()
    found = neighbours(one, other, cells)
    products = (one @ other.T).numpy()
    assert found.of_one.tolist() == products.argmax(1).tolist()
    assert found.of_other.tolist() == products.argmax(0).tolist()


def test_no_block_is_larger_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    plain_max = torch.Tensor.max

    def watched(tensor: torch.Tensor, *args: int) -> object:
        made.append(tensor.numel())
        return plain_max(tensor, *args)

    monkeypatch.setattr(torch.Tensor, "max", watched)
    one, other = torch.eye(300), torch.eye(300)[:211]
    neighbours(one, other, 1000)
    assert max(made) <= 1000
    assert sum(made) == 2 * 300 * 211


def test_nothing_has_no_neighbours() -> None:
    with pytest.raises(ValueError, match="both sides"):
        neighbours(torch.zeros(0, 3), torch.zeros(2, 3))

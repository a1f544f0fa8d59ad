"""The mean over a window: both ways of summing against the definition."""

from __future__ import annotations

import pytest
import torch

from videoparts.refine.box_filter import box, running_sums, sums_of_blocks


def by_definition(planes: torch.Tensor, radius: int) -> torch.Tensor:
    """(N, C, y, x) float64: window by window."""
    mean = torch.empty(planes.shape, dtype=torch.float64)
    for y in range(planes.shape[2]):
        for x in range(planes.shape[3]):
            window = planes[:, :, max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
            mean[:, :, y, x] = window.double().mean((2, 3))
    return mean


@pytest.mark.parametrize("size", [(13, 21), (3, 40), (1, 1), (9, 2)])
@pytest.mark.parametrize("radius", [0, 1, 4, 7, 64])
def test_is_the_mean_of_what_the_window_covers(size: tuple[int, int], radius: int) -> None:
    planes = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert (box(planes, radius) - by_definition(planes, radius)).abs().max() < 1e-6


@pytest.mark.parametrize("radius", [1, 4, 11])
def test_a_gpu_would_sum_to_the_same(radius: int) -> None:
    planes = torch.rand(2, 5, 120, 214, generator=torch.Generator().manual_seed(1))
    one, other = running_sums(planes, radius), sums_of_blocks(planes, radius)
    assert (one - other).abs().max() < 1e-5 * (2 * radius + 1) ** 2


def test_takes_planes_that_do_not_lie_in_one_piece() -> None:
    planes = torch.rand(1, 2, 30, 20, generator=torch.Generator().manual_seed(2)).transpose(2, 3)
    assert (box(planes, 3) - by_definition(planes, 3)).abs().max() < 1e-6


def test_much_of_one_value_does_not_spoil_the_rest() -> None:
    """Running sums add and take away again: in single precision, 1e4 on the left would leave errors on the right."""
    planes = torch.zeros(1, 1, 40, 200)
    planes[..., :20] = 1e4
    planes[..., 60:] = 1e-3
    assert (box(planes, 4)[..., 80:] - 1e-3).abs().max() < 1e-9


def test_writes_where_it_is_told() -> None:
    planes = torch.rand(2, 3, 11, 17, generator=torch.Generator().manual_seed(3))
    room = torch.full((2, 5, 11, 17), -1.0)
    assert box(planes, 2, room[:, 1:4]).data_ptr() == room[:, 1:4].data_ptr()
    assert room[:, 1:4].equal(box(planes, 2))
    assert room[:, [0, 4]].eq(-1).all()

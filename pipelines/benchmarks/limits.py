"""What this machine can do at most: products of large matrices, and copies in memory.

Each is tried in two arrangements, all cores at one task and a task on each core, and the faster one counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from videoparts.devices import on_all_cores

from .spending import spend

# Of the matrices. A GPU does the smaller product in little more time than it takes to be told.
SIDES = {"cpu": 2048, "cuda": 8192}
PIECES = {"cpu": 128 << 20, "cuda": 1 << 30}  # bytes, of the memory that is copied
_AT_A_TIME = 4  # tasks in a row, for each core where each has its own


@dataclass(frozen=True)
class Rates:
    """Of one thing, in both arrangements, units a second."""

    together: float  # all cores at one task
    apart: float | None  # a task on each core; None: there is one, or a GPU

    @property
    def best(self) -> float:
        """The higher one."""
        return max(self.together, self.apart or 0.0)


class MatrixProduct:
    """Products of two large square matrices; operations a second, a multiply-add being two.

    Args:
        device: that computes.
        dtype: of both matrices and the product.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.size = SIDES[device.type]
        generator = torch.Generator().manual_seed(0)
        self._one, self._other = (
            torch.randn(self.size, self.size, generator=generator).to(device, dtype) for _ in range(2)
        )
        self._products = [torch.empty_like(self._one) for _ in range(2 * _AT_A_TIME)]

    def rates(self) -> Rates:
        """Measure once."""
        return _rates(self._multiply, 2 * self.size**3, self._one.device)

    def _multiply(self, number: int) -> None:
        torch.mm(self._one, self._other, out=self._products[number % len(self._products)])


class Copy:
    """Copies of a piece of memory that no cache holds; bytes a second, read and written.

    Args:
        device: whose memory it is.
    """

    def __init__(self, device: torch.device) -> None:
        self._pieces = [torch.zeros(PIECES[device.type] // 4, device=device) for _ in range(2)]

    def rates(self) -> Rates:
        """Measure once. With a copy on each core, each copies a part of its own."""
        size = self._pieces[0].nbytes
        return _rates(self._copy, 2 * (size // _AT_A_TIME), self._pieces[0].device)

    def _copy(self, number: int) -> None:
        source, target = (piece.tensor_split(_AT_A_TIME)[number % _AT_A_TIME] for piece in self._pieces)
        target.copy_(source)


def _rates(task: Callable[[int], None], units: int, device: torch.device) -> Rates:
    """``units`` is how many each task does."""

    @torch.inference_mode()
    def do(number: int) -> None:
        task(number)

    def together() -> None:
        for number in range(_AT_A_TIME):
            do(number)

    def apart() -> None:
        for _ in on_all_cores(do, range(count), device):
            pass

    first = _AT_A_TIME * units / spend(together, device).wall
    if device.type == "cuda" or (threads := torch.get_num_threads()) == 1:
        return Rates(first, None)
    count = _AT_A_TIME * threads
    return Rates(first, count * units / spend(apart, device).wall)

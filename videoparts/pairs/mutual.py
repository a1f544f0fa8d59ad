"""Nearest neighbours between two sets of descriptors, both ways, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch

_CELLS = 1 << 22  # similarities in the making at a time, 4 bytes each


@dataclass(frozen=True, eq=False, repr=False)
class Neighbours:
    """For each descriptor the nearest one of the other set, by cosine. Of several equally near: the first."""

    of_one: torch.Tensor  # (n,) int64: in the other set
    of_other: torch.Tensor  # (m,) int64: in the first set
    cosine: torch.Tensor  # (n,) float32: of each in the first set and its nearest

    def mutual(self) -> torch.Tensor:
        """(k,) int64: those of the first set that are the nearest of their own nearest, ascending."""
        itself = torch.arange(len(self.of_one), device=self.of_one.device)
        return (self.of_other[self.of_one] == itself).nonzero()[:, 0]


@torch.inference_mode()
def neighbours(one: torch.Tensor, other: torch.Tensor, cells: int = _CELLS) -> Neighbours:
    """Compare all with all, a block of similarities at a time.

    Args:
        one: (n, D) float32, unit length, n at least 1.
        other: (m, D) float32, unit length, m at least 1, on the same device.
        cells: similarities that are held at a time; the result does not depend on it, up to rounding.

    Raises:
        ValueError: a set is empty.
    """
    n, m = len(one), len(other)
    if not n or not m:
        raise ValueError(f"neighbours need descriptors on both sides, got {n} and {m}")
    columns = min(m, max(1, int(cells**0.5)), cells) if n > 1 else min(m, cells)
    rows = min(n, max(1, cells // columns))
    of_one = torch.zeros(n, dtype=torch.int64, device=one.device)
    of_other = torch.zeros(m, dtype=torch.int64, device=one.device)
    best_of_one = one.new_full((n,), -torch.inf)
    best_of_other = one.new_full((m,), -torch.inf)
    for top in range(0, n, rows):
        for left in range(0, m, columns):
            block = one[top : top + rows] @ other[left : left + columns].T
            _improve(best_of_one[top : top + rows], of_one[top : top + rows], *block.max(1), left)
            _improve(best_of_other[left : left + columns], of_other[left : left + columns], *block.max(0), top)
    return Neighbours(of_one, of_other, best_of_one)


def _improve(best: torch.Tensor, index: torch.Tensor, found: torch.Tensor, where: torch.Tensor, offset: int) -> None:
    """Take over what is strictly better: blocks come in order, so that the first of equals stays."""
    better = found > best
    best[better] = found[better]
    index[better] = where[better] + offset

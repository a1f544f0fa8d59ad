"""The logistic function, to the same last bit wherever a number lies among others."""

from __future__ import annotations

import torch


def sigmoid(x: torch.Tensor) -> torch.Tensor:
    """1 / (1 + exp(-x)), new, of the shape of ``x``, which is float32.

    torch's own works out the numbers at the end of a range, which fill no whole vector, by another formula than the
    rest: on a CPU, what is next to a number, and so the batch and how many threads share the work, would change its
    last bit.
    """
    return torch.neg(x).exp_().add_(1).reciprocal_()

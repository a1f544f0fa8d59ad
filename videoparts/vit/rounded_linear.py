"""Linear layers in 8 bits on a CPU. With `packed_linear`, the only file that knows oneDNN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .activations import Rounding
from .packed_linear import can_pack

_LARGEST = 127  # of a weight in 8 bits; -128 stays unused, so that no sign is rounded otherwise than the other


def can_round() -> bool:
    """Whether this processor has instructions for products of 8 bits (AVX-512 VNNI), and this torch calls them."""
    probe = getattr(torch.cpu, "_is_vnni_supported", None)
    return can_pack() and hasattr(torch.ops.onednn, "qlinear_pointwise") and bool(probe and probe())


class RoundedNorm(nn.Module):
    """A LayerNorm whose result is rounded for the linear layer after it.

    Steps and scales of the rounding are put into the norm's weights, so that it gives the numbers themselves.

    Args:
        norm: the one whose weights are taken, in float32.
        rounding: how its result is rounded.
    """

    def __init__(self, norm: nn.LayerNorm, rounding: Rounding) -> None:
        super().__init__()
        # No parameters: as such they would be sent to bf16 with a model, and have fewer digits than 8 bits want.
        step = rounding.scale * rounding.step
        self._weight = norm.weight.detach() / step
        self._bias = norm.bias.detach() / step + (rounding.zero - 128)
        self._eps = norm.eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., D) uint8."""
        x = F.layer_norm(x.float(), x.shape[-1:], self._weight, self._bias, self._eps)
        # torch sends floats to int8 five times as fast as to uint8, which differs by the first bit.
        return x.round_().clamp_(-128, 127).to(torch.int8).view(torch.uint8).bitwise_xor_(128)


class RoundedLinear(nn.Module):
    """A linear layer that multiplies numbers of 8 bits, those that it is given and those that its weights are rounded
    to; each output channel of the weights has a step of its own.

    What follows the product is done while its results are at hand, in float32, and rounded once: the bias, and either
    GELU or a tensor that is added.

    Args:
        weight: (out, in) float32.
        bias: (out,) float32; None: zeros.
        given: how what it is given has been rounded.
        gelu: whether GELU, the exact one, follows.
        result: how its result is rounded for the layer after it, without regard to its scale; None: it is bf16.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        given: Rounding,
        *,
        gelu: bool = False,
        result: Rounding | None = None,
    ) -> None:
        super().__init__()
        weight = weight.detach() * given.scale
        steps = weight.abs().amax(1).clamp(min=1e-12) / _LARGEST
        numbers = (weight / steps[:, None]).round_().to(torch.int8)
        # No parameters, as with `PackedLinear`.
        self._weight = torch.ops.onednn.qlinear_prepack(numbers, None)
        self._steps, self._zeros = steps, torch.zeros(len(steps), dtype=torch.int64)
        self._bias = torch.zeros(len(steps)) if bias is None else bias.detach()
        self._given = given.step, given.zero
        self._activation = "gelu" if gelu else "none"
        self._result = (1.0, 0, torch.bfloat16) if result is None else (result.step, result.zero, torch.uint8)

    def forward(self, x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
        """(..., in) uint8 to (..., out), with ``plus`` (..., out) bf16 added in the end, where neither GELU nor a
        rounding is."""
        product = torch.ops.onednn.qlinear_pointwise
        sides = x, *self._given, self._weight, self._steps, self._zeros
        found: torch.Tensor
        if plus is None:
            found = product(*sides, self._bias, *self._result, self._activation, [], "none")
        else:
            assert self._activation == "none"
            assert self._result[2] == torch.bfloat16
            found = product.binary(*sides, plus, self._bias, *self._result, 1.0, 0, "add", 1.0, "none", [], "none")
        return found

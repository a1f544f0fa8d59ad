"""Linear layers in bf16 on a CPU, near the rate of its largest matrix products. The only file that knows oneDNN."""

from __future__ import annotations

import platform

import torch
import torch.nn.functional as F
from torch import nn


def can_pack() -> bool:
    """Whether this torch has oneDNN for this processor. Arm's calls another library, which was never measured."""
    here: bool = platform.machine() in ("x86_64", "AMD64") and torch._C._has_mkldnn
    return here and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class PackedLinear(nn.Module):
    """A linear layer whose weights are put once into the order that the product reads them in.

    What follows the product is done while its results are at hand, in float32, and rounded once: the bias, and either
    GELU or a tensor that is added. `torch.nn.functional.linear` spends a tenth of the time on copies of the bias and on
    reordering the weights at every call, and GELU and a sum are passes over memory of their own.

    Args:
        weight: (out, in), of any precision.
        bias: (out,); None: zeros.
        gelu: whether GELU, the exact one, follows.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, *, gelu: bool = False) -> None:
        super().__init__()
        self.in_features, self.out_features = weight.shape[1], weight.shape[0]
        self.gelu = gelu
        self.packed = can_pack()
        # No parameters: as such they could be copied to another precision or device, which a packed one does not bear.
        weight = weight.detach().to(torch.bfloat16).contiguous()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight) if self.packed else weight
        bias = torch.zeros(len(weight)) if bias is None else bias.detach()
        self._bias = bias.to(torch.bfloat16).contiguous()

    def forward(self, x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
        """(..., in) to (..., out), bf16, with ``plus`` (..., out) added in the end, where no GELU is."""
        assert plus is None or not self.gelu
        if not self.packed:
            y = F.linear(x, self._weight, self._bias)
            y = F.gelu(y) if self.gelu else y
            return y if plus is None else y + plus
        product = torch.ops.mkldnn._linear_pointwise
        packed: torch.Tensor
        if plus is None:
            packed = product(x, self._weight, self._bias, "gelu" if self.gelu else "none", [], "none")
        else:
            packed = product.binary(x, plus, self._weight, self._bias, "add")
        return packed

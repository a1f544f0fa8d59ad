"""From pixels to the first tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def embedded(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, stride: int, *, exact: bool = False
) -> torch.Tensor:
    """A weighted sum of the pixels of each patch.

    Args:
        images: (N, 3, H, W).
        weight: (D, 3, p, p), for patches of p x p pixels.
        bias: (D,).
        stride: pixels from patch to patch.
        exact: as a product of matrices instead of a convolution, which takes more memory. For fp32 on CUDA: cuDNN's
            convolutions take numbers of 10 bits (TF32) there, products do so only if torch is asked to, and what turns
            it off for convolutions turns it off for all threads.

    Returns:
        (N, patches, D), row by row.
    """
    if exact:
        pixels = F.unfold(images, (weight.shape[2], weight.shape[3]), stride=stride)
        return pixels.transpose(1, 2) @ weight.flatten(1).T + bias
    return F.conv2d(images, weight, bias, stride=stride).flatten(2).transpose(1, 2)

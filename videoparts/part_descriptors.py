"""What tells the parts of an object from each other: keys, and with them what a shallower block makes of a patch.

Keys (paper, section 3) know well what a patch is of, and too well where in the picture it lies: parts of keys alone
change places when a thing turns or crosses the frame. The outputs of a shallower block know less of either and more of
looks. Together they do better than each.
"""

from __future__ import annotations

import math

import torch

_LOOKS = 0.7  # length of the tokens beside the descriptor's 1


def part_descriptors(descriptors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Join a patch's descriptor with the shallower half of its tokens.

    Args:
        descriptors: (..., D), unit length.
        tokens: (..., D2), each half of unit length, as in `Features.tokens`.

    Returns:
        (..., D + D2 / 2) float32, unit length.
    """
    length, size = math.hypot(1, _LOOKS), descriptors.shape[-1]
    shallow = tokens[..., : tokens.shape[-1] // 2].float()
    # Written in place: of a frame these are megabytes, and each copy takes as long as the product that follows.
    joined = torch.empty(*shallow.shape[:-1], size + shallow.shape[-1], device=shallow.device)
    torch.div(descriptors.float(), length, out=joined[..., :size])
    torch.mul(shallow, _LOOKS, out=joined[..., size:]).div_(length)
    return joined

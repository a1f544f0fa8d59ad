"""What tells the parts of an object from each other: keys, and with them what another block makes of a patch.

Keys (paper, section 3) know well what a patch is of, and too well where in the picture it lies: parts of keys alone
change places when a thing turns or crosses the frame. The outputs of a shallower block know less of either and more of
looks. Together they do better than each.

A part of one thing looks otherwise than the same part of another. So for the parts of many things of a kind, keys are
joined with the outputs of the deeper block instead, which know what a patch is of, whatever it looks like.
"""

from __future__ import annotations

import math

import torch

_LOOKS = 0.7  # length of the shallower tokens beside the descriptor's 1


def descriptors_of_one(descriptors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Join a patch's descriptor with the shallower half of its tokens.

    Args:
        descriptors: (..., D), unit length.
        tokens: (..., D2), each half of unit length, as in `Features.tokens`.

    Returns:
        (..., D + D2 / 2) float32, unit length.
    """
    return _joined(descriptors, tokens[..., : tokens.shape[-1] // 2], _LOOKS)


def descriptors_of_many(descriptors: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Join a patch's descriptor with the deeper half of its tokens: as `descriptors_of_one`."""
    return _joined(descriptors, tokens[..., tokens.shape[-1] // 2 :], 1.0)


def _joined(descriptors: torch.Tensor, tokens: torch.Tensor, share: float) -> torch.Tensor:
    """Of unit length, the one 1 and the other ``share`` times as long as each other."""
    length, size = math.hypot(1, share), descriptors.shape[-1]
    # Written in place: of a frame these are megabytes, and each copy takes as long as the product that follows.
    joined = torch.empty(*tokens.shape[:-1], size + tokens.shape[-1], device=tokens.device)
    torch.div(descriptors.float(), length, out=joined[..., :size])
    torch.mul(tokens.float(), share, out=joined[..., size:]).div_(length)
    return joined

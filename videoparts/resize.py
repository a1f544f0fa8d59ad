"""Antialiased resizing of frames, on whatever device they are."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

_AT_ONCE = 1 << 24  # numbers in float32


def resize(frames: torch.Tensor, size: tuple[int, int], mode: Literal["bicubic", "bilinear"]) -> torch.Tensor:
    """Resize frames, antialiased.

    Args:
        frames: (N, H, W, 3) uint8.
        size: (height, width) wanted.
        mode: the kernel.

    Returns:
        (N, 3, *size): uint8 on a CPU, where torch resizes that several times faster than float; float32 in 0..1
        elsewhere.
    """
    images = frames.permute(0, 3, 1, 2)
    if images.device.type == "cpu":
        return images if images.shape[2:] == size else _resized(images, size, mode)
    if images.shape[2:] == size:
        return images.float().div_(255)
    # A few at a time: in floats, a batch of large frames would take more memory than the ViT.
    some = torch.split(images, max(1, _AT_ONCE // max(1, images[:1].numel())))
    return torch.cat([_resized(few.float().div_(255), size, mode).clamp_(0, 1) for few in some])


def _resized(images: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    return F.interpolate(images, size=size, mode=mode, align_corners=False, antialias=True)


def unit_range(images: torch.Tensor) -> torch.Tensor:
    """float32 in 0..1, from what `resize` gives."""
    return images.float() / 255 if images.dtype == torch.uint8 else images

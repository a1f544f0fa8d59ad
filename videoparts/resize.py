"""Antialiased resizing of frames, on whatever device they are."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F


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
    if images.device.type != "cpu":
        images = images.float() / 255
    if images.shape[2:] == size:
        return images
    resized = F.interpolate(images, size=size, mode=mode, align_corners=False, antialias=True)
    return resized if resized.dtype == torch.uint8 else resized.clamp(0, 1)


def unit_range(images: torch.Tensor) -> torch.Tensor:
    """float32 in 0..1, from what `resize` gives."""
    return images.float() / 255 if images.dtype == torch.uint8 else images

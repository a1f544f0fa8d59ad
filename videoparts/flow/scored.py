"""What is known of frames between the ViT and their labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..frames import FrameBatch
from ..refine.colours import Colours
from .links import Links


@dataclass(frozen=True, eq=False, repr=False)
class Scored:
    """Frames on their way from the ViT to labels."""

    frames: FrameBatch
    links: Links  # (N,) empty where nobody needs them
    scores: torch.Tensor  # (N, C, y, x) float32, of `refine.pixels.working_scores`, on any device
    colours: Colours | None = None  # once they are counted, of each frame or of those around it

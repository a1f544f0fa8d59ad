"""What is done with each frame by itself, from its scores to its masks, before and after scores are averaged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from .clock import StageClock
from .config import RefineSettings
from .devices import on_device
from .flow.scored import Scored
from .frames import Pixels
from .masks import PartMasks
from .refine.mattes import agreeing_matte
from .refine.pixels import colours_of, label_pixels, matte_pixels
from .refine.specks import each_without_specks


@dataclass(frozen=True, eq=False, repr=False)
class FullSize:
    """Frames whose pixels have been labelled."""

    scored: Scored
    labels: torch.Tensor  # (N, H, W) uint8, on the device that computes
    matte: torch.Tensor | None  # the same, how much of each pixel the object covers; None: not wanted


@dataclass(frozen=True, eq=False, repr=False)
class PixelLabels:
    """The steps, in their order. Each may work on several items at a time; averaging, between them, needs all in order.

    Args:
        device: what computes, but for `cleaned`, which is the CPU's.
        settings: how patch scores become pixels.
        matte: whether mattes are wanted.
        numbers: (P + 1,) those that labels get in the end; None: they keep theirs.
        clock: counts the time, as "refine".
    """

    device: torch.device
    settings: RefineSettings
    matte: bool = False
    numbers: Pixels | None = None
    clock: StageClock = field(default_factory=StageClock)

    @torch.inference_mode()
    def coloured(self, scored: Scored) -> Scored:
        """Scores on the device, with what their frames' colours tell."""
        with self.clock.stage("refine"):
            scores = scored.scores.to(self.device)  # those that were carried along the flow are on the CPU
            return replace(scored, scores=scores, colours=colours_of(scores, self._there(scored)))

    @torch.inference_mode()
    def full_size(self, steady: Scored) -> FullSize:
        """Labels of every pixel, from scores that have been averaged."""
        with self.clock.stage("refine"):
            given = steady.scores, self._there(steady), self.settings, steady.colours
            if self.matte:
                return FullSize(steady, *matte_pixels(*given))
            return FullSize(steady, label_pixels(*given), None)

    def cleaned(self, found: FullSize) -> PartMasks:
        """Masks without specks, and mattes that agree with them."""
        with self.clock.stage("refine"):
            steady, first = found.scored, found.labels.cpu().numpy()
            labels = each_without_specks(first, steady.scores.cpu().numpy(), self.settings.specks)
            mattes = None
            if found.matte is not None:
                each = zip(found.matte.cpu().numpy(), labels, first, strict=True)
                mattes = np.stack([agreeing_matte(*one) for one in each])
            shown = labels if self.numbers is None else self.numbers[labels]
            return PartMasks(steady.frames, shown, mattes, links=steady.links or None)

    def _there(self, scored: Scored) -> torch.Tensor:
        """The frames' pixels, on the device."""
        return on_device(scored.frames.pixels, self.device)

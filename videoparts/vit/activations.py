"""What the linear layers of a ViT are given, so that it can be rounded to 8 bits: found on generated pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

_STEPS = 255  # between the lowest and the highest number of 8 bits
# What a layer is given when it sees a clip may go beyond what it was given for the generated pictures. At 1.0 labels of
# twice as many pixels change; real frames in their place are no better (four clips of DAVIS).
_MARGIN = 1.25
_SLOPE = 1.2  # amplitude falls with this power of the frequency, as in photographs


@dataclass(frozen=True, eq=False)
class Activations:
    """The range of what one linear layer is given, by channel.

    Attributes:
        lowest, highest: (in,) float32.
    """

    lowest: torch.Tensor
    highest: torch.Tensor

    def joined(self, other: Activations) -> Activations:
        """The range of both."""
        return Activations(torch.minimum(self.lowest, other.lowest), torch.maximum(self.highest, other.highest))


@dataclass(frozen=True, eq=False)
class Rounding:
    """How what a linear layer is given is rounded to 8 bits.

    Attributes:
        scale: (in,): channels are divided by it first, and the weights multiplied.
        lowest, highest: of what the 256 numbers stand for; 0 is one of them.
    """

    scale: torch.Tensor
    lowest: float
    highest: float

    @property
    def step(self) -> float:
        """From one number to the next."""
        return (self.highest - self.lowest) / _STEPS

    @property
    def zero(self) -> int:
        """The number, 0 to 255, that stands for 0."""
        return round(-self.lowest / self.step)

    @classmethod
    def of(cls, given: Activations, weight: torch.Tensor | None = None) -> Rounding:
        """That of a layer with ``weight`` (out, in); without one, channels are not scaled, and there is no margin.

        All channels share one step, so a few with large values would leave the others only a few numbers. SmoothQuant
        (Xiao and others, ICML 2023, equation 4 with alpha 0.5) divides each by the root of its largest value over its
        largest weight, and so shares the difficulty between values and weights.
        """
        largest = torch.maximum(-given.lowest, given.highest).clamp(min=1e-5)
        scale, margin = torch.ones_like(largest), 1.0  # fewer numbers for what is usual would cost more than the rest
        if weight is not None:
            scale, margin = (largest / weight.abs().amax(0).clamp(min=1e-5)).sqrt(), _MARGIN
        lowest = min(0.0, float((given.lowest / scale).min())) * margin
        highest = max(0.0, float((given.highest / scale).max())) * margin
        step = max(highest - lowest, 1e-12) / _STEPS  # a layer may be given nothing but 0
        lowest = round(lowest / step) * step
        return cls(scale, lowest, lowest + _STEPS * step)


def activations(
    blocks: Iterable[Any], samples: Iterable[torch.Tensor], dtype: torch.dtype = torch.float32
) -> list[dict[nn.Module, Activations]]:
    """What the linear layers of plain blocks are given, see `is_plain`.

    Args:
        blocks: timm's, in float32.
        samples: what the first is given, each (1, t, D) float32.
        dtype: what their products are computed in: in bf16 the time is half as long, and of DINOv2's ViT-S no layer's
            range is off by more than a hundredth.

    Returns:
        For each block, its four layers.
    """
    blocks = list(blocks)
    found: list[dict[nn.Module, Activations]] = [{} for _ in blocks]

    def watch(layer: nn.Module, into: dict[nn.Module, Activations]) -> Any:
        def note(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            values = given[0].flatten(0, -2).float()
            seen = Activations(values.amin(0), values.amax(0))
            into[layer] = into[layer].joined(seen) if layer in into else seen

        return layer.register_forward_pre_hook(note)

    layers = [(b.attn.qkv, b.attn.proj, b.mlp.fc1, b.mlp.fc2) for b in blocks]
    hooks = [watch(layer, into) for four, into in zip(layers, found, strict=True) for layer in four]
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            for x in samples:
                for block in blocks:
                    x = block(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def pink_noise(count: int, side: int) -> torch.Tensor:
    """Pictures whose spectrum is like that of photographs, always the same ones.

    Returns:
        (count, 3, side, side) uint8, of medium brightness and contrast.
    """
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.fft.rfft2(torch.randn(count, 3, side, side, generator=generator))
    frequency = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None])
    pictures = torch.fft.irfft2(spectrum / frequency.clamp(min=1 / side) ** _SLOPE, s=(side, side))
    pictures -= pictures.mean((1, 2, 3), keepdim=True)
    pictures /= pictures.std((1, 2, 3), keepdim=True)
    scaled: torch.Tensor = (pictures * 0.22 + 0.45).clamp(0, 1) * _STEPS
    return scaled.to(torch.uint8)

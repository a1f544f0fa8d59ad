"""How likely a patch is on the object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from ..devices import copied_to
from ..features import Features
from .visibility import Visibility

_TEMPERATURE = 0.05  # of cosines: how fast a lead in cosine becomes certainty
# Log-odds that a frame's best patches must have to be lifted. Without that, in 126 of 135 pieces of frames that do not
# show the object something is taken for it, .105 of the picture, instead of in 52, .049.
_EVEN = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class LinearProbe:
    """A weighted sum of a patch's tokens: a probe that the clip has taught itself.

    Linear probes read what a layer knows without changing it (Alain, Bengio: *Understanding Intermediate Layers Using
    Linear Classifier Probes*, 2016).
    """

    weight: torch.Tensor  # (D2,) float32
    bias: float
    visibility: Visibility = field(default_factory=Visibility)  # of log-odds

    def __post_init__(self) -> None:
        if self.weight.ndim != 1:
            raise ValueError(f"the weight must be (D2,), got {tuple(self.weight.shape)}")

    def __repr__(self) -> str:
        return f"LinearProbe({len(self.weight)} weights, bias={self.bias:.3g})"

    def on(self, device: torch.device) -> LinearProbe:
        """The same on a device."""
        return replace(self, weight=copied_to(self.weight, device))

    def odds(self, features: Features) -> torch.Tensor:
        """Natural logarithm of the odds that a patch is on the object: (N, h, w) float32, above 0 where it is.

        Raises:
            ValueError: the features have no tokens, or tokens of another size.
        """
        tokens = features.tokens
        if tokens is None:
            raise ValueError("this probe reads tokens, and the features were extracted without them")
        if tokens.shape[-1] != len(self.weight):
            raise ValueError(f"this probe reads tokens of size {len(self.weight)}, got {tokens.shape[-1]}")
        return self.visibility.lifted(tokens @ self.weight.to(tokens) + self.bias, _EVEN)


@dataclass(frozen=True, eq=False, repr=False)
class CentroidProbe:
    """The paper's decision (section 4): is the nearest centroid one of the object's, or of its surroundings?"""

    background: torch.Tensor  # (B, D) float32, unit length; B may be 0: then everything is object
    foreground: torch.Tensor  # (G, D) float32, unit length

    def __post_init__(self) -> None:
        b, g = tuple(self.background.shape), tuple(self.foreground.shape)
        if len(b) != 2 or len(g) != 2 or b[1] != g[1] or not g[0]:
            raise ValueError(f"centroids must be (B, D) and (G, D), G at least 1, got {b} and {g}")

    def __repr__(self) -> str:
        return f"CentroidProbe(background={len(self.background)}, foreground={len(self.foreground)})"

    def on(self, device: torch.device) -> CentroidProbe:
        """The same on a device."""
        return CentroidProbe(copied_to(self.background, device), copied_to(self.foreground, device))

    def odds(self, features: Features) -> torch.Tensor:
        """The lead in cosine of the nearest centroid of the object, as log-odds: (N, h, w) float32."""
        x = features.descriptors
        cosine = (x @ self.foreground.to(x).T).amax(-1)
        # Without a background it is as far away as can be.
        other = (x @ self.background.to(x).T).amax(-1) if len(self.background) else cosine.new_tensor(-1)
        return (cosine - other) / _TEMPERATURE


Probe = LinearProbe | CentroidProbe


def probe_tensors(probe: Probe) -> dict[str, torch.Tensor]:
    """All that there is to a probe, by name, for a file."""
    if isinstance(probe, LinearProbe):
        numbers = [probe.bias, probe.visibility.usual, probe.visibility.share]
        return {"probe.weight": probe.weight, "probe.numbers": torch.tensor(numbers, dtype=torch.float64)}
    return {"probe.background": probe.background, "probe.foreground": probe.foreground}


def probe_from(tensors: Mapping[str, torch.Tensor]) -> Probe:
    """The probe whose `probe_tensors` these are; other names are passed over.

    Raises:
        KeyError: one is missing.
    """
    if "probe.weight" in tensors:
        bias, usual, share = tensors["probe.numbers"].tolist()
        return LinearProbe(tensors["probe.weight"], bias, Visibility(usual, share))
    return CentroidProbe(tensors["probe.background"], tensors["probe.foreground"])

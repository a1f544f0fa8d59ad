"""Every setting with its default and its help text: written once, here. The command line is made from this file.

The string under a field is its help text. Values are checked at birth; a wrong one raises `SettingsError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import SettingsError

Facet = Literal["key", "query", "value", "token"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]
Decoder = Literal["auto", "decord", "pyav"]
Foreground = Literal["consensus", "vote"]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingsError(message)


@dataclass(frozen=True)
class SourceSettings:
    """Which frames are read, and how."""

    decoder: Decoder = "auto"
    """auto: decord where it proves right on this file, else PyAV."""
    start: str | None = None
    """Skip frames before this time: seconds (2.5) or h:mm:ss.s."""
    end: str | None = None
    """Stop at this time: frames presented at or after it are left out."""
    every: int = 1
    """Take every n-th frame only."""
    fps: float = 25.0
    """Frames a second of a folder of frames; a video knows its own."""
    timeout: float = 60.0
    """Seconds after which a decoder that gives no frame is stopped."""

    def __post_init__(self) -> None:
        _require(self.every >= 1, f"--every must be at least 1, got {self.every}")
        _require(0 < self.fps <= 1000, f"--fps must be between 0 and 1000, got {self.fps}")
        _require(self.timeout > 0, f"--timeout must be positive, got {self.timeout}")


@dataclass(frozen=True)
class ExtractorSettings:
    """What is computed from a frame. A part model fits only the extractor settings that it was made with."""

    model: str = "dinov2_vits14"
    """A ViT of the DINO family: dino_vits8, dino_vitb16, dinov2_vits14, dinov2_vitb14_reg, dinov3_vits16, ..., or
    its name in timm."""
    layer: int = -1
    """Block whose descriptors are taken, from 0; negative counts from the last."""
    facet: Facet = "key"
    """What of that block describes a patch."""
    stride: int | None = None
    """Pixels between patches: divides the patch size; smaller is finer and slower. Default: the patch size."""
    load_size: int = 336
    """Short side in pixels to which a frame is resized for the ViT."""
    binned: bool = False
    """Join each descriptor with its surroundings (log-binning, 17 bins)."""

    def __post_init__(self) -> None:
        _require(self.load_size >= 1, f"--load-size must be positive, got {self.load_size}")
        _require(self.stride is None or self.stride >= 1, f"--stride must be positive, got {self.stride}")


@dataclass(frozen=True)
class ComputeSettings:
    """Where the weights come from and what computes. None of it is part of a part model."""

    weights: Path | None = None
    """A .safetensors or .pth file, in timm's or the original DINO naming, instead of the model's own weights."""
    offline: bool = False
    """Never touch the network."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, ..."""
    precision: Precision = "auto"
    """auto: fp16 on CUDA, bf16 on a CPU that computes it natively, else fp32."""
    batch_size: int | None = None
    """Frames that are worked on together. Default: 16 on CUDA; 1 on a CPU, where each core has its own."""

    def __post_init__(self) -> None:
        _require(
            self.batch_size is None or self.batch_size >= 1, f"--batch-size must be positive, got {self.batch_size}"
        )


@dataclass(frozen=True)
class FitSettings:
    """How one part model is learned from sampled frames (paper, sections 3 and 4)."""

    parts: int = 4
    """Parts of the foreground."""
    frames: int = 24
    """Frames sampled evenly over all inputs together."""
    descriptors: int = 60_000
    """Descriptors kept for clustering, drawn evenly from those frames."""
    seed: int = 0
    """Seed of the drawing and of k-means."""
    foreground: Foreground = "consensus"
    """How the object is found: the paper's vote of the frames for salient clusters, or that vote taken over several
    clusterings."""
    votes: float | None = None
    """Share of the frames' votes that a cluster needs to be foreground. Unset: 0.75 for vote, as in the paper; 0.5
    for consensus."""
    threshold: float | None = None
    """Mean saliency, 0 to 1, above which a frame votes for a cluster. Unset: 0.065 for vote, as in the paper; 0.05
    for consensus."""
    elbow: float = 0.975
    """vote takes more clusters while the mean distance falls below this share of the last one."""

    def __post_init__(self) -> None:
        _require(1 <= self.parts <= 64, f"--parts must be 1 to 64, got {self.parts}")
        _require(self.frames >= 1, f"--frames must be at least 1, got {self.frames}")
        _require(self.descriptors >= 100, f"--descriptors must be at least 100, got {self.descriptors}")
        _require(0 < self.elbow < 1, f"--elbow must lie between 0 and 1, got {self.elbow}")
        _require(self.votes is None or 0 < self.votes <= 1, f"--votes must lie between 0 and 1, got {self.votes}")
        _require(self.seed >= 0, f"--seed must not be negative, got {self.seed}")


@dataclass(frozen=True)
class OverlaySettings:
    """How the overlay video looks and is encoded."""

    alpha: float = 0.55
    """Opacity of the part colours, 0 to 1."""
    outline: int = 1
    """Width in pixels of a line around each part; 0: none."""
    side_by_side: bool = False
    """The original on the left, the parts on a checkerboard on the right."""
    codec: str | None = None
    """FFmpeg's name of an encoder. Default: libx264; libvpx-vp9 for .webm."""
    quality: int | None = None
    """Constant quality of the encoder (CRF): lower is better and larger. Default: 18 for libx264, 30 for
    libvpx-vp9."""
    speed: str | None = None
    """Preset of the encoder, as FFmpeg names them (libx264: ultrafast to veryslow). Default: veryfast."""
    audio: bool = True
    """Keep the sound."""

    def __post_init__(self) -> None:
        _require(0 <= self.alpha <= 1, f"--alpha must lie between 0 and 1, got {self.alpha}")
        _require(0 <= self.outline <= 64, f"--outline must be 0 to 64 pixels, got {self.outline}")


@dataclass(frozen=True)
class RefineSettings:
    """How patch scores become pixel labels."""

    radius: int = 4
    """Radius of the guided filter, in pixels of its working size. 0: plain bilinear upsampling."""
    eps: float = 1e-4
    """Regularisation of the guided filter: smaller follows weaker edges. Colours run from 0 to 1."""

    def __post_init__(self) -> None:
        _require(0 <= self.radius <= 64, f"--radius must be 0 to 64, got {self.radius}")
        _require(self.eps > 0, f"--eps must be positive, got {self.eps}")

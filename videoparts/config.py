"""Every setting with its default and its help text: written once, here. The command line is made from this file.

The string under a field is its help text. Values are checked at birth; a wrong one raises `SettingsError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Literal

from .checked_fields import check_fields, stated
from .errors import SettingsError

Facet = Literal["key", "query", "value", "token"]
Precision = Literal["auto", "quick", "fp32", "fp16", "bf16", "int8"]
Runtime = Literal["torch", "openvino"]
Decoder = Literal["auto", "decord", "pyav"]
Foreground = Literal["probe", "vote"]
Motion = Literal["auto", "off"]

MOST_PARTS = 16  # that an object is divided into

_DAY = 86_400  # seconds
_LEAST_EPS = 1e-9  # smaller ones, to the power of three, are nothing to float32
_TIME = "seconds (2.5) or h:mm:ss.s (0:01:02.5)"


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingsError(message)


@dataclass(frozen=True)
class SourceSettings:
    """Which frames are read, and how."""

    decoder: Decoder = "auto"
    """auto: decord where it proves right on this file, else PyAV."""
    start: str | None = stated(None, _TIME, Real)
    """Skip frames before this time: seconds (2.5) or h:mm:ss.s."""
    end: str | None = stated(None, _TIME, Real)
    """Stop at this time: frames presented at or after it are left out."""
    every: int = 1
    """Take every n-th frame only."""
    fps: float = 25.0
    """Frames a second of a folder of frames; a video knows its own."""
    timeout: float = 60.0
    """Seconds after which a decoder that gives no frame is stopped."""

    def __post_init__(self) -> None:
        check_fields(self)
        _require(self.every >= 1, f"--every must be at least 1, got {self.every}")
        _require(0 < self.fps <= 1000, f"--fps must be between 0 and 1000, got {self.fps}")
        _require(0 < self.timeout <= _DAY, f"--timeout must be above 0 and at most {_DAY} seconds, got {self.timeout}")


@dataclass(frozen=True)
class ExtractorSettings:
    """What is computed from a frame. A part model fits only the extractor settings that it was made with."""

    model: str = "dinov2_vits14"
    """A ViT of the DINO family: dino_vits8, dino_vitb16, dinov2_vits14, dinov2_vitb14_reg, dinov3_vits16, ..., or
    its name in timm."""
    layer: int | None = None
    """Block whose descriptors are taken, from 0; negative counts from the last. Default: at five sixths of the depth,
    which is 9 of 12."""
    facet: Facet = "key"
    """What of that block describes a patch."""
    stride: int | None = None
    """Pixels between patches: divides the patch size; smaller is finer and slower. Default: the patch size."""
    shifted: bool = False
    """See patches that overlap in turn, those that do not overlap among themselves, as in a frame that is shifted:
    quicker than all of them at once, as the paper does, and what the ViT knows. Nothing changes without --stride."""
    load_size: int = 448
    """Short side in pixels to which a frame is resized for the ViT."""
    binned: bool = False
    """Join each descriptor with its surroundings (log-binning, 17 bins)."""

    def __post_init__(self) -> None:
        check_fields(self)
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
    """auto: fp16 on CUDA, bf16 on a CPU that computes it natively, else fp32. int8, on a CPU: linear layers in 8 bits,
    all else as auto; quicker again, and labels of one or two pixels in a thousand differ. quick: int8 where the
    processor has instructions for it, else as auto."""
    runtime: Runtime = "torch"
    """What runs the ViT's blocks: torch, or openvino on a CPU, which takes less time. Each rounds in its own way:
    labels of one or two pixels in ten thousand differ."""
    batch_size: int | None = None
    """Frames that are worked on together. Default: 16 on CUDA; 1 on a CPU, where each core has its own."""

    def __post_init__(self) -> None:
        if type(self.device).__module__ == "torch":  # its own kind of device, told without loading it
            object.__setattr__(self, "device", str(self.device))
        check_fields(self)
        _require(
            self.batch_size is None or self.batch_size >= 1, f"--batch-size must be positive, got {self.batch_size}"
        )


@dataclass(frozen=True)
class FitSettings:
    """How one part model is learned from sampled frames (paper, sections 3 and 4)."""

    parts: int | Literal["auto"] = stated(4, f"1 to {MOST_PARTS} or auto")
    """Parts of the object, 1 to 16; auto: as many as the clip has reason for."""
    frames: int = 16
    """Frames sampled evenly over all inputs together; of each of several inputs, 4 at least."""
    descriptors: int = 60_000
    """Patches kept for learning, drawn evenly from those frames."""
    seed: int = 0
    """Of the patches that vote draws where there are too many, for vote. The probe needs no random numbers."""
    foreground: Foreground = "probe"
    """How the object is found: by a probe that the clip teaches itself, or by the paper's vote of the frames for
    salient clusters."""
    motion: Motion = "auto"
    """auto: what moves by itself is the object, where frames follow each other; off: looks alone."""
    afar: bool = True
    """Look at an object that fills much of the frame from twice as far too, for probe: in a close-up, the ViT sees
    details instead of the whole."""
    object: str | None = stated(None, "text such as 320,180@1.5")
    """Where the object is: x,y@time, a point in pixels of the frame at that time, as in 320,180@1.5. Without a time:
    of the first frame."""
    box: str | None = stated(None, "text such as 300,160,340,200@1.5")
    """A box around the object: x0,y0,x1,y1@time, in pixels of the frame at that time, or of the first."""
    votes: float | None = None
    """Share of the frames' votes that a cluster needs to be foreground, for vote. Unset: 0.75, as in the paper."""
    threshold: float | None = None
    """Mean saliency, 0 to 1, above which a frame votes for a cluster, for vote. Unset: 0.065, as in the paper."""
    elbow: float = 0.975
    """vote takes more clusters while the mean distance falls below this share of the last one."""

    def __post_init__(self) -> None:
        check_fields(self)
        _require(
            self.parts == "auto" or 1 <= self.parts <= MOST_PARTS,
            f"--parts must be 1 to {MOST_PARTS} or auto, got {self.parts!r}",
        )
        _require(self.frames >= 1, f"--frames must be at least 1, got {self.frames}")
        _require(self.descriptors >= 100, f"--descriptors must be at least 100, got {self.descriptors}")
        _require(0 < self.elbow < 1, f"--elbow must lie between 0 and 1, got {self.elbow}")
        _require(self.votes is None or 0 < self.votes <= 1, f"--votes must lie between 0 and 1, got {self.votes}")
        _require(self.seed >= 0, f"--seed must not be negative, got {self.seed}")
        _require(self.object is None or self.box is None, "give --object or --box, not both")
        marked = self.object is not None or self.box is not None
        _require(not marked or self.foreground == "probe", "--object and --box need --foreground probe")


@dataclass(frozen=True)
class OverlaySettings:
    """How the overlay video looks and is encoded."""

    alpha: float = 0.55
    """Opacity of the part colours, 0 to 1."""
    outline: int = 1
    """Width in pixels of a line around each part, up to 64; 0: none."""
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
        check_fields(self)
        _require(0 <= self.alpha <= 1, f"--alpha must lie between 0 and 1, got {self.alpha}")
        _require(0 <= self.outline <= 64, f"--outline must be 0 to 64 pixels, got {self.outline}")


@dataclass(frozen=True)
class RefineSettings:
    """How patch scores become pixel labels."""

    radius: int = 3
    """Radius of the guided filter, up to 64, in pixels of the small picture that it works on: it has 120 of them on the
    short side, but 2.5 to 5 for each patch. 0: plain bilinear upsampling."""
    eps: float = 2e-5
    """Regularisation of the guided filter: smaller follows weaker edges. Colours run from 0 to 1."""
    steps: int = 5
    """Rounds in which pixels of a colour agree whether they are the object, up to 100. 0: the guided filter alone."""
    keys: int = 2
    """Every so many frames, up to 64, the ViT sees one, and those between that cannot be told from it. The scores of
    the others are carried to them along the optical flow. 1: it sees every frame, and so it does with 2 on a GPU, which
    sees many at a time."""
    tolerance: float = 0.3
    """Share of the object, 0 to 1, that two frames which the ViT sees may tell differently of a frame between them:
    where they differ more, it sees one more frame between."""
    window: int = 9
    """Frames averaged around each, along the optical flow, so that labels do not flicker: an odd number up to 31. For
    where the object ends, those near count most. 0: none."""
    specks: float = 0.015
    """Drop islands of the object that are smaller than this share of its largest piece in the frame, or nowhere as
    certain as that is; fill holes, and give crumbs of a part to the parts around, if two thirds as large. 0: keep
    them."""

    def __post_init__(self) -> None:
        check_fields(self)
        _require(0 <= self.radius <= 64, f"--radius must be 0 to 64, got {self.radius}")
        _require(self.eps >= _LEAST_EPS, f"--eps must be at least {_LEAST_EPS:g}, got {self.eps}")
        _require(0 <= self.steps <= 100, f"--steps must be 0 to 100, got {self.steps}")
        _require(1 <= self.keys <= 64, f"--keys must be 1 to 64, got {self.keys}")
        _require(0 <= self.tolerance <= 1, f"--tolerance must lie between 0 and 1, got {self.tolerance}")
        _require(
            0 <= self.window <= 31 and (self.window % 2 == 1 or self.window == 0),
            f"--window must be 0 or odd, as 3, 5 or 7, and at most 31, got {self.window}",
        )
        _require(0 <= self.specks <= 1, f"--specks must lie between 0 and 1, got {self.specks}")

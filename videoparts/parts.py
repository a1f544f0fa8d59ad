"""A part model: what was learned from the sampled frames, and is applied to every frame."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from .atomic import atomic_file
from .errors import ModelMismatchError, SettingsError
from .features import ExtractorIdentity, Features

Colour = tuple[int, int, int]

_FORMAT = "videoparts.part-model/1"
_TEMPERATURE = 0.05  # of the softmax over cosines: how fast a lead in cosine becomes certainty


@dataclass(frozen=True, repr=False)
class PartModel:
    """Centroids of the background and of the parts, and the extractor that they belong to.

    **Label 0 is background, labels 1..P are parts**, in the order of the rows of ``parts``.
    """

    background: torch.Tensor  # (B, D) float32, unit length; B may be 0
    parts: torch.Tensor  # (P, D) float32, unit length
    names: tuple[str, ...]  # (P,)
    colours: tuple[Colour, ...]  # (P,) red, green, blue
    identity: ExtractorIdentity

    def __post_init__(self) -> None:
        p = len(self.parts)
        if self.parts.ndim != 2 or self.background.ndim != 2 or self.parts.shape[1] != self.background.shape[1]:
            raise ValueError(
                f"centroids must be (B, D) and (P, D), got {tuple(self.background.shape)} and {tuple(self.parts.shape)}"
            )
        if not 1 <= p <= 255 or len(self.names) != p or len(self.colours) != p:
            raise ValueError(f"{p} parts need as many names and colours, got {len(self.names)} and {len(self.colours)}")

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return f"PartModel(parts={list(self.names)}, background={len(self.background)}, identity={self.identity})"

    def require(self, identity: ExtractorIdentity) -> None:
        """Check that an extractor is the one that made this model.

        Raises:
            ModelMismatchError: it is another; the message names each field that differs.
        """
        differences = [
            f"{field.name} {getattr(self.identity, field.name)!r}, not {getattr(identity, field.name)!r}"
            for field in fields(ExtractorIdentity)
            if getattr(self.identity, field.name) != getattr(identity, field.name)
        ]
        if differences:
            raise ModelMismatchError(
                f"this part model was made with {'; '.join(differences)}; use the same extractor, or fit a new model"
            )

    def score(self, features: Features) -> torch.Tensor:
        """Cosine of each patch to the background, where it is nearest, and to each part: (N, P + 1, h, w) float32."""
        parts = self.parts.to(features.descriptors)
        background = self.background.to(features.descriptors)
        to_parts = features.descriptors @ parts.T
        if len(background):
            to_background = (features.descriptors @ background.T).amax(-1, keepdim=True)
        else:
            to_background = torch.full_like(to_parts[..., :1], -1)
        return torch.cat([to_background, to_parts], dim=-1).permute(0, 3, 1, 2).contiguous()

    def probabilities(self, features: Features) -> torch.Tensor:
        """`score` as a distribution over background and parts: (N, P + 1, h, w) float32, 1 in sum over P + 1."""
        return (self.score(features) / _TEMPERATURE).softmax(1)

    def save(self, path: str | Path) -> None:
        """Write a ``.safetensors`` file: tensors, and the rest as JSON in its header. No pickle.

        Raises:
            SettingsError: the name does not end in ``.safetensors``.
            OutputError: the file cannot be written; nothing is left under its name.
        """
        path = check_model_path(path)
        about = {"names": self.names, "colours": self.colours, "extractor": asdict(self.identity)}
        tensors = {
            "background": self.background.detach().cpu().float().contiguous(),
            "parts": self.parts.detach().cpu().float().contiguous(),
        }
        # One key: safetensors writes several in an order that changes from run to run.
        content = safetensors.torch.save(tensors, {_FORMAT: json.dumps(about)})
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)

    @classmethod
    def load(cls, path: str | Path) -> PartModel:
        """Read what `save` wrote.

        Raises:
            SettingsError: there is no such file, or it is not a part model.
        """
        path = Path(path)
        if not path.is_file():
            raise SettingsError(f"{path}: no such part model; make one with: videoparts fit CLIP -o {path.name}")
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if _FORMAT not in metadata:
                    raise SettingsError(f"{path}: not a part model of this version; make one with: videoparts fit")
                about = json.loads(metadata[_FORMAT])
                return cls(
                    background=file.get_tensor("background"),
                    parts=file.get_tensor("parts"),
                    names=tuple(about["names"]),
                    colours=tuple((int(r), int(g), int(b)) for r, g, b in about["colours"]),
                    identity=ExtractorIdentity(**about["extractor"]),
                )
        except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise SettingsError(f"{path}: not a readable part model; make one with: videoparts fit") from error


def check_model_path(path: str | Path) -> Path:
    """The path, if a part model can have that name; to be asked before hours of work, not after.

    Raises:
        SettingsError: the name does not end in ``.safetensors``, or is a folder's.
    """
    path = Path(path)
    if path.suffix != ".safetensors" or path.is_dir():
        raise SettingsError(f"{path}: a part model is a .safetensors file; name it so, as in cat.safetensors")
    return path

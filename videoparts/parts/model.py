"""A part model: what was learned from the sampled frames, and is applied to every frame."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

import safetensors
import safetensors.torch
import torch

from ..errors import ModelMismatchError, SettingsError
from ..features import Features
from ..files.atomic import AtomicFile, atomic_file
from ..foreground.probe import Probe, probe_from, probe_tensors
from ..identity import ExtractorIdentity
from ..painting.palette import part_colour
from ..sigmoid import sigmoid
from .space import PartSpace, space_from, space_tensors
from .tree import PartTree, tree_from, tree_tensors

Colour = tuple[int, int, int]

_FORMAT = "videoparts.part-model/6"
_FAMILY = "videoparts.part-model/"


@dataclass(frozen=True, eq=False, repr=False)
class PartModel:
    """Where the object is, what its parts are, and the extractor that both belong to.

    **Label 0 is background, labels 1..P are parts**, in the order of `PartTree.cut`: by area, then position. A
    hidden part keeps its number and goes to the background.
    """

    probe: Probe  # tells the object from the background
    space: PartSpace  # what parts are told by
    tree: PartTree  # tells its parts from each other, at any level
    parts: int  # P, the level that is shown
    names: tuple[str, ...]  # (P,)
    colours: tuple[Colour, ...]  # (P,) red, green, blue
    identity: ExtractorIdentity
    hidden: frozenset[int] = frozenset()  # numbers of parts

    def __post_init__(self) -> None:
        p = self.parts
        if not 1 <= p <= min(255, self.tree.most):
            raise ValueError(f"the tree has 1 to {min(255, self.tree.most)} parts, not {p}")
        if len(self.names) != p or len(self.colours) != p:
            raise ValueError(f"{p} parts need as many names and colours, got {len(self.names)} and {len(self.colours)}")
        if not self.hidden < set(range(1, p + 1)):
            raise ValueError(f"some of the parts 1 to {p} can be hidden, not {sorted(self.hidden)}")

    @classmethod
    def of(
        cls,
        probe: Probe,
        space: PartSpace,
        tree: PartTree,
        parts: int | Literal["auto"],
        identity: ExtractorIdentity,
    ) -> PartModel:
        """A model with the usual names and colours.

        Args:
            probe: tells the object from the background.
            space: what its parts are told by.
            tree: tells them from each other.
            parts: how many; auto: `PartTree.sensible`.
            identity: of the extractor.

        Raises:
            SettingsError: the tree has not so many parts.
        """
        if parts == "auto":
            parts = tree.sensible()
        numbers = range(1, len(tree.cut(parts)) + 1)
        names, colours = tuple(f"part{k}" for k in numbers), tuple(part_colour(k) for k in numbers)
        return cls(probe, space, tree, parts, names, colours, identity)

    def __len__(self) -> int:
        return self.parts

    def __repr__(self) -> str:
        hidden = f", hidden={sorted(self.hidden)}" if self.hidden else ""
        return (
            f"PartModel(parts={list(self.names)} of at most {self.tree.most}{hidden}, probe={self.probe}, "
            f"identity={self.identity})"
        )

    def at(self, parts: int | Literal["auto"]) -> PartModel:
        """The same object in more or fewer parts, all shown, with the usual names and colours.

        Nothing is fitted again. The parts of a finer level divide those of a coarser one; their numbers are their own.

        Raises:
            SettingsError: the model is not so fine.
        """
        return PartModel.of(self.probe, self.space, self.tree, parts, self.identity)

    def finer(self, parts: int) -> PartModel:
        """`at` as many parts or more, where what lies in a hidden part is hidden too.

        `PartTree.coarser` tells which part of this model each of those lies in.

        Raises:
            SettingsError: the model is not so fine.
            ValueError: that would be coarser.
        """
        within = self.tree.coarser(parts, self.parts)
        hidden = frozenset(k for k, part in enumerate(within, start=1) if part in self.hidden)
        return self if parts == self.parts else replace(self.at(parts), hidden=hidden)

    def select(self, include: Sequence[int] = (), exclude: Sequence[int] = ()) -> PartModel:
        """The model with some parts only; their numbers, names and colours stay what they are.

        Args:
            include: numbers of the parts to show, hidden before or not.
            exclude: numbers of the parts to hide, beside those that are.

        Raises:
            SettingsError: there is no such part, none is left, or both are given.
        """
        return replace(self, hidden=hidden_parts(self.parts, include, exclude, self.hidden))

    def on(self, device: torch.device) -> PartModel:
        """The same with its tensors on a device, so that `probabilities` copies nothing there."""
        return replace(self, probe=self.probe.on(device), space=self.space.on(device), tree=self.tree.on(device))

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

    def probabilities(self, features: Features) -> torch.Tensor:
        """How likely each patch is background and each part: (N, P + 1, h, w) float32, 1 in sum over P + 1.

        The parts share what the probe gives the object. What hidden parts have is background.

        Raises:
            ValueError: the features have no tokens.
        """
        if features.tokens is None:
            raise ValueError("parts are told by tokens too, and the features were extracted without them")
        whole = sigmoid(self.probe.odds(features))
        looks = self.space.looks(features.descriptors, features.tokens)
        parts = whole[..., None] * self.tree.chances(looks, self.parts)
        if self.hidden:
            parts[..., [k - 1 for k in sorted(self.hidden)]] = 0
        background = (1 - parts.sum(-1, keepdim=True)).clamp(min=0)
        return torch.cat([background, parts], dim=-1).permute(0, 3, 1, 2).contiguous()

    def save(self, path: str | Path) -> None:
        """Write a ``.safetensors`` file: tensors, and the rest as JSON in its header. No pickle.

        Raises:
            SettingsError: the name does not end in ``.safetensors``.
            OutputError: the file cannot be written; nothing is left under its name.
        """
        path = check_model_path(path)
        about = {
            "parts": self.parts,
            "names": self.names,
            "colours": self.colours,
            "hidden": sorted(self.hidden),
            "things": self.space.things,
            "extractor": asdict(self.identity),
        }
        tensors = probe_tensors(self.probe) | space_tensors(self.space) | tree_tensors(self.tree)
        tensors = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
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
                about = json.loads(_about(path, file.metadata() or {}))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls(
                probe=probe_from(tensors),
                space=space_from(about["things"], tensors),
                tree=tree_from(tensors),
                parts=int(about["parts"]),
                names=tuple(about["names"]),
                colours=tuple((int(r), int(g), int(b)) for r, g, b in about["colours"]),
                identity=ExtractorIdentity(**about["extractor"]),
                hidden=frozenset(int(k) for k in about["hidden"]),
            )
        except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise SettingsError(f"{path}: not a readable part model; make one with: videoparts fit") from error


def hidden_parts(
    parts: int, include: Sequence[int], exclude: Sequence[int], hidden: frozenset[int] = frozenset()
) -> frozenset[int]:
    """The parts that are hidden, of so many, once `PartModel.select` has been told what to show.

    To be asked before a model is fitted, where the number of its parts is known.

    Raises:
        SettingsError: there is no such part, none is left, or both are given.
    """
    if include and exclude:
        raise SettingsError("name the parts to include or those to exclude, not both")
    everything = frozenset(range(1, parts + 1))
    if unknown := sorted({*include, *exclude} - everything):
        raise SettingsError(f"there is no part {_listed(unknown)}; this model has parts 1 to {parts}")
    hidden = everything - set(include) if include else hidden | set(exclude)
    if hidden == everything:
        raise SettingsError(f"excluding {_listed(sorted(set(exclude)))} leaves no part")
    return hidden


def _about(path: Path, metadata: dict[str, str]) -> str:
    """The JSON in the header of a part model."""
    if _FORMAT in metadata:
        return metadata[_FORMAT]
    if any(key.startswith(_FAMILY) for key in metadata):
        raise SettingsError(f"{path}: a part model of another version of videoparts; fit again with: videoparts fit")
    raise SettingsError(f"{path}: not a part model; make one with: videoparts fit")


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(k) for k in numbers)


def check_model_path(path: str | Path) -> Path:
    """The path, if a part model can be written there; to be asked before hours of work, not after.

    Raises:
        SettingsError: the name does not end in ``.safetensors``, or is a folder's.
        OutputError: nothing can be written there.
    """
    path = Path(path)
    if path.suffix != ".safetensors" or path.is_dir():
        raise SettingsError(f"{path}: a part model is a .safetensors file; name it so, as in cat.safetensors")
    AtomicFile(path)  # refuses what it could not write
    return path

"""The object's patches as parts are made of them, and whether they are enough."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ..clustering import Floats
from ..config import FitSettings
from ..errors import FitError
from ..sampling.sample import Sample
from .space import PartSpace, Things, joined_descriptors
from .tree import PartTree

_LEAST = 16  # patches that an object must have
_INNER = 3  # power of the mean certainty around a patch

Patches = tuple[Floats, Floats, npt.NDArray[np.int64], Floats]
"""What `part_tree` takes of the object's patches: descriptors, place, frame and weight."""


def patches_of(things: Things, sample: Sample, certainty: Floats) -> tuple[PartSpace, Patches]:
    """The patches of a sample that are on the object, and the space in which its parts are told.

    Args:
        things: what the frames of the sample show.
        sample: their patches.
        certainty: (n,) how certain those are on the object; 0: off it.
    """
    inside = certainty > 0
    tensors = torch.from_numpy(sample.descriptors_of(inside)), torch.from_numpy(sample.tokens[inside])
    joined, frame = joined_descriptors(things, *tensors), sample.frame[inside]
    weight = weight_of(sample.maps(certainty))[inside]
    space = PartSpace.of(things, joined, frame, weight)
    return space, (space.shortened(joined).numpy(), sample.place[inside], frame, weight)


def require_object(inside: npt.NDArray[np.bool_], sample: Sample, settings: FitSettings) -> None:
    """Raise FitError where so few patches (n,) are on the object that no parts can be told."""
    least = _LEAST if settings.parts == "auto" else max(_LEAST, settings.parts)
    if inside.sum() < least:
        raise FitError(
            f"the object covers {inside.sum()} patches of {len(sample.frames)} frames, too few for parts; "
            "lower --parts, or see more with a larger --load-size or more --frames"
        )


def require_parts(tree: PartTree, settings: FitSettings) -> None:
    """Raise FitError where a tree has not so many parts as the settings want."""
    if settings.parts != "auto" and tree.most < settings.parts:
        raise FitError(f"the object has {tree.most} different parts at most, not {settings.parts}; lower --parts")


def thinned_by(sample: Sample, inside: npt.NDArray[np.bool_]) -> float:
    """How many patches of a clip's own sample each that is ``inside`` (n,) stands for, on average."""
    steps = np.array([frame.step for frame in sample.frames], dtype=np.float64)
    return float((steps[sample.frame[inside]] ** 2).mean())


def weight_of(certainty: Sequence[Floats]) -> Floats:
    """How much each patch of some maps (h, w) counts for the parts, (n,): those at the object's edge, half background,
    least.

    A few more or less of them would otherwise be a part of their own, or not.
    """
    around = [cv2.blur(one, (3, 3), borderType=cv2.BORDER_REPLICATE).ravel() for one in certainty]
    whole = np.concatenate([one.ravel() for one in certainty])
    return np.asarray(whole * np.concatenate(around) ** _INNER, dtype=np.float32)

"""Part co-segmentation of pictures: what they have in common, and the parts of it (paper, section 4).

Pictures of a set show many things of one kind. Unlike clips, which teach worse together than each alone, they are
taken together from the start: what is salient in one of them and lies apart in another is found by its looks in all.
Their parts look different in each, and are told by what they mean: see `parts.descriptors`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from ..cache import FeatureCache
from ..clock import StageClock
from ..clustering import Floats
from ..config import FitSettings
from ..devices import on_all_cores
from ..errors import FitError
from ..features import Extractor, Features
from ..foreground.evidence import Cues
from ..foreground.finding import find_foreground
from ..foreground.probe import Probe
from ..frames import FrameBatch
from ..one_thread import one_thread
from ..parts.model import PartModel
from ..parts.object_patches import Patches, patches_of, require_object, require_parts, thinned_by, weight_of
from ..parts.space import PartSpace
from ..parts.tree import PartTree, part_tree
from ..sampling.sample import Sample, every, thinning
from ..sampling.sampler import Sampler
from ..sources.base import Source
from .views import PER_PICTURE, View, views_of

_COMMON = 0.75  # of the pictures have a part that is common: the share of the paper's votes
_PRESENT = 0.02  # of the object in a picture: of a part with less, the picture has nothing


def fit_pictures(
    pictures: Source,
    extractor: Extractor,
    settings: FitSettings | None = None,
    *,
    views: bool = False,
    common: bool = False,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
    on_pictures: Callable[[int], None] | None = None,
) -> PartModel:
    """Find what pictures have in common, and its parts.

    Memory does not grow with the number of pictures: so many of them as the settings say are looked at, evenly spread,
    and so many of their patches kept.

    Args:
        pictures: two or more, of any sizes; see `PictureSource`.
        extractor: makes the descriptors; the model is bound to it.
        settings: parts, frames (pictures, that is), how the object is found. Motion there is none.
        views: whether crops and mirror images join in learning the parts. Where the object is, they do not decide.
        common: whether parts are learned anew from those that most pictures have. What else there is of the object,
            such as the horns of one animal among many, belongs to the likest of these; the paper gives it to the
            background, and with it whole heads that look different.
        cache: keeps the pictures' features, for `segment`.
        clock: counts the time of each stage.
        on_pictures: called with the number of pictures, and of their views, that each step has added.

    Returns:
        The model; its parts are in the order of their area, largest first.

    Raises:
        FitError: there is no object in common, or too little of it for so many parts.
        SourceError: a picture cannot be decoded.
    """
    settings = replace(settings or FitSettings(), motion="off", afar=False)
    clock = clock or StageClock()
    count = min(settings.frames, len(pictures.selected))
    drawn = Sampler(extractor, settings, cache, clock, on_pictures).draw(pictures, settings.frames, 0)
    if not drawn.frames:
        raise FitError(f"{drawn.path}: holds no picture to learn from")
    if drawn.plain:
        raise FitError(f"{drawn.path}: every picture is of one colour, there is no object; give others")
    sample = Sample(drawn.frames)
    with clock.stage("cluster"), one_thread():
        found = find_foreground(sample, settings, Cues(motion=False))
        require_object(found.mask, sample, settings)
        space, of_sample = patches_of("many", sample, found.certainty)
    patches = [of_sample]
    if views:
        most = max(1, settings.descriptors // (count * PER_PICTURE))
        patches += _seen(pictures.sample(count, 1), extractor, found.probe, space, most, clock, on_pictures)
    with clock.stage("cluster"), one_thread():
        looks, place, frame, weight = (np.concatenate(column) for column in zip(*patches, strict=True))
        tree = part_tree(looks, place, frame, weight)
        if common:
            enough = _COMMON if settings.votes is None else settings.votes
            kept = common_parts(tree, patches[0], enough)[part_of(tree, looks)]
            tree = part_tree(looks[kept], place[kept], frame[kept], weight[kept]) if kept.any() else tree
        mine = found.mask  # of the pictures alone, views left out
        tree = replace(tree, extent=len(patches[0][0]) / len(np.unique(sample.frame[mine])) * thinned_by(sample, mine))
    require_parts(tree, settings)
    return PartModel.of(found.probe, space, tree, settings.parts, extractor.identity)


def common_parts(tree: PartTree, patches: Patches, enough: float) -> npt.NDArray[np.bool_]:
    """Which parts of a tree, cut into as many as are sensible, most pictures have.

    Args:
        tree: of the object.
        patches: of the object in the pictures.
        enough: share of the pictures that have a part that is common.

    Returns:
        (parts,) in the order of `PartTree.cut`.
    """
    looks, _, picture, _ = patches
    level = tree.sensible()
    picture = np.unique(picture, return_inverse=True)[1]
    count = np.bincount(picture * level + part_of(tree, looks), minlength=(picture.max() + 1) * level)
    count = count.reshape(-1, level)
    has = count > _PRESENT * count.sum(axis=1, keepdims=True)
    return np.asarray(has.sum(axis=0) >= math.ceil(enough * len(count)))


def part_of(tree: PartTree, looks: Floats) -> npt.NDArray[np.int64]:
    """The part, from 0, of each of some patches (n, D), where a tree is cut into as many as are sensible."""
    return np.asarray(tree.chances(torch.from_numpy(looks), tree.sensible()).argmax(-1).numpy())


def _seen(
    pictures: Iterator[FrameBatch],
    extractor: Extractor,
    probe: Probe,
    space: PartSpace,
    most: int,
    clock: StageClock,
    on_pictures: Callable[[int], None] | None,
) -> Iterator[Patches]:
    """The object's patches in all views of the pictures, about ``most`` of each."""

    def shown() -> Iterator[tuple[View, float]]:
        for batch in pictures:
            height, width = batch.size
            for view in views_of(batch.pixels[0]):
                yield view, height / width

    @torch.inference_mode()
    def look(item: tuple[View, float]) -> tuple[View, float, Features, Floats]:
        view, aspect = item
        with clock.stage("vit"):
            features = extractor.extract(view.pixels[None], tokens=True)
            # The lead of the object's odds over the background's, as it is for the pictures themselves.
            lead = (probe.odds(features)[0] / 2).tanh().clamp(min=0)
        return view, aspect, features, np.asarray(lead.float().cpu().numpy())

    with closing(on_all_cores(look, shown(), extractor.device)) as looked:
        for number, (view, aspect, features, lead) in enumerate(looked):
            h, w = lead.shape
            thin = np.s_[every(h, thinning((h, w), most)), every(w, thinning((h, w), most))]
            certainty = np.ascontiguousarray(lead[thin])
            inside = certainty.ravel() > 0
            assert features.tokens is not None
            of_object = [
                one[0][thin].flatten(0, 1)[torch.from_numpy(inside)].float().cpu()
                for one in (features.descriptors, features.tokens)
            ]
            yield (
                space.looks(*of_object).numpy(),
                view.places(h, w, aspect).reshape(h, w, 2)[thin].reshape(-1, 2)[inside],
                np.full(int(inside.sum()), -1 - number, np.int64),
                weight_of([certainty])[inside],
            )
            if on_pictures is not None:
                on_pictures(1)

"""Pass 1: learn the object and its parts from frames sampled over one clip or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from .cache import FeatureCache
from .clock import StageClock
from .clustering import Floats
from .config import FitSettings
from .devices import on_all_cores
from .errors import FitError
from .evidence import Cues
from .features import Extractor, Features
from .flow import Flow
from .foreground import find_foreground
from .frames import Pixels
from .hierarchy import part_tree
from .motion import flows_around
from .part_descriptors import part_descriptors
from .parts import PartModel
from .saliency import object_heads, saliency, smooth_saliency
from .sample import FrameSample, Sample
from .seeds import Seed, parse_box, parse_object
from .sources.around import Neighbourhood
from .sources.base import Source
from .stream import prefetch

_LEAST = 16  # patches that an object must have
_INNER = 3  # power of the mean certainty around a patch
_LOOKED_AT = 64  # rows or columns at least, to see whether a frame is of one colour
_PLAIN = 2.0  # levels of 255 by which the pixels of a frame of one colour differ, as their standard deviation


def fit_parts(
    sources: Source | Sequence[Source],
    extractor: Extractor,
    settings: FitSettings | None = None,
    *,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
    on_frames: Callable[[int], None] | None = None,
    cues: Cues | None = None,
) -> PartModel:
    """Find the object in sampled frames, and the parts that it has in all of them (paper, section 4).

    All patches are learned from together, so that a label means the same in every frame of every source.

    Args:
        sources: one clip or several; the frames of the settings are shared out evenly between them.
        extractor: makes the descriptors; the model is bound to it.
        settings: parts, frames, seed, how the object is found.
        cache: keeps the sampled frames' features, for `segment`.
        clock: counts the time of each stage.
        on_frames: called with the number of frames that each step has added.
        cues: what counts as evidence of the object; for experiments.

    Returns:
        The model; its parts are in the order of their area, largest first.

    Raises:
        FitError: too little of an object for so many parts.
        SettingsError: the point or the box of the settings lies outside the first source.
        SourceError: a source cannot be decoded, or has no frame at the time of the point or the box.
    """
    settings = settings or FitSettings()
    clock = clock or StageClock()
    sources = list(sources) if isinstance(sources, Sequence) else [sources]
    if not sources:
        raise FitError("nothing to fit: give at least one clip or folder of frames")
    sample = _sample(sources, extractor, settings, cache, clock, on_frames)
    with clock.stage("cluster"):
        foreground = find_foreground(sample, settings, cues)
        inside = foreground.mask
        least = _LEAST if settings.parts == "auto" else max(_LEAST, settings.parts)
        if inside.sum() < least:
            raise FitError(
                f"the object covers {inside.sum()} patches of {len(sample.frames)} frames, too few for parts; "
                "lower --parts, or see more with a larger --load-size or more --frames"
            )
        looks = part_descriptors(
            torch.from_numpy(sample.descriptors[inside]), torch.from_numpy(sample.tokens[inside])
        ).numpy()
        weight = _weight(sample, foreground.certainty)
        tree = part_tree(looks, sample.place[inside], sample.frame[inside], weight[inside])
    if settings.parts != "auto" and tree.most < settings.parts:
        raise FitError(f"the object has {tree.most} different parts at most, not {settings.parts}; lower --parts")
    return PartModel.of(foreground.probe, tree, settings.parts, extractor.identity)


def _sample(
    sources: Sequence[Source],
    extractor: Extractor,
    settings: FitSettings,
    cache: FeatureCache | None,
    clock: StageClock,
    on_frames: Callable[[int], None] | None,
) -> Sample:
    """Look at evenly spread frames. What is kept does not grow with the clips' length, nor with their number."""
    shares = _shares(settings.frames, len(sources))
    most = max(1, settings.descriptors // sum(shares))
    seen: list[_Seen] = []
    plain = True
    seed = _seed(settings)
    if seed is not None:
        seed.require_inside(sources[0].info)
    for number, (source, count) in enumerate(zip(sources, shares, strict=True)):
        at = seed.seconds if seed is not None and number == 0 else None
        for neighbourhood, features, flows in _extracted(source, count, at, extractor, settings, clock):
            index = int(neighbourhood.frame.index[0])
            if cache is not None:
                cache.put(source.info.path, index, features)
            height, width = neighbourhood.frame.size
            plain = plain and _is_plain(neighbourhood.frame.pixels[0])
            one = _Seen.of(features, flows, height / width, most)
            if seed is not None and neighbourhood.marked:
                h, w = one.attention.shape[1:]
                one = replace(one, seed=seed.patches((h, w), (height, width)))
            seen.append(one)
            if on_frames is not None:
                on_frames(1)
    if not seen:
        raise FitError(f"{sources[0].info.path}: gave no frame to fit; check --start, --end and --every")
    if plain:
        raise FitError(
            f"{sources[0].info.path}: every sampled frame is of one colour, there is no object; check --start and --end"
        )
    if seed is not None and all(one.seed is None for one in seen):
        raise FitError(
            f"{sources[0].info.path}: the frame at {seed.seconds:g} seconds, where --object or --box marks the object, "
            "cannot be decoded; mark it in another"
        )
    with clock.stage("cluster"):
        heads = _heads(seen)
        return Sample([one.sample(heads) for one in seen])


def _extracted(
    source: Source,
    count: int,
    at: float | None,
    extractor: Extractor,
    settings: FitSettings,
    clock: StageClock,
) -> Iterator[tuple[Neighbourhood, Features, list[Flow]]]:
    """Sampled frames, with their features and their flow to the frames around."""
    motion = settings.motion == "auto" and settings.foreground == "probe"

    def extract(neighbourhood: Neighbourhood) -> tuple[Neighbourhood, Features, list[Flow]]:
        flows: list[Flow] = []
        if motion:
            with clock.stage("flow"):
                flows = flows_around(neighbourhood)
        with clock.stage("vit"):
            return neighbourhood, extractor.extract(neighbourhood.frame.pixels, attention=True, tokens=True), flows

    around = prefetch(clock.timed("decode", source.sample_around(count, at, beside=motion)))
    with closing(around), closing(on_all_cores(extract, around, extractor.device)) as extracted:
        yield from extracted


@dataclass(frozen=True)
class _Seen:
    """What is kept of one sampled frame until the heads are chosen; on the CPU."""

    descriptors: torch.Tensor  # (h, w, D)
    tokens: torch.Tensor  # (h, w, D2)
    attention: torch.Tensor  # (heads, h, w)
    flows: list[Flow]
    aspect: float
    seed: npt.NDArray[np.bool_] | None = None  # (h, w): what the user has marked

    @classmethod
    def of(cls, features: Features, flows: list[Flow], aspect: float, most: int) -> _Seen:
        """Every other row and column of one frame's patches, or fewer, so that at most about ``most`` are left."""
        assert features.attention is not None
        assert features.tokens is not None
        _, h, w, _ = features.descriptors.shape
        step = max(1, int(np.ceil((h * w / most) ** 0.5)))
        some = slice(step // 2, None, step)
        # Made contiguous, so that of a frame whose patches are thinned no more is kept than these.
        return cls(
            features.descriptors[0, some, some].cpu().contiguous(),
            features.tokens[0, some, some].cpu().contiguous(),
            features.attention[0, :, some, some].cpu().contiguous(),
            flows,
            aspect,
        )

    def sample(self, heads: list[int]) -> FrameSample:
        """With the saliency of the given heads."""
        later = F.normalize(self.tokens[..., self.tokens.shape[-1] // 2 :], dim=-1)
        return FrameSample(
            descriptors=self.descriptors.numpy(),
            tokens=self.tokens.numpy(),
            saliency=smooth_saliency(self.attention[None], later[None], heads)[0].numpy(),
            paper_saliency=saliency(self.attention[None], heads)[0].numpy(),
            aspect=self.aspect,
            flows=self.flows,
            seed=self.seed,
        )


def _weight(sample: Sample, certainty: Floats) -> Floats:
    """How much each patch (n,) counts for the parts: those at the object's edge, half background, least.

    A few more or less of them, as with another seed, would otherwise be a part of their own, or not.
    """
    around = [cv2.blur(one, (3, 3), borderType=cv2.BORDER_REPLICATE).ravel() for one in sample.maps(certainty)]
    return np.asarray(certainty * np.concatenate(around) ** _INNER, dtype=np.float32)


def _is_plain(pixels: Pixels) -> bool:
    """Whether a frame (H, W, 3) is of one colour, to a look at every few pixels of it."""
    thin = max(1, min(pixels.shape[:2]) // _LOOKED_AT)
    return float(pixels[::thin, ::thin].std(axis=(0, 1), dtype=np.float32).max()) < _PLAIN


def _seed(settings: FitSettings) -> Seed | None:
    if settings.object is not None:
        return parse_object(settings.object)
    return None if settings.box is None else parse_box(settings.box)


def _heads(seen: Sequence[_Seen]) -> list[int]:
    """Attention heads, chosen where most frames are of one size: they belong to the model, not to the clip."""
    shapes = sorted({one.attention.shape for one in seen})
    groups = [torch.stack([one.attention for one in seen if one.attention.shape == shape]) for shape in shapes]
    return object_heads(max(groups, key=len))


def _shares(total: int, among: int) -> list[int]:
    """``total`` shared out evenly, at least 1 each.

    >>> _shares(8, 3)
    [3, 3, 2]
    """
    return [max(1, total // among + (k < total % among)) for k in range(among)]

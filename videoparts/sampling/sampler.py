"""Frames drawn from clips, one clip at a time, and what is kept of them within one budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ..cache import FeatureCache
from ..clock import StageClock
from ..config import FitSettings
from ..devices import cores_each, on_all_cores
from ..errors import FitError
from ..features import Extractor, Features
from ..flow.keyframes import interval
from ..frames import Pixels
from ..one_thread import each_on_one_thread, one_thread
from ..resize import resize
from ..sources.around import Neighbourhood
from ..sources.base import Source
from ..stream import mapped, prefetch
from .motion import Lumas, Motion, camera_moves, flows_around, of_flow
from .painted import painted
from .saliency import object_heads, saliency, smooth_saliency
from .sample import FrameSample, Sample, every, thinning
from .seeds import Seed, parse_box, parse_object
from .texture import plain

_OF_EACH = 4  # frames of each clip, where there are several: 2 are too few to tell what an object is
# Of the frames that are wished for, to have key frames only. With 0.5, J of `fast` on three clips of 40 frames is .07
# lower, of others the same; with 0.2, and so with four frames, that of ten clips of 20 to 25 frames is .017 lower.
_ENOUGH = 0.4
_FAR = 3  # frames from one key frame to the next, from where on a frame between them is much for the ViT to see
_LOOKED_AT = 64  # rows or columns at least, to see whether a frame is of one colour
_PLAIN = 2.0  # levels of 255 by which the pixels of a frame of one colour differ, as their standard deviation
_OFTEN = 0.25  # of the frames have a logo or subtitles, where there are such
_VECTORS = 4_000_000  # of flow that are kept of all frames of a clip together, 8 bytes each


def frames_to_sample(settings: FitSettings, clips: int) -> int:
    """How many frames a fit to so many clips looks at; fewer where clips are shorter than their share.

    >>> [frames_to_sample(FitSettings(frames=16), clips) for clips in (1, 2, 7, 300)]
    [16, 16, 28, 1200]
    """
    return settings.frames if clips == 1 else max(settings.frames, _OF_EACH * clips)


def shares(settings: FitSettings, clips: int) -> list[int]:
    """The same, shared out evenly between them.

    >>> shares(FitSettings(frames=16), 3)
    [6, 5, 5]
    """
    total = frames_to_sample(settings, clips)
    return [total // clips + (k < total % clips) for k in range(clips)]


@dataclass(frozen=True, repr=False)
class Drawn:
    """The sampled frames of one clip."""

    path: Path
    frames: list[FrameSample]
    plain: bool  # whether each of them is of one colour


@dataclass(frozen=True)
class Sampler:
    """Draws frames from clips, all in the same way.

    Args:
        extractor: makes the descriptors.
        settings: the patches to keep, whether motion is wanted, where the object is.
        cache: keeps the features of the frames.
        clock: counts the time of each stage.
        on_frames: called with the number of frames that each step has added.
        on_source: called with each clip when its frames have been drawn.
        keys: frames from one key frame to the next, as wished for: these are drawn, where they are few and yet enough.
    """

    extractor: Extractor
    settings: FitSettings
    cache: FeatureCache | None
    clock: StageClock
    on_frames: Callable[[int], None] | None = None
    on_source: Callable[[Source], None] | None = None
    keys: int = 1

    def draw(self, source: Source, count: int, clip: int) -> Drawn:
        """Look at evenly spread frames of a clip. What is kept does not grow with its length.

        Args:
            source: the clip. Black bars beside its picture are not looked at.
            count: frames of it, at most.
            clip: its number among all. It is the first, 0, that the point or the box of the settings lies in.

        Raises:
            SettingsError: the point or the box lies outside the frame.
            SourceError: the clip cannot be decoded, or has no frame at the time of the point or the box.
            FitError: that frame cannot be decoded.
        """
        seed = _seed(self.settings) if clip == 0 else None
        if seed is not None:
            seed.require_inside(source.info)
            if source.active_area is not None:
                seed = seed.within(source.active_area)
        count = max(1, min(count, len(source.selected)))  # or each would be left with fewer patches than it may keep
        most = max(1, self.settings.descriptors // count)
        seen: list[_Seen] = []
        motions: list[Motion] = []
        plain = True
        for found in self._extracted(source, count, None if seed is None else seed.seconds):
            if isinstance(found, list):
                motions += found
                continue
            neighbourhood, features = found
            if self.cache is not None:
                self.cache.put(source.info.path, int(neighbourhood.frame.index[0]), features)
            height, width = neighbourhood.frame.size
            plain = plain and _is_plain(neighbourhood.frame.pixels[0])
            one = _Seen.of(features, height / width, most)
            if seed is None:
                one = replace(one, small=self._small(neighbourhood.frame.pixels))
            if seed is not None and neighbourhood.marked:
                down, right = features.grid.centres((height, width))
                kept = thinning((len(down), len(right)), most)
                one = replace(one, seed=seed.patches(down[every(len(down), kept)], right[every(len(right), kept)]))
            seen.append(one)
            if self.on_frames is not None:
                self.on_frames(1)
        if motions:
            motions = _often_painted(motions)
            seen = [replace(one, motion=its) for one, its in zip(seen, motions, strict=True)]
        if seed is not None and seen and all(one.seed is None for one in seen):
            raise FitError(
                f"{source.info.path}: the frame at {seed.seconds:g} seconds, where --object or --box marks the object, "
                "cannot be decoded; mark it in another"
            )
        if self.on_source is not None:
            self.on_source(source)
        with self.clock.stage("cluster"), one_thread():
            return Drawn(source.info.path, _sampled(seen, clip), plain)

    def afar(self, frames: Sequence[FrameSample]) -> Sample | None:
        """The frames of a clip that were drawn, from twice as far, with the flow that they have. Inside `one_thread`.

        None where they were not kept for that: the settings do not want it, or the object is marked in one of them.
        """
        extractor = self.extractor.afar()
        if extractor is None or any(frame.small is None for frame in frames):
            return None
        most = max(1, self.settings.descriptors // len(frames))

        def extract(frame: FrameSample) -> _Seen:
            assert frame.small is not None
            features = extractor.extract(frame.small[None], attention=True, tokens=True)
            return replace(_Seen.of(features, frame.aspect, most), motion=frame.motion)

        on_cpu = self.extractor.device.type == "cpu"
        with self.clock.stage("vit"):
            seen = each_on_one_thread(extract, frames) if on_cpu else [extract(frame) for frame in frames]
        return Sample(_sampled(seen, frames[0].clip))

    def _small(self, pixels: Pixels) -> Pixels | None:
        """One frame (1, H, W, 3) as `afar` wants it, (y, x, 3)."""
        extractor = self.extractor.afar() if self.settings.afar and self.settings.foreground == "probe" else None
        if extractor is None:
            return None
        grid = extractor.grid((pixels.shape[1], pixels.shape[2]))
        small = resize(torch.as_tensor(pixels), (grid.height, grid.width), "bicubic")
        return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())

    def _extracted(
        self, source: Source, count: int, at: float | None
    ) -> Iterator[tuple[Neighbourhood, Features] | list[Motion]]:
        """Sampled frames with their features; then, if it is wanted, their motion, of some frames at a time.

        Motion comes last, since it takes less time: where frames do not divide evenly among the cores, those that would
        be idle while the ViT sees the last one have this to do.
        """
        wanted = self.settings.motion == "auto" and self.settings.foreground == "probe"

        def extract(neighbourhood: Neighbourhood) -> tuple[Neighbourhood, Features]:
            with self.clock.stage("vit"):
                pixels = neighbourhood.frame.pixels
                return neighbourhood, self.extractor.extract(pixels, attention=True, tokens=True)

        def motions(some: Sequence[Lumas]) -> list[Motion]:
            with self.clock.stage("flow"):
                found = [_motion(lumas, _VECTORS // count, marked=at is not None) for lumas in some]
                if at is None:  # else what moves by itself is not asked for
                    for one in found:
                        _ = one.own
                return found

        def tasks() -> Iterator[Callable[[], tuple[Neighbourhood, Features] | list[Motion]]]:
            kept = []
            for neighbourhood in around:
                if wanted:
                    kept.append(Lumas.of(neighbourhood))
                yield partial(extract, neighbourhood)
            share = -(-len(kept) // cores_each()[0])
            for first in range(0, len(kept), max(1, share)):
                yield partial(motions, kept[first : first + share])

        sampled = source.sample_around(count, at, beside=wanted, among=self._among(source, count))
        if (area := source.active_area) is not None:
            sampled = mapped(lambda neighbourhood: neighbourhood.cropped(area), sampled)
        around = prefetch(self.clock.timed("decode", sampled))
        # For a GPU too, which sees one frame at a time here: motion is the CPU's.
        done = on_all_cores(lambda task: task(), tasks(), torch.device("cpu"))
        with closing(around), closing(done):
            yield from done

    def _among(self, source: Source, count: int) -> int:
        """Every so many frames are those to choose from: all, where they may not follow each other.

        Of few frames, key frames and as many between as leave enough, evenly: what divides their distance.
        """
        if self.settings.motion == "off":
            return 1
        apart = interval(self.keys, source.info, self.extractor.device)
        enough = [d for d in range(_FAR, apart + 1) if len(source.selected) >= d * count * _ENOUGH]
        return max((d for d in enough if apart % d == 0), default=1)


@dataclass(frozen=True)
class _Seen:
    """What is kept of one sampled frame until the heads are chosen; on the CPU."""

    descriptors: torch.Tensor  # (h, w, D)
    tokens: torch.Tensor  # (h, w, D2)
    attention: torch.Tensor  # (heads, h, w)
    aspect: float
    motion: Motion = field(default_factory=Motion)
    seed: npt.NDArray[np.bool_] | None = None  # (h, w): what the user has marked
    small: Pixels | None = None  # (y, x, 3): the frame itself, as it is looked at from afar

    @classmethod
    def of(cls, features: Features, aspect: float, most: int) -> _Seen:
        """Every other row and column of one frame's patches, or fewer, so that at most about ``most`` are left."""
        assert features.attention is not None
        assert features.tokens is not None
        _, h, w, _ = features.descriptors.shape
        step = thinning((h, w), most)
        rows, columns = every(h, step), every(w, step)
        # Made contiguous, so that of a frame whose patches are thinned no more is kept than these.
        return cls(
            features.descriptors[0, rows, columns].cpu().contiguous(),
            features.tokens[0, rows, columns].cpu().contiguous(),
            features.attention[0, :, rows, columns].cpu().contiguous(),
            aspect,
        )

    def sample(self, heads: list[int], clip: int) -> FrameSample:
        """With the saliency of the given heads."""
        later = F.normalize(self.tokens[..., self.tokens.shape[-1] // 2 :], dim=-1)
        return FrameSample(
            descriptors=self.descriptors.numpy(),
            tokens=self.tokens.numpy(),
            saliency=smooth_saliency(self.attention[None], later[None], heads)[0].numpy(),
            paper_saliency=saliency(self.attention[None], heads)[0].numpy(),
            aspect=self.aspect,
            motion=self.motion,
            seed=self.seed,
            clip=clip,
            small=self.small,
        )


def _sampled(seen: Sequence[_Seen], clip: int) -> list[FrameSample]:
    """With the saliency of heads that are chosen by all frames of a clip."""
    heads = _heads(seen) if seen else []
    return each_on_one_thread(lambda one: one.sample(heads, clip), seen)


def _motion(lumas: Lumas, most: int, *, marked: bool = False) -> Motion:
    """The motion of a frame, with about ``most`` vectors at most: rows and columns of its flows.

    Args:
        lumas: the frame and those next to it.
        most: vectors of all flows together.
        marked: whether the user has marked the object: it may be what is painted on the screen.
    """
    flows = flows_around(lumas)
    marks = None if marked else painted(lumas.here, lumas.beside)
    marks = None if marks is None else of_flow(marks)
    if marks is not None and flows and not any(camera_moves(flow, marks) for flow in flows):
        marks = None  # all that is filmed stands still, too
    h, w = of_flow(lumas.here).shape
    step = thinning((h, w), max(1, most // max(1, len(flows))))
    some = every(h, step), every(w, step)
    thinned = None if marks is None else np.ascontiguousarray(marks[some])
    empty = np.ascontiguousarray(of_flow(plain(lumas.here))[some])
    return Motion([np.ascontiguousarray(flow[some]) for flow in flows], thinned, empty)


def _often_painted(motions: Sequence[Motion]) -> list[Motion]:
    """Motions of a clip. Where little of it has something painted on the screen, that is what the camera follows."""
    often = np.mean([one.painted is not None for one in motions]) >= _OFTEN
    # Those without it stay as they are, with what has been worked out of them.
    return [one if often or one.painted is None else replace(one, painted=None) for one in motions]


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
    sizes = sorted({one.attention.shape for one in seen})
    groups = [torch.stack([one.attention for one in seen if one.attention.shape == size]) for size in sizes]
    return object_heads(max(groups, key=len))

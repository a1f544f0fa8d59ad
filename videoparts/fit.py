"""Pass 1: learn the object and its parts from frames sampled over one clip or many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from .cache import FeatureCache
from .clock import StageClock
from .config import FitSettings, RefineSettings
from .errors import FitError
from .features import Extractor
from .foreground.evidence import Cues
from .foreground.finding import ClipByClip, Foreground
from .freed_memory import give_back
from .one_thread import one_thread
from .parts.model import PartModel
from .parts.object_patches import patches_of, require_object, require_parts, thinned_by
from .parts.tree import part_tree
from .sampling.sample import Sample
from .sampling.sampler import Sampler, shares
from .sources.base import Source


def fit_parts(
    sources: Source | Iterable[Source],
    extractor: Extractor,
    settings: FitSettings | None = None,
    *,
    cache: FeatureCache | None = None,
    clock: StageClock | None = None,
    on_frames: Callable[[int], None] | None = None,
    on_source: Callable[[Source], None] | None = None,
    cues: Cues | None = None,
    keys: int = RefineSettings.keys,
) -> PartModel:
    """Find the object in sampled frames, and the parts that it has in all of them (paper, section 4).

    All parts are learned together, so that a label means the same in every frame of every source.

    Several sources are looked at one after the other, each marks its object by itself, and then they teach each other:
    see `joint_teaching`. Each keeps the same share of the settings' patches, so that none counts for more because it is
    long, and memory does not grow with their number; time does. A source is taken from the sequence once, in order,
    and let go before the next: where the sequence opens what is taken, one is open at a time.

    Args:
        sources: one clip or several; `frames_to_sample` tells how many frames are looked at. What is no sequence, such
            as a generator, is drawn to its end first: its sources are all open then.
        extractor: makes the descriptors; the model is bound to it.
        settings: parts, frames, how the object is found.
        cache: keeps the sampled frames' features, for `segment`.
        clock: counts the time of each stage.
        on_frames: called with the number of frames that each step has added.
        on_source: called with each source when its frames have been looked at; its notes are complete then.
        cues: what counts as evidence of the object; for experiments.
        keys: of the `RefineSettings` of `segment`: where those are few, frames are sampled that it will see anyway.

    Returns:
        The model; its parts are in the order of their area, largest first.

    Raises:
        FitError: too little of an object for so many parts; no source, no frame in any, or all of one colour.
        SettingsError: the point or the box of the settings lies outside the first source.
        SourceError: a source cannot be decoded, or has no frame at the time of the point or the box.
    """
    settings = settings or FitSettings()
    clock = clock or StageClock()
    if not isinstance(sources, Sequence):
        sources = list(sources) if isinstance(sources, Iterable) else [sources]
    if not len(sources):
        raise FitError("nothing to fit: give at least one clip or folder of frames")
    sampler = Sampler(extractor, settings, cache, clock, on_frames, on_source, keys)
    sample, foreground = _found(sources, sampler, ClipByClip(settings, len(sources), cues, sampler.afar))
    with clock.stage("cluster"), one_thread():
        require_object(foreground.mask, sample, settings)
        space, patches = patches_of("one", sample, foreground.certainty)
        tree = part_tree(*patches)
        tree = replace(tree, extent=tree.extent * thinned_by(sample, foreground.mask))
    require_parts(tree, settings)
    return PartModel.of(foreground.probe, space, tree, settings.parts, extractor.identity)


def _found(sources: Sequence[Source], sampler: Sampler, clips: ClipByClip) -> tuple[Sample, Foreground]:
    """The object in frames of all sources. One source is open at a time."""
    first: Path | None = None
    nothing = plain = True
    for clip, count in enumerate(shares(sampler.settings, len(sources))):
        # No name here holds the source, so that it is let go before the next is opened.
        some = sampler.draw(sources[clip], count, clip)
        if some.frames and not some.plain:  # a clip of one colour has nothing to teach
            with sampler.clock.stage("cluster"), one_thread():
                clips.add(some.frames)
        first = first or some.path
        nothing = nothing and not some.frames
        plain = plain and some.plain
        del some  # before the frames of the next are held
        if len(sources) > 1:
            give_back()
    if nothing:
        raise FitError(f"{first}: gave no frame to fit; check --start, --end and --every")
    if plain:
        raise FitError(f"{first}: every sampled frame is of one colour, there is no object; check --start and --end")
    with sampler.clock.stage("cluster"), one_thread():
        return clips.find()

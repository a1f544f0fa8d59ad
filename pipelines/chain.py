"""The chain of stages that the commands share: open, fit or load, label every frame into a sink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from videoparts.cache import FeatureCache
from videoparts.clock import StageClock
from videoparts.config import RefineSettings
from videoparts.features import Extractor
from videoparts.fit import fit_parts
from videoparts.frames import Pixels
from videoparts.painting.palette import palette
from videoparts.parts.model import PartModel, check_model_path, hidden_parts
from videoparts.pictures.cosegment import fit_pictures
from videoparts.pictures.views import PER_PICTURE
from videoparts.presets import PRESETS
from videoparts.results.runs import Run
from videoparts.sampling.sampler import frames_to_sample
from videoparts.segmentation import segment
from videoparts.sources import open_source
from videoparts.sources.base import Source, picture_size
from videoparts.sources.picture_source import PictureSource
from videoparts.stream import prefetch
from videoparts.vit.extractor import ViTExtractor

from .loading import loaded
from .options import MaskOptions, PartOptions
from .takers import Sink
from .terminal import Terminal

_COARSE = 4  # of so many patches one, on average, is enough: every other row and column


@dataclass
class Chain:
    """One run of a command: what its stages share."""

    options: PartOptions
    terminal: Terminal
    clock: StageClock = field(default_factory=StageClock)
    cache: FeatureCache = field(default_factory=FeatureCache)
    load: Callable[[], ViTExtractor] | None = None  # gives an extractor that is there already; None: it is loaded
    _extractor: ViTExtractor | None = None

    def open(self, path: Path) -> Source:
        """Open an input, and say what the user should know of it."""
        source = open_source(path, self.options.source)
        self.terminal.note(*source.notes)
        return source

    def extractor(self) -> ViTExtractor:
        """The extractor, which is loaded when it is first asked for."""
        if self._extractor is None:
            with self.clock.stage("load"):
                self._extractor = loaded(self.options.extractor, self.options.compute, self.terminal, self.load)
        return self._extractor

    def fit(self, sources: Sequence[Source], extractor: ViTExtractor) -> PartModel:
        """Pass 1, with its progress bar."""
        settings = self.options.fit
        total = frames_to_sample(settings, len(sources))
        if len(sources) == 1:
            sources = [sources[0]]  # opened once, if it is opened when it is taken
            total = min(total, sources[0].info.frames or total)
            self._note_thinned(total, sources[0], extractor)
        with self.terminal.bar("fit", total) as advance:
            return fit_parts(
                sources,
                extractor,
                settings,
                cache=self.cache,
                clock=self.clock,
                on_frames=advance,
                on_source=lambda source: self.terminal.note(*source.notes),
                keys=self._keys,
            )

    @property
    def _keys(self) -> int:
        """Frames from one key frame to the next, here or where the part model is used."""
        options = self.options
        return options.refine.keys if isinstance(options, MaskOptions) else PRESETS[options.preset].refine.keys

    def _note_thinned(self, frames: int, source: Source, extractor: ViTExtractor) -> None:
        """Say where so many frames are wished for that each is seen coarsely: more frames can be worse then."""
        grid, settings = extractor.grid(picture_size(source)), self.options.fit
        patches, kept = grid.rows * grid.columns, settings.descriptors // frames
        if kept * _COARSE < patches:
            self.terminal.note(
                f"of each of {frames} frames {kept} of {patches} patches are kept, which can find the object less "
                f"well; take fewer --frames, or --descriptors {frames * -(-patches // _COARSE)}"
            )

    def fit_set(self, pictures: PictureSource, *, views: bool = False, common: bool = False) -> PartModel:
        """What pictures have in common, with its progress bar; see `fit_pictures`."""
        settings = self.options.fit
        total = min(settings.frames, len(pictures.selected)) * (1 + PER_PICTURE * views)
        with self.terminal.bar("fit", total, unit="picture") as advance:
            return fit_pictures(
                pictures,
                self.extractor(),
                settings,
                views=views,
                common=common,
                cache=self.cache,
                clock=self.clock,
                on_pictures=advance,
            )

    def model(
        self,
        options: MaskOptions,
        source: Source,
        given: PartModel | None,
        run: Run | None = None,
        levels: Sequence[int] = (),
    ) -> PartModel:
        """The model of `given_model`, the one that the run has kept, or a new one, showing what the options say.

        Args:
            options: of the command.
            source: what a new model is fitted to.
            given: of `given_model`.
            run: keeps the model, all of its parts shown; None: nothing is kept, and every frame will be labelled.
            levels: that the model must have.

        Raises:
            SettingsError: the model has no such parts, or not so many as one of ``levels``.
        """
        if options.save_model is not None:
            check_model_path(options.save_model)
        kept = None if run is None else run.model()
        if given is None and kept is None and options.fit.parts != "auto":
            hidden_parts(options.fit.parts, options.include, options.exclude)  # raises what would come after the fit
        if run is None:
            self.extractor()  # what it refuses comes before anything is written
        whole = kept or given or self.fit([source], self.extractor())
        model = given or whole.select(options.include, options.exclude)
        for level in levels:
            model.tree.cut(level)  # raises where the tree is not so fine
        if run is not None and kept is None:
            whole.save(run.model_path)
        if options.save_model is not None:
            model.save(options.save_model)
        return model

    def label(
        self, source: Source, extractor: Extractor, parts: PartModel, refine: RefineSettings, *sinks: Sink
    ) -> None:
        """Pass 2: every frame into the sinks, with its progress bar."""
        masks = prefetch(segment(source, extractor, parts, refine, cache=self.cache, clock=self.clock))
        try:
            with self.terminal.bar("label", source.info.frames) as advance:
                for some in masks:
                    for sink in sinks:
                        sink.write(some)
                    advance(len(some))
        finally:
            masks.close()
        self.terminal.note(*source.notes)


def given_model(options: MaskOptions) -> PartModel | None:
    """The model that a command line names, in as many parts and with those shown that it says; None: it names none.

    Where the number of parts is the model's own, parts that the model hides stay hidden, and names and colours stay.

    Raises:
        SettingsError: the model cannot be read, is not so fine, or has no such parts.
    """
    if options.model_file is None:
        return None
    model = PartModel.load(options.model_file)
    parts = model.tree.sensible() if options.fit.parts == "auto" else options.fit.parts
    if parts != len(model):
        model = model.at(parts)
    return model.select(options.include, options.exclude)


def colours_of(model: PartModel | None) -> Pixels:
    """(P + 1, 3): the colours of a model's labels; those that a new model will get where there is none yet."""
    if model is None:
        return palette()
    return np.array([(0, 0, 0), *model.colours], dtype=np.uint8)

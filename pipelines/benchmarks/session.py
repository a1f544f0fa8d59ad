"""One run of the benchmark: sets of settings on the same frames of a clip, one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from videoparts.sources.base import Source
from videoparts.vit.extractor import ViTExtractor, load_model

from ..options import MaskOptions
from .baseline import SHORT_SIDE, AuthorsArrangement, authors_stride
from .comparison import Compared, Comparing
from .flops import VitShape
from .measuring import Measured, Measuring


@dataclass(frozen=True)
class Session:
    """What all measurements have in common."""

    clip: Source  # all of it
    frames: int  # of it that are worked on, if it has so many
    runs: int
    options: MaskOptions
    advance: Callable[[int], None]  # called with the number of runs that are done

    @property
    def part(self) -> Source:
        """The frames that are worked on, from the middle of the clip: what it is about has come by then."""
        total = len(self.clip.selected)
        count = min(self.frames, total)
        first = (total - count) // 2
        return self.clip.part(first, first + count)

    def measured(self, extractor: ViTExtractor, shape: VitShape) -> Measured:
        """Everything, with one extractor."""
        with tempfile.TemporaryDirectory(prefix="videoparts-") as folder:
            measuring = Measuring(self.clip, self.part, extractor, self.options, shape, Path(folder))
            for _ in range(self.runs):
                measuring.run()
                self.advance(1)
            return measuring.result()

    def compared(self) -> Iterator[Compared]:
        """The authors' arrangement and ours, at the authors' settings and at ours. None of a model that the authors'
        code could not run."""
        settings, compute = self.options.extractor, self.options.compute
        model, _ = load_model(settings.model, compute)
        if not AuthorsArrangement.fits(model):
            return
        patch = VitShape.of(model).patch
        theirs = replace(settings, stride=authors_stride(patch), load_size=SHORT_SIDE)
        for one in dict.fromkeys((theirs, settings)):
            extractor = ViTExtractor(one, compute)
            comparing = Comparing(list(self.part.batches(extractor.batch_size)), extractor, model)
            for _ in range(self.runs):
                comparing.run()
                self.advance(1)
            yield comparing.result()

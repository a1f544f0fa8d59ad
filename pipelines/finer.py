"""Labels of finer levels of a run, made when a part is first divided, and kept."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from videoparts.config import RefineSettings
from videoparts.editing.divided import divided
from videoparts.frames import FrameBatch
from videoparts.grid import Grid
from videoparts.masks import PartMasks
from videoparts.parts.model import PartModel
from videoparts.reports.joints import JointCounter
from videoparts.results.runs import Run
from videoparts.segmentation import segment, segment_again
from videoparts.sources.base import Source, picture_size
from videoparts.vit.naming import patch_size

from .chain import Chain
from .result import kept_entries


def make_finer(
    chain: Chain, source: Source, run: Run, model: PartModel, levels: tuple[int, ...], refine: RefineSettings
) -> None:
    """Make the labels at the last of some levels, each of which divides the one before, if they are not there.

    From the kept chances if there are any; if not, frames go through the ViT again, and the user is told.
    """
    for count in range(2, len(levels) + 1):
        _make(chain, source, run, model, levels[:count], refine)


def _make(
    chain: Chain, source: Source, run: Run, model: PartModel, levels: tuple[int, ...], refine: RefineSettings
) -> None:
    before, target = run.finer(levels[:-1]), run.finer(levels)
    if target.frames == before.frames:
        return
    target.clear()  # what a run that was killed has left is soon made again
    finest = model.finer(levels[-1]).select(include=range(1, levels[-1] + 1))
    within = model.tree.coarser(levels[-1], levels[-2])
    counter = JointCounter()
    with (
        closing(kept_entries(before, source)) as coarse,
        closing(_labelled(chain, run, source, finest, refine)) as fine,
        chain.terminal.bar("divide", before.frames) as advance,
    ):
        for (masks, _), found in zip(coarse, fine, strict=True):
            labels = divided(masks.labels[0], found.labels[0], within)
            one = replace(masks, labels=labels[None], links=found.links)
            target.write(one, counter.of(one))
            advance(1)
    target.close()


def _labelled(
    chain: Chain, run: Run, source: Source, finest: PartModel, refine: RefineSettings
) -> Generator[PartMasks, None, None]:
    """Frame by frame, at the finer level."""
    identity, size = finest.identity, picture_size(source)
    grid = Grid.fit(size, identity.load_size, patch_size(identity.model) or identity.stride, identity.stride)
    first = next(run.masks().read(chances=True), None)
    if first is not None and first.chances is not None and first.chances.shape[:2] == (grid.rows, grid.columns):
        chain.terminal.say("dividing from what was kept with --keep-features")
        chances = _with_chances(run, source)
        many = segment_again(chances, grid, finest, refine, active_area=source.active_area, clock=chain.clock)
    else:
        chain.terminal.say("dividing takes another pass of the ViT (masks --keep-features spares it)")
        many = segment(source, chain.extractor(), finest, refine, cache=chain.cache, clock=chain.clock)
    with closing(many):
        for some in many:
            for k in range(len(some)):
                yield some[k : k + 1]


def _with_chances(run: Run, source: Source) -> Iterator[tuple[FrameBatch, npt.NDArray[np.float16]]]:
    with closing(kept_entries(run.masks(), source, chances=True)) as kept:
        for masks, _ in kept:
            assert masks.chances is not None
            yield masks.frames, masks.chances

"""Some frames of a clip, labelled by themselves, are what they are among all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from colours import ColourExtractor, MemorySource, frame
from videoparts.pipelines.chain import Chain
from videoparts.pipelines.labelling import labelled
from videoparts.pipelines.options import MaskOptions
from videoparts.pipelines.terminal import Terminal

from videoparts.config import FitSettings, RefineSettings
from videoparts.fit import fit_parts
from videoparts.frames import Pixels
from videoparts.reports.joints import Joint

FRAMES = 45


@pytest.fixture(scope="module")
def chain() -> Chain:
    made: Any = Chain(MaskOptions(), Terminal(quiet=True))
    made._extractor = ColourExtractor()
    return made  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def source() -> MemorySource:
    """It stands for three frames, then jumps: the ViT has to see more than the regular key frames."""
    return MemorySource(np.stack([frame(i // 3) for i in range(FRAMES)]))


def found(
    chain: Chain, source: MemorySource, refine: RefineSettings, first: int = 0, stop: int | None = None
) -> tuple[list[int], Pixels, list[Joint]]:
    model = fit_parts(source, chain.extractor(), FitSettings(parts=3, frames=6))
    entries = list(labelled(chain, source, model, refine, first, stop, chances=False))
    indices = [int(index) for masks, _ in entries for index in masks.frames.index]
    return indices, np.concatenate([m.labels for m, _ in entries]), [joint for _, js in entries for joint in js]


@pytest.mark.parametrize("refine", [RefineSettings(keys=4, window=0), RefineSettings(keys=7), RefineSettings()])
@pytest.mark.parametrize(("first", "stop"), [(0, 9), (9, 20), (16, 17), (33, None), (44, None)])
def test_a_piece_is_what_it_is_among_all(
    chain: Chain, source: MemorySource, refine: RefineSettings, first: int, stop: int | None
) -> None:
    _, whole, joints = found(chain, source, refine)
    indices, labels, some = found(chain, source, refine, first, stop)
    assert indices == list(range(FRAMES))[first:stop]
    assert np.array_equal(labels, whole[first:stop])
    for one, other in zip(some, joints[first:stop], strict=True):
        assert (one.cut, one.pairs.tolist(), one.triples.tolist()) == (
            other.cut,
            other.pairs.tolist(),
            other.triples.tolist(),
        )

"""What is found in a clip is the same with black bars beside its picture, and lies in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from colours import ColourExtractor, MemorySource, frame
from labelled import assert_same

from videoparts.active_area import ActiveArea
from videoparts.cache import FeatureCache
from videoparts.config import FitSettings, RefineSettings
from videoparts.fit import fit_parts
from videoparts.frames import FrameBatch, Pixels
from videoparts.masks import PartMasks
from videoparts.pictures.features import on_features
from videoparts.reports.joints import JointCounter
from videoparts.segmentation import segment, segment_again

AREA = ActiveArea(16, 24, 96, 160)
BARS = ((0, 0), (16, 17), (24, 24))
FIT = FitSettings(parts=3, frames=6)


def bare() -> MemorySource:
    return MemorySource(np.stack([frame(i) for i in range(14)]))


def barred() -> MemorySource:
    return MemorySource(np.stack([np.pad(frame(i), (*BARS[1:], (0, 0))) for i in range(14)]))


def planes(found: list[PartMasks], which: str) -> Pixels:
    return np.concatenate([getattr(masks, which) for masks in found])


@pytest.mark.parametrize("mark", [{}, {"object": "{x},{y}"}, {"box": "{x},{y},{right},{bottom}"}])
def test_the_fit_is_the_same(mark: dict[str, str]) -> None:
    models = []
    for source, area in ((bare(), None), (barred(), AREA)):
        left, top = (0, 0) if area is None else (area.left, area.top)
        places = {"x": left + 20, "y": top + 30, "right": left + 50, "bottom": top + 60}
        marks = {name: text.format(**places) for name, text in mark.items()}
        assert source.active_area == area
        models.append(fit_parts(source, ColourExtractor(), replace(FIT, **marks)))
    assert_same(*models)


@pytest.mark.parametrize(
    "refine", [RefineSettings(), RefineSettings(window=0), RefineSettings(keys=4), RefineSettings(specks=0.2)]
)
def test_masks_are_the_same_and_lie_in_the_picture(refine: RefineSettings) -> None:
    extractor = ColourExtractor()
    model = fit_parts(bare(), extractor, FIT)
    wanted, found = (list(segment(source, extractor, model, refine, matte=True)) for source in (bare(), barred()))
    assert [masks.active_area for masks in found] == [AREA] * len(found)
    for which in ("labels", "matte"):
        assert np.array_equal(planes(found, which), np.pad(planes(wanted, which), BARS)), which
    assert np.array_equal(np.concatenate([m.frames.pixels for m in found]), np.concatenate(list(frames(barred()))))


def frames(source: MemorySource) -> list[Pixels]:
    return [batch.pixels for batch in source.batches(5)]


def test_kept_chances_give_the_same() -> None:
    extractor = ColourExtractor()
    model = fit_parts(bare(), extractor, FIT)
    first = list(segment(barred(), extractor, model, chances=True))
    kept: list[tuple[FrameBatch, np.ndarray]] = [(m.frames, m.chances) for m in first if m.chances is not None]
    again = list(segment_again(kept, extractor.grid(AREA.size), model, active_area=AREA))
    assert len(kept) == len(first)
    assert (planes(again, "labels") == planes(first, "labels")).mean() > 0.999  # chances are kept in half precision


@pytest.mark.parametrize("linked", [True, False])
def test_joints_are_those_of_the_picture(linked: bool) -> None:
    """Bars would hide a cut: they stay."""
    extractor = ColourExtractor()
    model = fit_parts(bare(), extractor, FIT)
    told = []
    for source in (bare(), barred()):
        counter, joints = JointCounter(), []
        for masks in segment(source, extractor, model):
            joints += counter.of(masks if linked else replace(masks, links=None))
        told.append(joints)
    for one, other in zip(*told, strict=True):
        assert one.cut == other.cut
        assert np.array_equal(one.pairs, other.pairs)
        assert np.array_equal(one.triples, other.triples)


def test_what_was_seen_without_bars_is_not_taken_for_the_whole_frame() -> None:
    """As `pca --foreground` would, which shows whole frames."""
    extractor, cache = ColourExtractor(), FeatureCache()
    fit_parts(barred(), extractor, replace(FIT, frames=14), cache=cache)
    whole = extractor.grid((barred().info.height, barred().info.width))
    grids = list(on_features(lambda _, features: features.grid, barred(), extractor, tokens=True, cache=cache))
    assert len(cache) > 0
    assert grids == [whole] * len(grids)

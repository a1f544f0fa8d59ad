"""Components of a clip and of pictures, where the descriptor of a patch is its colour."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
import torch
from colours import STRIPES, ColourExtractor, MemorySource, frame, truth
from tiny import tiny_extractor

from videoparts.cache import FeatureCache
from videoparts.config import FitSettings
from videoparts.errors import SourceError
from videoparts.fit import fit_parts
from videoparts.frames import FrameBatch
from videoparts.grid import Grid
from videoparts.pca.components import PaintedFrames, fit_components, paint_components
from videoparts.pca.figure import layers_and_facets
from videoparts.pca.pictures import filled_in, planes

N = 6


@pytest.fixture
def source() -> MemorySource:
    return MemorySource(np.stack([frame(i) for i in range(N)]))


def painted(source: MemorySource, extractor: ColourExtractor, **more: object) -> list[PaintedFrames]:
    components = fit_components(source, extractor, 3)
    return list(paint_components(source, extractor, components, **more))  # type: ignore[arg-type]


def inside(labels: np.ndarray, part: int) -> np.ndarray:
    """Where a stripe is, without what lies within a patch and a half of its edge."""
    import cv2

    return cv2.erode((labels == part).astype(np.uint8), np.ones((15, 15))).astype(bool)


def test_a_colour_means_the_same_all_along_a_clip(source: MemorySource) -> None:
    seen: dict[int, list[np.ndarray]] = {part: [] for part in range(len(STRIPES) + 1)}
    for some in painted(source, ColourExtractor()):
        assert some.rgb.shape == (len(some.frames), 96, 160, 3)
        assert np.array_equal(some.rgb[..., 1], some.planes[:, 1])
        for rgb, index in zip(some.rgb, some.frames.index.tolist(), strict=True):
            for part, shades in seen.items():
                shades.append(np.median(rgb[inside(truth(index), part)], axis=0))
    for shades in seen.values():
        assert np.ptp(np.stack(shades), axis=0).max() <= 1
    first = np.stack([shades[0] for shades in seen.values()])
    apart = np.abs(first[:, None] - first[None]).max(-1)
    assert apart[~np.eye(len(first), dtype=bool)].min() > 60  # and something else for each


def test_each_alone_is_not_all_together(source: MemorySource) -> None:
    extractor = ColourExtractor(1)
    alone = list(paint_components(source, extractor, 3))
    one = MemorySource(frame(2)[None])
    expected = list(paint_components(one, extractor, fit_components(one, extractor, 3)))
    assert np.array_equal(alone[2].planes[0], expected[0].planes[0])


def test_frames_in_the_cache_are_not_extracted_again(source: MemorySource) -> None:
    extractor, cache = ColourExtractor(), FeatureCache()
    components = fit_components(source, extractor, 3, cache=cache)
    first = list(paint_components(source, extractor, components))
    extractor.frames = 0
    again = list(paint_components(source, extractor, components, cache=cache))
    assert extractor.frames == 0
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.planes, b.planes)


def test_a_few_frames_are_enough_to_learn_from(source: MemorySource) -> None:
    extractor = ColourExtractor()
    advanced: list[int] = []
    few = fit_components(source, extractor, 3, frames=3, on_frames=advanced.append)
    assert sum(advanced) == extractor.frames == 3
    everything = fit_components(source, extractor, 3)
    assert extractor.frames == 3 + N
    assert (few.axes * everything.axes).sum(1).min() > 0.99


def test_the_object_alone_counts_and_is_painted(source: MemorySource) -> None:
    extractor = ColourExtractor()
    parts = fit_parts(source, extractor, FitSettings(parts=1, frames=N))
    components = fit_components(source, extractor, 3, parts=parts)
    coloured = torch.tensor([*STRIPES]) / 255 - 0.5
    expected = torch.cat([coloured, torch.full((3, 1), 0.1)], 1)
    expected = torch.nn.functional.normalize(expected, dim=1).mean(0)
    assert torch.allclose(components.mean, expected, atol=0.02)  # no grey in it
    for some in paint_components(source, extractor, components, parts=parts):
        for rgb, index in zip(some.rgb, some.frames.index.tolist(), strict=True):
            labels = truth(index)
            assert rgb[inside(labels, 0)].max() == 0
            for part in (1, 2, 3):
                assert rgb[inside(labels, part)].min() > 30  # never as black as what is left out


def test_memory_does_not_grow_with_the_number_of_pictures() -> None:
    alive: list[int] = []

    class Endless(MemorySource):
        """Gives the same few frames again and again, and knows how many batches live."""

        def batches(self, size: int) -> Generator[FrameBatch, None, None]:
            import weakref

            for k in range(300):
                batch = next(self._take([k % N], 1))
                alive.append(1)
                weakref.finalize(batch, alive.pop)
                most.append(len(alive))
                yield batch
                del batch

    most: list[int] = []
    source = Endless(np.stack([frame(i) for i in range(N)]))
    extractor, cache = ColourExtractor(1), FeatureCache(budget=0)
    components = fit_components(source, extractor, 3, cache=cache)
    for _ in paint_components(source, extractor, components, cache=cache):
        pass
    assert extractor.frames == 600
    assert max(most) < 20
    assert len(cache) == 0


def test_a_picture_below_a_patch_is_refused() -> None:
    source = MemorySource(np.zeros((1, 3, 40, 3), np.uint8), "icons")
    with pytest.raises(SourceError, match="icons: 00000 is 40x3, smaller than one patch of 4x4; leave it out"):
        fit_components(source, tiny_extractor(), 3)


@pytest.mark.parametrize("stride", [4, 8])
def test_a_ramp_stays_a_ramp_at_full_size(stride: int) -> None:
    """Between the outer centres, cubic convolution leaves a ramp as it is; each centre has its patch's own shade."""
    grid = Grid(40, 72, 8, stride)
    centres = (4 + stride * np.arange(grid.columns)) / 72
    shades = torch.from_numpy(np.broadcast_to(centres, (grid.rows, grid.columns))[..., None].copy()).float()
    full = planes(shades, grid, (100, 288))[0]
    x = (np.arange(288) + 0.5) / 288
    between = (x > centres[1]) & (x < centres[-2])
    assert np.abs(full[50, between] - 255 * x[between]).max() <= 0.51
    assert (full[:, between] == full[50, between]).all()


def test_each_centre_has_its_patchs_own_shade() -> None:
    grid = Grid(24, 40, 8, 8)
    shades = torch.rand(3, 5, 2, generator=torch.Generator().manual_seed(0))
    full = planes(shades, grid, (72, 120))  # a patch is 24 pixels, its centre is between pixels 11 and 12
    seen = (full[:, 11::24, 11::24].astype(float) + full[:, 12::24, 12::24]) / 2
    assert np.abs(seen - 255 * shades.permute(2, 0, 1).numpy()).max() < 6


def test_what_lies_behind_does_not_shade_an_edge() -> None:
    chance = torch.zeros(6, 6)
    chance[:, :3] = 1
    shades = torch.where(chance > 0, 0.8, 0.1)[..., None]
    filled = filled_in(shades, chance)
    assert filled[:, :3].numpy() == pytest.approx(0.8)
    assert filled[:, 3].min() > 0.78


def test_a_figure_of_layers_and_facets() -> None:
    extractor = tiny_extractor()
    pictures = [MemorySource(np.stack([frame(i)])).frame(0) for i in (0, 3)]
    cells: list[int] = []
    figure = layers_and_facets(pictures, extractor, (0, 3), ("key", "token"), on_cell=cells.append)
    assert len(cells) == 4
    height, width = figure.shape[:2]
    again = layers_and_facets(pictures, extractor, (0, 3), ("key", "token"))
    assert np.array_equal(figure, again)
    cell = figure[34 : 34 + 192, -326:-6]  # the last column, first row
    assert (cell.std(axis=(0, 1)) > 20).all()
    assert height == 2 * (34 + 2 * 198)
    assert width == 320 + 104 + 2 * 326
    other = layers_and_facets(pictures, extractor, (0, 3), ("key", "token"), each=True)
    assert not np.array_equal(figure, other)


def test_the_same_model_at_another_block_is_as_if_made_so() -> None:
    pixels = frame(0)[None]
    base = tiny_extractor(layer=1)
    moved = base.at(-1, "token")
    made = tiny_extractor(layer=3, facet="token")
    assert moved.identity == made.identity
    assert torch.equal(moved.extract(pixels).descriptors, made.extract(pixels).descriptors)
    assert base.identity == tiny_extractor(layer=1).identity
    assert base.depth == 4

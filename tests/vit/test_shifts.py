"""Patches that overlap, seen in turn: against the slow ViT on each shifted picture."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import slow_vit
import torch
import torch.nn.functional as F
from tiny import DEPTH, HEADS, PATCH, TINY, tiny_extractor, tiny_weights

from videoparts.grid import Grid
from videoparts.vit.shifts import shifts_of

# Height, width and stride: of whole patches, of one more step, of one patch only along a side.
SIZES = [(16, 24, 2), (18, 22, 2), (15, 13, 1), (4, 11, 1), (4, 4, 2), (6, 5, 1)]


@pytest.mark.parametrize(("height", "width", "stride"), SIZES)
def test_each_patch_is_in_one_shift_and_where_the_grid_has_it(height: int, width: int, stride: int) -> None:
    grid = Grid(height, width, PATCH, stride)
    tops, lefts = np.full((2, grid.rows, grid.columns), -1)
    for shift in shifts_of(grid):
        at = shift.rows, shift.columns
        assert tops[at].shape == (shift.grid.rows, shift.grid.columns)
        assert (tops[at] == -1).all()
        tops[at] = shift.top + PATCH * np.arange(shift.grid.rows)[:, None]
        lefts[at] = shift.left + PATCH * np.arange(shift.grid.columns)
    assert np.array_equal(tops, np.repeat(stride * np.arange(grid.rows)[:, None], grid.columns, axis=1))
    assert np.array_equal(lefts, np.repeat(stride * np.arange(grid.columns)[None], grid.rows, axis=0))


@pytest.mark.parametrize("family", TINY)
@pytest.mark.parametrize(("height", "width", "stride"), SIZES)
def test_each_patch_is_as_the_slow_vit_sees_it_in_its_shift(family: str, height: int, width: int, stride: int) -> None:
    extractor = tiny_extractor(family, layer=2, stride=stride, shifted=True)
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    found = extractor.describe(image, attention=True, tokens=True)
    assert found.attention is not None
    assert found.tokens is not None
    steps, grid = PATCH // stride, found.grid
    assert (grid.rows, grid.columns) == (1 + (height - PATCH) // stride, 1 + (width - PATCH) // stride)
    for y, x in product(range(min(steps, grid.rows)), range(min(steps, grid.columns))):
        some = image[0, :, y * stride :, x * stride :].double().numpy()
        blocks, prefix = slow_vit.run(
            tiny_weights(family).tensors, family, some, patch=PATCH, stride=PATCH, heads=HEADS
        )

        def unit(values: np.ndarray[tuple[int, int], np.dtype[np.float64]], prefix: int = prefix) -> torch.Tensor:
            return F.normalize(torch.from_numpy(values[prefix:]), dim=-1)

        keys, looks, tokens = (
            found.descriptors[0, y::steps, x::steps].flatten(0, 1),
            found.attention[0, :, y::steps, x::steps].flatten(1),
            found.tokens[0, y::steps, x::steps].flatten(0, 1),
        )
        assert (keys - unit(blocks[2].key)).abs().max() < 2e-5
        halves = [unit(blocks[i].token) for i in slow_vit.token_blocks(2, "key", DEPTH)]
        assert (tokens - torch.cat(halves, dim=-1)).abs().max() < 2e-5
        share = len(keys) / (grid.rows * grid.columns)
        wanted = torch.from_numpy(blocks[-1].attention[:, 0, prefix:]) * share
        assert (looks - wanted).abs().max() < 1e-5
    assert float(found.attention.sum((2, 3)).max()) < 1


def test_one_after_the_other_and_in_a_batch_are_the_same() -> None:
    extractor = tiny_extractor("v2", stride=2, shifted=True, binned=True)
    images = torch.randint(0, 256, (3, 3, 18, 22), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    together = extractor.describe(images)
    assert together.attention is None
    assert together.tokens is None
    for k in range(3):
        assert torch.equal(extractor.describe(images[k : k + 1]).descriptors[0], together.descriptors[k])


def test_patches_that_do_not_overlap_are_seen_at_once() -> None:
    images = torch.randint(0, 256, (1, 3, 18, 22), dtype=torch.uint8)
    plain, shifted = (tiny_extractor("v2", shifted=some).describe(images) for some in (False, True))
    assert torch.equal(plain.descriptors, shifted.descriptors)

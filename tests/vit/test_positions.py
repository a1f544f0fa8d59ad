from __future__ import annotations

import weakref

import pytest
import slow_vit
import torch

from videoparts.vit.naming import TIMM_NAMES
from videoparts.vit.positions import embeddings, resample_positions, resampling_of

SIDE = 7
POSITIONS = torch.randn(1, SIDE * SIDE, 3, generator=torch.Generator().manual_seed(0))
GRIDS = [(7, 14), (14, 7), (3, 5), (8, 6), (27, 27), (1, 49), (7, 6)]


@pytest.mark.parametrize("grid", GRIDS)
def test_offset_is_what_dino_does(grid: tuple[int, int]) -> None:
    wanted = slow_vit.positions_with_offset(POSITIONS[0].double().numpy(), *grid)
    found = resample_positions(POSITIONS, grid, "offset")
    assert found.shape == (1, grid[0] * grid[1], 3)
    assert (found[0] - torch.from_numpy(wanted)).abs().max() < 1e-5


@pytest.mark.parametrize("grid", GRIDS)
def test_antialias_is_what_dinov2_with_registers_does(grid: tuple[int, int]) -> None:
    wanted = slow_vit.positions_antialiased(POSITIONS[0].double().numpy(), *grid)
    found = resample_positions(POSITIONS, grid, "antialias")
    assert (found[0] - torch.from_numpy(wanted)).abs().max() < 1e-5


@pytest.mark.parametrize("grid", GRIDS)
def test_the_two_ways_differ(grid: tuple[int, int]) -> None:
    offset, antialias = (resample_positions(POSITIONS, grid, how) for how in ("offset", "antialias"))
    assert (offset - antialias).abs().max() > 0.01


@pytest.mark.parametrize("how", ["offset", "antialias"])
def test_the_grid_of_the_training_keeps_the_embedding(how: str) -> None:
    # DINO's and DINOv2's own code return the embedding itself there, without the offset.
    assert torch.equal(resample_positions(POSITIONS, (SIDE, SIDE), how), POSITIONS)  # type: ignore[arg-type]


def test_every_grid_has_the_size_asked_for() -> None:
    # A scale a hair too small loses a row: the reason for the 0.1 in DINO's code.
    positions = torch.zeros(1, 37 * 37, 1)
    for n in range(1, 200):
        assert resample_positions(positions, (n, 1), "offset").shape == (1, n, 1)


def test_registers_choose_the_way() -> None:
    for name, timm_name in TIMM_NAMES.items():
        if not name.startswith("dinov3"):
            wanted = "antialias" if name.endswith("_reg") else "offset"
            assert resampling_of(timm_name) == wanted, name
    assert resampling_of("vit_base_patch16_224.augreg_in21k") == "antialias"


def test_a_few_grids_are_kept_and_no_more() -> None:
    made = embeddings(POSITIONS, None, "antialias", torch.device("cpu"), torch.bfloat16)
    first, rope = made((3, 5))
    assert rope is None
    assert first is not None
    assert torch.equal(first, resample_positions(POSITIONS, (3, 5), "antialias").bfloat16())
    assert made((3, 5))[0] is first
    gone = weakref.ref(first)
    del first
    for side in range(6, 40):
        made((side, side))
    assert gone() is None

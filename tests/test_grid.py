from __future__ import annotations

import pytest
import torch

from videoparts.errors import SettingsError
from videoparts.grid import Grid


@pytest.mark.parametrize("size", [(480, 854), (854, 480), (224, 224), (100, 1000), (37, 53)])
@pytest.mark.parametrize(("patch", "stride"), [(14, 14), (14, 7), (8, 4), (8, 8), (16, 2)])
@pytest.mark.parametrize("load_size", [16, 224, 336, 341])
def test_fit_covers_the_frame_exactly_and_stays_near_the_load_size(
    size: tuple[int, int], patch: int, stride: int, load_size: int
) -> None:
    grid = Grid.fit(size, load_size, patch, stride)
    scale = load_size / min(size)
    for resized, original, count in ((grid.height, size[0], grid.rows), (grid.width, size[1], grid.columns)):
        assert patch + (count - 1) * stride == resized  # no pixel beyond the last patch
        assert abs(resized - original * scale) <= stride / 2 or resized == patch


def test_fit_rounds_to_the_nearest() -> None:
    assert (Grid.fit((480, 854), 224, 14, 14).height, Grid.fit((480, 854), 224, 14, 14).width) == (224, 392)
    assert Grid.fit((480, 854), 224, 14, 7).width == 399  # 398.5 wanted
    assert Grid.fit((100, 100), 230, 14, 14).height == 224
    assert Grid.fit((100, 100), 231, 14, 14).height == 238


def test_rows_and_columns_are_those_of_a_convolution() -> None:
    for height, width, patch, stride in ((30, 45, 8, 4), (31, 44, 8, 8), (14, 14, 14, 7)):
        grid = Grid(height, width, patch, stride)
        out = torch.nn.Conv2d(1, 1, patch, stride)(torch.zeros(1, 1, height, width))
        assert out.shape[2:] == (grid.rows, grid.columns)


@pytest.mark.parametrize(
    ("load_size", "stride", "message"), [(13, 14, "--load-size 13.*at least 14"), (224, 4, "--stride 4.*1, 2, 7, 14")]
)
def test_fit_names_what_is_wrong(load_size: int, stride: int, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Grid.fit((480, 640), load_size, 14, stride)


@pytest.mark.parametrize(("patch", "stride"), [(14, 14), (14, 7), (8, 2)])
@pytest.mark.parametrize("pixels", [90, 480, 1000])
def test_a_ramp_sampled_at_the_patches_is_the_ramp_again(patch: int, stride: int, pixels: int) -> None:
    # Where a pixel lies between the first and the last patch centre, bilinear upsampling of a ramp has no error,
    # unless the centres are not where the weights think they are.
    grid = Grid.fit((pixels, 2 * pixels), 112, patch, stride)
    for count, resized, out, weights in (
        (grid.rows, grid.height, pixels, grid.row_weights(pixels)),
        (grid.columns, grid.width, 2 * pixels, grid.column_weights(2 * pixels)),
    ):
        assert weights.shape == (out, count)
        centres = patch / 2 + torch.arange(count) * stride  # of the patches, in the resized frame
        ramp = centres / resized
        wanted = (torch.arange(out) + 0.5) / out
        inside = (wanted >= ramp[0]) & (wanted <= ramp[-1])
        assert inside.sum() > out / 2
        found = weights @ ramp
        assert (found - wanted)[inside].abs().max() < 1e-5
        assert (found[wanted < ramp[0]] == ramp[0]).all()
        assert (found[wanted > ramp[-1]] == ramp[-1]).all()


@pytest.mark.parametrize("pixels", [1, 5, 64, 333])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_weights_are_shares_of_two_neighbours(pixels: int, count: int) -> None:
    weights = Grid(8 + (count - 1) * 4, 8, 8, 4).row_weights(pixels)
    assert weights.shape == (pixels, count)
    assert (weights >= 0).all()
    assert (weights.sum(dim=1) - 1).abs().max() < 1e-6
    assert ((weights > 0).sum(dim=1) <= 2).all()


def test_weights_with_an_extent_are_the_first_of_a_larger_picture() -> None:
    # 100 pixels of which the frame covers 80: the first 80 are those of 80 pixels alone.
    grid = Grid.fit((80, 80), 112, 14, 7)
    part = grid.row_weights(100, 80)
    assert torch.equal(part[:80], grid.row_weights(80))
    assert torch.equal(part[80:], part[79:80].expand(20, -1))

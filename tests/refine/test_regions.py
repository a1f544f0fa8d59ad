"""Only where the object may be are pixels worked out, and they are as if all had been."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from videoparts.config import RefineSettings
from videoparts.grid import Grid
from videoparts.refine import regions
from videoparts.refine.pixels import label_pixels, matte_pixels, working_scores

SIZE = (475, 638)  # no whole number of cells


def blob(down: float, right: float, radius: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of an object of two parts on the working picture, and a frame (1, H, W, 3) in which its colours are."""
    random = torch.Generator().manual_seed(0)
    grid = Grid.fit(SIZE, 224, 14, 14)
    y, x = torch.arange(grid.rows)[:, None] + 0.5, torch.arange(grid.columns) + 0.5
    away = ((y / grid.rows - down) ** 2 + (x / grid.columns - right) ** 2).sqrt() / radius
    whole = torch.sigmoid((1 - away) * 6)
    parts = torch.stack([1 - whole, whole * 0.7, whole * 0.3])[None]
    small = 0.3 * torch.rand(1, 3, 12, 16, generator=random)
    frame = F.interpolate(small, SIZE, mode="bicubic")[0].permute(1, 2, 0)
    pixel_y, pixel_x = torch.arange(SIZE[0])[:, None] / SIZE[0], torch.arange(SIZE[1]) / SIZE[1]
    frame[((pixel_y - down) ** 2 + (pixel_x - right) ** 2).sqrt() < radius] += 0.4
    frame += 0.05 * torch.randn(*SIZE, 3, generator=random)
    return working_scores(parts, grid, SIZE), (255 * frame.clamp(0, 1)).to(torch.uint8)[None]


@pytest.mark.parametrize("place", [(0.5, 0.5, 0.2), (0.1, 0.9, 0.25), (0.95, 0.5, 0.15)])
@pytest.mark.parametrize("settings", [RefineSettings(), RefineSettings(radius=0), RefineSettings(radius=5, steps=0)])
def test_pixels_are_as_if_all_were_worked_out(
    place: tuple[float, float, float], settings: RefineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, frame = blob(*place)
    labels, matte = matte_pixels(scores, frame, settings)
    (region,) = regions.regions(scores, 2 * settings.radius + 1)
    assert region.of_planes(scores).numel() < 0.8 * scores.numel()
    monkeypatch.setattr(regions, "_MAYBE", -1.0)
    (region,) = regions.regions(scores, 0)
    assert region.of_planes(scores).shape == scores.shape
    everywhere, its_matte = matte_pixels(scores, frame, settings)
    assert labels.any()
    assert (labels != everywhere).float().mean() < 1e-5
    assert (matte.int() - its_matte.int()).abs().max() <= 1
    assert label_pixels(scores, frame, settings).equal(everywhere)


def test_each_frame_has_the_box_of_what_may_be_the_object_and_what_is_in_reach() -> None:
    scores = torch.full((3, 2, 20, 30), 0.01)
    scores[0, 0, 6, 10] = scores[0, 1, 9, 12] = 0.5
    scores[2, :, 0, 29] = 0.04  # together more than any alone
    assert list(regions.regions(scores, 3)) == [
        regions.Region(slice(0, 1), slice(3, 13), slice(7, 16)),
        regions.Region(slice(2, 3), slice(0, 4), slice(26, 33)),
    ]


def test_on_a_gpu_nothing_is_looked_at() -> None:
    everywhere = regions.Region(slice(0, 4), slice(0, 20), slice(0, 30))
    assert list(regions.regions(torch.empty(4, 2, 20, 30, device="meta"), 3)) == [everywhere]


def test_a_frame_without_an_object_is_background() -> None:
    scores, frame = blob(0.5, 0.5, 0.2)
    two = torch.cat([scores * 0, scores])
    labels, matte = matte_pixels(two, frame.expand(2, -1, -1, -1))
    assert not labels[0].any()
    assert not matte[0].any()
    assert labels[1].equal(label_pixels(scores, frame)[0])

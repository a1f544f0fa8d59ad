"""Patch scores to pixel labels, against a filter that is applied to every pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from videoparts import refine
from videoparts.config import RefineSettings
from videoparts.grid import Grid
from videoparts.refine import label_pixels


def box(planes: torch.Tensor, radius: int) -> torch.Tensor:
    return F.avg_pool2d(planes, 2 * radius + 1, 1, radius, count_include_pad=False)


def slow_labels(probabilities: torch.Tensor, grid: Grid, frame: torch.Tensor, settings: RefineSettings) -> torch.Tensor:
    """One frame, every class, every pixel: the fast guided filter as its paper writes it, in float64."""
    height, width = frame.shape[:2]
    cell = max(1, round(height / (grid.rows * refine._CELLS)))
    assert height % cell == 0
    assert width % cell == 0
    y, x = height // cell, width // cell
    p = grid.row_weights(y).double() @ probabilities.double() @ grid.column_weights(x).double().T
    small = F.interpolate(frame.permute(2, 0, 1)[None], size=(y, x), mode="bilinear", antialias=True)[0].double() / 255
    planes = []
    for q in p:
        mean_i, mean_p = box(small[None], settings.radius)[0], box(q[None, None], settings.radius)[0, 0]
        covariance = torch.empty(y, x, 3, 3, dtype=torch.float64)
        crossed = torch.empty(y, x, 3, dtype=torch.float64)
        for i in range(3):
            crossed[..., i] = box((small[i] * q)[None, None], settings.radius)[0, 0] - mean_i[i] * mean_p
            for j in range(3):
                product = box((small[i] * small[j])[None, None], settings.radius)[0, 0]
                covariance[..., i, j] = product - mean_i[i] * mean_i[j]
        a = torch.linalg.solve(covariance + settings.eps * torch.eye(3, dtype=torch.float64), crossed)
        b = mean_p - (a.permute(2, 0, 1) * mean_i).sum(0)
        ab = box(torch.cat([a.permute(2, 0, 1), b[None]])[None], settings.radius)
        full = F.interpolate(ab, size=(height, width), mode="bilinear", align_corners=False)[0]
        planes.append((full[:3] * frame.permute(2, 0, 1).double() / 255).sum(0) + full[3])
    return torch.stack(planes).argmax(0).to(torch.uint8)


def scene(height: int, width: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, Grid, torch.Tensor]:
    """Soft random probabilities on a grid, and a frame of coloured blobs with texture."""
    random = torch.Generator().manual_seed(seed)
    grid = Grid.fit((height, width), 112, 14, 14)
    logits = F.interpolate(torch.randn(1, classes, 3, 4, generator=random), (grid.rows, grid.columns), mode="bicubic")
    frame = F.interpolate(torch.rand(1, 3, 7, 9, generator=random), (height, width), mode="bicubic")[0].permute(1, 2, 0)
    frame = frame + 0.05 * torch.randn(height, width, 3, generator=random)
    return (logits * 6).softmax(1), grid, (frame.clamp(0, 1) * 255).to(torch.uint8)


@pytest.mark.parametrize("classes", [2, 4, 7])
def test_equals_the_filter_applied_everywhere(classes: int) -> None:
    probabilities, grid, frame = scene(240, 318, classes)
    settings = RefineSettings()
    fast = label_pixels(probabilities, grid, frame[None], settings)[0]
    slow = slow_labels(probabilities[0], grid, frame, settings)
    assert (fast != slow).float().mean() < 1e-3
    assert len(fast.unique()) == classes


def test_labels_follow_the_edge_of_the_frame() -> None:
    """The object's edge lies inside a patch; bilinear upsampling cannot know where, the filter can."""
    height, width, edge = 280, 420, 151
    frame = torch.full((height, width, 3), 40, dtype=torch.uint8)
    frame[:, edge:] = 210
    grid = Grid.fit((height, width), 112, 14, 14)
    share = (torch.arange(grid.columns + 1) * width / grid.columns - edge).clamp(min=0)
    inside = share.diff() / (width / grid.columns)
    probabilities = torch.stack([1 - inside, inside]).view(1, 2, 1, -1).expand(1, 2, grid.rows, -1).contiguous()
    right = (torch.arange(width) >= edge).to(torch.uint8).expand(height, -1)
    refined = label_pixels(probabilities, grid, frame[None], RefineSettings())[0]
    plain = label_pixels(probabilities, grid, frame[None], RefineSettings(radius=0))[0]
    assert (refined != right).sum() == 0
    assert (plain != right).sum() > height


@pytest.mark.parametrize(("height", "width"), [(97, 131), (241, 319), (30, 500), (16, 16), (1080, 60)])
def test_any_size_is_labelled_whole(height: int, width: int) -> None:
    probabilities, grid, frame = scene(height, width, 3)
    labels = label_pixels(probabilities, grid, frame[None])
    assert labels.shape == (1, height, width)
    assert labels.dtype == torch.uint8
    assert labels.max() <= 2


def test_frames_of_a_batch_do_not_touch_each_other() -> None:
    probabilities, grid, frame = scene(240, 320, 4)
    other, _, other_frame = scene(240, 320, 4, seed=1)
    both = label_pixels(torch.cat([probabilities, other]), grid, torch.stack([frame, other_frame]))
    assert both[0].equal(label_pixels(probabilities, grid, frame[None])[0])
    assert both[1].equal(label_pixels(other, grid, other_frame[None])[0])


def test_memory_does_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, grid, frame = scene(240, 320, 4)
    whole = label_pixels(probabilities, grid, frame[None])
    monkeypatch.setattr(refine, "_CHUNK", 5000)
    assert label_pixels(probabilities, grid, frame[None]).equal(whole)


def test_background_alone() -> None:
    frame = torch.zeros(1, 50, 60, 3, dtype=torch.uint8)
    grid = Grid.fit((50, 60), 56, 14, 14)
    assert np.all(label_pixels(torch.ones(1, 1, grid.rows, grid.columns), grid, frame).numpy() == 0)

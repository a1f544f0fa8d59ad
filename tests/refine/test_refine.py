"""Patch scores to pixels, against a mean field that is worked out everywhere, slowly, in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slow_colours
import torch
import torch.nn.functional as F

from videoparts.config import RefineSettings
from videoparts.grid import Grid
from videoparts.refine import full_size
from videoparts.refine.pixels import label_pixels, matte_pixels, working_scores


def box(planes: torch.Tensor, radius: int) -> torch.Tensor:
    return F.avg_pool2d(planes, 2 * radius + 1, 1, radius, count_include_pad=False)


class SlowFilter:
    """The guided filter as its paper writes it: one plane, the covariances solved as matrices."""

    def __init__(self, small: torch.Tensor, radius: int, eps: float) -> None:
        self.small, self.radius = small, radius
        self.covariance = torch.stack(
            [torch.stack([self.covary(small[i], small[j]) for j in range(3)], -1) for i in range(3)], -2
        ) + eps * torch.eye(3, dtype=torch.float64)

    def mean(self, plane: torch.Tensor) -> torch.Tensor:
        return box(plane[None, None], self.radius)[0, 0]

    def covary(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.mean(a * b) - self.mean(a) * self.mean(b)

    def functions(self, plane: torch.Tensor) -> torch.Tensor:
        crossed = torch.stack([self.covary(channel, plane) for channel in self.small], -1)
        a = torch.linalg.solve(self.covariance, crossed).permute(2, 0, 1)
        b = self.mean(plane) - sum(a[i] * self.mean(self.small[i]) for i in range(3))
        return torch.stack([self.mean(part) for part in (*a, b)])

    def __call__(self, plane: torch.Tensor) -> torch.Tensor:
        at = self.functions(plane)
        return (at[:3] * self.small).sum(0) + at[3]


def slow_scores(probabilities: torch.Tensor, grid: Grid, frame: torch.Tensor, settings: RefineSettings) -> torch.Tensor:
    """(C - 1, H, W) scores of one frame, every class but the background, every pixel."""
    height, width = frame.shape[:2]
    cell = round(height * grid.patch / grid.height / 5)
    assert height % cell == 0
    assert width % cell == 0
    y, x = height // cell, width // cell
    p = (grid.row_weights(y).double() @ probabilities.double() @ grid.column_weights(x).double().T)[1:]
    small = F.interpolate(frame.permute(2, 0, 1)[None], size=(y, x), mode="bilinear", antialias=True)[0].double() / 255
    guided = SlowFilter(small, settings.radius, settings.eps)
    given = p.sum(0)
    sure = given.clamp(1e-3, 1 - 1e-3)
    coloured = slow_colours.log_odds([small.permute(1, 2, 0).numpy()], [given.numpy()])
    unary = sure / (1 - sure) * torch.from_numpy(coloured).exp()
    belief = unary / (1 + unary)
    for _ in range(settings.steps):
        # Twice the message, as the log-odds of the object; less what the mere place tells.
        place = box(box(belief[None, None], settings.radius), settings.radius)[0, 0]
        energy = 12 * ((guided(belief) - 0.5) - 0.4 * (place - 0.5))
        odds = unary * energy.exp()
        belief = odds / (1 + odds)
    if settings.steps:
        p = p * belief / given
    planes = []
    for q in p:
        full = F.interpolate(guided.functions(q)[None], size=(height, width), mode="bilinear", align_corners=False)[0]
        planes.append((full[:3] * frame.permute(2, 0, 1).double() / 255).sum(0) + full[3])
    return torch.stack(planes)


def slow_labels(scores: torch.Tensor) -> torch.Tensor:
    return torch.where(scores.sum(0) > 0.5, scores.argmax(0) + 1, 0).to(torch.uint8)


def scene(height: int, width: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, Grid, torch.Tensor]:
    """Soft random probabilities on a grid, and a frame of coloured blobs with texture."""
    random = torch.Generator().manual_seed(seed)
    grid = Grid.fit((height, width), 112, 14, 14)
    logits = F.interpolate(torch.randn(1, classes, 3, 4, generator=random), (grid.rows, grid.columns), mode="bicubic")
    logits[:, 0] += 0.2 * classes
    frame = F.interpolate(torch.rand(1, 3, 7, 9, generator=random), (height, width), mode="bicubic")[0].permute(1, 2, 0)
    frame = frame + 0.05 * torch.randn(height, width, 3, generator=random)
    return (logits * 6).softmax(1), grid, (frame.clamp(0, 1) * 255).to(torch.uint8)


def labels_of(
    probabilities: torch.Tensor, grid: Grid, frame: torch.Tensor, settings: RefineSettings | None = None
) -> torch.Tensor:
    return label_pixels(working_scores(probabilities, grid, tuple(frame.shape[:2])), frame[None], settings)[0]  # type: ignore[arg-type]


def matte_of(probabilities: torch.Tensor, grid: Grid, frame: torch.Tensor) -> torch.Tensor:
    scores = working_scores(probabilities, grid, tuple(frame.shape[:2]))  # type: ignore[arg-type]
    return matte_pixels(scores, frame[None])[1][0]


@pytest.mark.parametrize("classes", [2, 4, 7])
@pytest.mark.parametrize("settings", [RefineSettings(), RefineSettings(steps=0, eps=1e-4), RefineSettings(2, 1e-3, 1)])
def test_labels_are_those_of_the_mean_field_worked_out_everywhere(classes: int, settings: RefineSettings) -> None:
    probabilities, grid, frame = scene(240, 318, classes)
    fast = labels_of(probabilities, grid, frame, settings)
    slow = slow_labels(slow_scores(probabilities[0], grid, frame, settings))
    assert (fast != slow).float().mean() < 2e-3
    assert len(fast.unique()) == classes


@pytest.mark.parametrize("classes", [2, 4])
def test_the_matte_is_that_of_the_mean_field_worked_out_everywhere(classes: int) -> None:
    probabilities, grid, frame = scene(240, 318, classes)
    fast = matte_of(probabilities, grid, frame)
    slow = 255 * (3 * slow_scores(probabilities[0], grid, frame, RefineSettings()).sum(0) - 1).clamp(0, 1)
    assert fast.shape == (240, 318)
    difference = (fast - slow).abs()
    assert difference.mean() < 0.5
    assert (difference > 3).float().mean() < 2e-3
    assert ((fast > 0) & (fast < 255)).float().mean() > 0.01


def test_matte_and_labels_agree() -> None:
    probabilities, grid, frame = scene(240, 320, 4)
    scores = working_scores(probabilities, grid, (240, 320))
    labels, matte = matte_pixels(scores, frame[None])
    assert labels[0].equal(labels_of(probabilities, grid, frame))
    assert ((matte > 127) == (labels > 0)).float().mean() > 0.999


def test_which_part_does_not_change_whether_it_is_the_object() -> None:
    probabilities, grid, frame = scene(240, 320, 4)
    together = torch.cat([probabilities[:, :1], probabilities[:, 1:].sum(1, keepdim=True)], dim=1)
    same = (labels_of(probabilities, grid, frame) > 0) == (labels_of(together, grid, frame) > 0)
    assert same.float().mean() > 0.999


def test_labels_follow_the_edge_of_the_frame() -> None:
    """The object's edge lies inside a patch; bilinear upsampling cannot know where, the filter can."""
    height, width, edge = 280, 420, 151
    frame = torch.full((height, width, 3), 40, dtype=torch.uint8)
    frame[:, edge:] = 210
    grid = Grid.fit((height, width), 112, 14, 14)
    right = (torch.arange(width) >= edge).to(torch.uint8).expand(height, -1)
    probabilities = shares(right, grid)
    refined = labels_of(probabilities, grid, frame)
    plain = labels_of(probabilities, grid, frame, RefineSettings(radius=0))
    assert (refined != right).sum() == 0
    assert (plain != right).sum() > height


def shares(mask: torch.Tensor, grid: Grid) -> torch.Tensor:
    """(1, 2, h, w): the share of each patch that a mask (H, W) covers."""
    inside = F.adaptive_avg_pool2d(mask[None, None].float(), (grid.rows, grid.columns))
    return torch.cat([1 - inside, inside], dim=1)


def test_a_limb_thinner_than_a_patch_is_kept_and_cut_out() -> None:
    """A body, and a leg of half a patch: the filter alone loses the leg, the mean field cuts it out."""
    height, width = 240, 320  # a patch is 30 pixels
    truth = torch.zeros(height, width)
    truth[40:120, 60:220] = 1
    truth[120:220, 160:175] = 1
    random = torch.Generator().manual_seed(0)
    frame = torch.where(truth[..., None] > 0, torch.tensor([190.0, 120, 60]), torch.tensor([90.0, 130, 90]))
    frame = (frame + 6 * torch.randn(height, width, 3, generator=random)).clamp(0, 255).to(torch.uint8)
    grid = Grid.fit((height, width), 112, 14, 14)
    probabilities = shares(truth, grid)
    leg = truth.clone()
    leg[:130] = 0

    def found(settings: RefineSettings) -> tuple[float, float]:
        labels = labels_of(probabilities, grid, frame, settings) > 0
        wrong = (labels != (truth > 0)).float().sum() / truth.sum()
        return float(labels[leg > 0].float().mean()), float(wrong)

    kept, wrong = found(RefineSettings())
    plain_kept, plain_wrong = found(RefineSettings(radius=0))
    alone_kept, alone_wrong = found(RefineSettings(steps=0))
    assert kept > 0.75
    assert wrong < 0.03
    assert kept > 2 * max(plain_kept, alone_kept)
    assert wrong < min(plain_wrong, alone_wrong) / 2


@pytest.mark.parametrize("size", [(97, 131), (241, 319), (30, 500), (16, 16), (1080, 60), (9, 40)])
@pytest.mark.parametrize("load_size", [14, 112])
def test_any_size_is_filled_whole(size: tuple[int, int], load_size: int) -> None:
    grid = Grid.fit(size, load_size, 14, 14)
    probabilities = torch.rand(1, 3, grid.rows, grid.columns, generator=torch.Generator().manual_seed(0)).softmax(1)
    frame = torch.zeros(*size, 3, dtype=torch.uint8)
    labels, matte = labels_of(probabilities, grid, frame), matte_of(probabilities, grid, frame)
    assert labels.shape == size
    assert labels.dtype == matte.dtype == torch.uint8
    assert labels.max() <= 2
    assert matte.shape == size


@pytest.mark.parametrize(
    ("load_size", "patch", "stride", "rows"),
    [
        (56, 14, 14, 20),
        (336, 14, 14, 120),
        (336, 14, 2, 120),
        (448, 14, 14, 120),
        (896, 14, 14, 160),
        (896, 14, 7, 160),
        (1920, 14, 14, 240),
        (480, 8, 8, 160),
    ],
)
@pytest.mark.parametrize("upright", [False, True])
def test_the_working_picture_depends_on_the_patches_size_not_on_their_number(
    load_size: int, patch: int, stride: int, rows: int, upright: bool
) -> None:
    size = (720, 480) if upright else (480, 720)
    grid = Grid.fit(size, load_size, patch, stride)
    scores = working_scores(torch.zeros(1, 2, grid.rows, grid.columns), grid, size)
    assert min(scores.shape[2:]) == rows
    assert max(scores.shape[2:]) == rows * 3 // 2


@pytest.mark.parametrize("size", [(480, 640), (487, 653), (1079, 1911)])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_working_picture_lies_where_the_frame_does(size: tuple[int, int], axis: int) -> None:
    """Scores that grow with the place: a working pixel has that of its cell's middle, in a last one cut off too."""
    grid = Grid(336, 448, 14, 14)
    patches = (grid.rows, grid.columns)
    ramp = (torch.arange(patches[axis]) + 0.5) / patches[axis]  # of the height or width
    inside = (ramp[:, None] if axis == 0 else ramp).expand(1, 1, *patches)
    scores = working_scores(torch.cat([1 - inside, inside], dim=1), grid, size)[0, 0]
    cell = -(-size[0] // len(scores))
    middles = (torch.arange(scores.shape[axis]) + 0.5) * cell / size[axis]
    between = (middles > ramp[0]) & (middles < ramp[-1])  # beyond the outermost patches, the score stays as it is
    assert between.sum() > 100
    assert torch.allclose(scores.select(1 - axis, 7)[between], middles[between], atol=1e-5)


def test_scores_of_another_size_are_refused() -> None:
    probabilities, grid, frame = scene(240, 320, 2)
    scores = working_scores(probabilities, grid, (240, 320))
    with pytest.raises(ValueError, match="40 x 54 cells"):
        label_pixels(scores, frame[None, :, :200])


def test_frames_of_a_batch_do_not_touch_each_other() -> None:
    probabilities, grid, frame = scene(240, 320, 4)
    other, _, other_frame = scene(240, 320, 4, seed=1)
    scores = working_scores(torch.cat([probabilities, other]), grid, (240, 320))
    frames = torch.stack([frame, other_frame])
    assert label_pixels(scores, frames)[0].equal(labels_of(probabilities, grid, frame))
    assert label_pixels(scores, frames)[1].equal(labels_of(other, grid, other_frame))
    assert matte_pixels(scores, frames)[1][1].equal(matte_of(other, grid, other_frame))


def test_the_result_does_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, grid, frame = scene(240, 320, 4)
    labels, matte = labels_of(probabilities, grid, frame), matte_of(probabilities, grid, frame)
    monkeypatch.setattr(full_size, "_CHUNK", 5000)
    assert labels_of(probabilities, grid, frame).equal(labels)
    assert matte_of(probabilities, grid, frame).equal(matte)


def test_background_alone() -> None:
    frame = torch.zeros(50, 60, 3, dtype=torch.uint8)
    grid = Grid.fit((50, 60), 56, 14, 14)
    alone = torch.ones(1, 1, grid.rows, grid.columns)
    assert np.all(labels_of(alone, grid, frame).numpy() == 0)
    assert np.all(matte_of(alone, grid, frame).numpy() == 0)


def kilobytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def test_memory_at_4k() -> None:
    """Beyond the frame itself: next to the labels, a few working pictures and chunks."""
    size = (2160, 3840)
    probabilities, grid, small = scene(216, 384, 5)
    frame = small.repeat_interleave(10, 0).repeat_interleave(10, 1)
    labels_of(probabilities, grid, small)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("only Linux forgets a process's peak memory")
    before = kilobytes("VmRSS")
    assert labels_of(probabilities, grid, frame).shape == size
    assert kilobytes("VmHWM") - before < 400 * 1024

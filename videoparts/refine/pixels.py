"""From scores of patches to labels and a matte of pixels, along the edges of the frame.

In two steps, so that scores can be averaged over time in between: `working_scores` brings them to the working
picture, a small one that the frame is cut into square cells for; `label_pixels` and `matte_pixels` make them follow the
colours there, and then fill the frame. What colours tell of the object, `colours_of`, can be gathered from several
frames in between, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch

from ..config import RefineSettings
from ..grid import Grid
from ..resize import resize, unit_range
from ..sigmoid import sigmoid
from .colours import Colours
from .full_size import full_labels, full_matte
from .guided_filter import GuidedFilter, apply
from .regions import regions

_ROWS = 120  # pixels on the short side of the working picture, where that gives a patch's side
_CELLS = (2.5, 5.0)  # so many of them at least and at most
_MOST_ROWS = 240
_PULL = 12.0  # log-odds that a message is worth, for each unit of probability
_PLACE = 0.4  # share of a message that neighbours of whatever colour explain, and that is taken off again
_SURE = 1e-3  # no patch score counts as surer than this


def working_scores(probabilities: torch.Tensor, grid: Grid, size: tuple[int, int]) -> torch.Tensor:
    """Bring the scores of patches to the working picture, bilinearly.

    Its pixels stand for square cells of the frame: 120 on the short side, so that what follows takes the same time and
    reaches as far whatever the patches; more cost more and gain nothing. But a patch has 5 at most, for the filter to
    reach beyond it, and 2.5 at least, up to 240 cells, not to lose what it tells. It is the patch's size that counts,
    not the stride: patches that overlap tell more often, not more finely, what is where.

    Args:
        probabilities: (N, C, h, w) float32, that add up to 1 over the classes; the first is background.
        grid: where the h x w patches lie.
        size: (height, width) of the frames in pixels.

    Returns:
        (N, C - 1, y, x) float32, of the classes but the background: that is what they leave.
    """
    height, width = size
    patches = min(grid.height, grid.width) / grid.patch
    least, most = (cells * patches for cells in _CELLS)
    cell = max(1, round(min(size) / min(max(_ROWS, least), most, _MOST_ROWS)))
    y = -(-height // cell)
    cell = _cell(height, y)  # the least that makes so many rows: `label_pixels` will find it again
    x = -(-width // cell)
    rows, columns = _weights(grid, (y, x), (height / cell, width / cell), probabilities.device)
    return rows @ probabilities[:, 1:] @ columns.T


@lru_cache(maxsize=16)
def _weights(
    grid: Grid, size: tuple[int, int], extent: tuple[float, float], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bilinear weights (y, h) and (x, w) that bring patches to a working picture of ``size``."""
    return grid.row_weights(size[0], extent[0]).to(device), grid.column_weights(size[1], extent[1]).to(device)


@torch.inference_mode()
def colours_of(scores: torch.Tensor, frames: torch.Tensor) -> Colours:
    """The colours of frames (N, H, W, 3) uint8, on the working picture of their scores (N, C - 1, y, x).

    Raises:
        ValueError: the scores are not of frames of this size.
    """
    y, x = scores.shape[2:]
    cell = _cell(frames.shape[1], y)
    frames = _pad(frames, cell)
    if frames.shape[1:3] != (y * cell, x * cell):
        raise ValueError(f"scores of {y} x {x} cells are not of frames of {frames.shape[1]} x {frames.shape[2]} pixels")
    return Colours.of(resize(frames, (y, x), "bilinear"), scores)


@torch.inference_mode()
def label_pixels(
    scores: torch.Tensor, frames: torch.Tensor, settings: RefineSettings | None = None, colours: Colours | None = None
) -> torch.Tensor:
    """Label every pixel: with background, or with the most probable part where the parts together are likelier.

    Args:
        scores: (N, C - 1, y, x) float32, of `working_scores` for frames of this size.
        frames: (N, H, W, 3) uint8, on the device of the scores.
        settings: radius, regularisation, rounds.
        colours: `colours_of` these frames, that may count those of other frames too. None: each frame's own.

    Returns:
        (N, H, W) uint8, on that device.

    Raises:
        ValueError: the scores are not of frames of this size.
    """
    (labels,) = _pixels(scores, frames, settings, colours, (full_labels,))
    return labels


@torch.inference_mode()
def matte_pixels(
    scores: torch.Tensor, frames: torch.Tensor, settings: RefineSettings | None = None, colours: Colours | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The labels of `label_pixels`, and from the same scores how much of each pixel the object covers, 0 to 255.

    Arguments and errors as for `label_pixels`.

    Returns:
        Labels and matte, (N, H, W) uint8 each. But for rounding, a pixel has a part where the matte is above 127.
    """
    labels, matte = _pixels(scores, frames, settings, colours, (full_labels, full_matte))
    return labels, matte


def _pixels(
    scores: torch.Tensor,
    frames: torch.Tensor,
    settings: RefineSettings | None,
    colours: Colours | None,
    wanted: Sequence[Callable[[torch.Tensor, torch.Tensor, torch.Tensor, int], torch.Tensor]],
) -> list[torch.Tensor]:
    """What each of ``wanted``, functions of `full_size`, makes of every pixel: (N, H, W) uint8, 0 where no object can
    be."""
    planes = [torch.zeros(frames.shape[:3], dtype=torch.uint8, device=frames.device) for _ in wanted]
    if scores.shape[1] == 0:
        return planes
    settings = settings or RefineSettings()
    colours = colours or colours_of(scores, frames)
    cell = _cell(frames.shape[1], scores.shape[2])
    # A window reaches a radius, and all windows that a pixel lies in, two; between pixels is half of another one.
    for region in regions(scores, 2 * settings.radius + 1):
        there = colours.within(region)
        guide = unit_range(there.picture).contiguous()  # a channel after the other: a seventh faster
        functions = _refined(region.of_planes(scores), guide, there, settings)
        some = _pad(region.of_pixels(frames, cell), cell)
        for plane, full in zip(planes, wanted, strict=True):
            target = region.of_pixels(plane, cell)
            each = torch.stack([full(*one, cell) for one in zip(functions, guide, some, strict=True)])
            target.copy_(each[:, : target.shape[1], : target.shape[2]])
    return planes


def _refined(scores: torch.Tensor, guide: torch.Tensor, colours: Colours, settings: RefineSettings) -> torch.Tensor:
    """Linear functions of the colour (N, C - 1, 4, y, x); the guide is the colours' picture (N, 3, y, x), 0 to 1."""
    if not settings.radius:
        flat = torch.zeros_like(scores)[:, :, None].expand(-1, -1, 3, -1, -1)
        return torch.cat([flat, scores[:, :, None]], dim=2)
    guided = GuidedFilter(guide, settings.radius, settings.eps)
    if settings.steps:
        whole = scores.sum(1, keepdim=True)
        unary = torch.logit(whole.clamp(_SURE, 1 - _SURE)) + colours.log_odds()[:, None]
        scores = scores * (_mean_field(unary, guide, guided, settings.steps) / whole.clamp(min=_SURE**2))
    return guided.functions(scores)


def _mean_field(unary: torch.Tensor, guide: torch.Tensor, guided: GuidedFilter, steps: int) -> torch.Tensor:
    """From log-odds of the object to its probability (N, 1, y, x), made to agree with the pixels around of its colour.

    A mean field (Kraehenbuehl, Koltun: "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials",
    2011), whose pairwise kernel is that of the guided filter. A message says what the colour tells of the pixel. Part
    of it is only where the pixel lies: the mean around it. Kept, that pulls everything thinner than the window into
    the background; _PLACE of it is taken off, so that limbs stay.
    """
    whole = sigmoid(unary)
    unary = unary - _PULL * (1 - _PLACE) / 2  # messages are about one half
    for _ in range(steps):
        functions, place = guided.functions_and_mean(whole)
        message = apply(functions, guide).sub_(place, alpha=_PLACE)
        whole = sigmoid(torch.add(unary, message, alpha=_PULL))
    return whole


def _cell(height: int, rows: int) -> int:
    """The side in pixels of cells, so many rows of which cover a frame of ``height``."""
    return -(-height // rows)


def _pad(frames: torch.Tensor, cell: int) -> torch.Tensor:
    """Frames (N, H, W, 3) with their last row and column repeated until both sides are multiples of ``cell``."""
    for axis, length in ((1, frames.shape[1]), (2, frames.shape[2])):
        if missing := -length % cell:
            last = frames.narrow(axis, length - 1, 1)
            frames = torch.cat([frames, *[last] * missing], dim=axis)
    return frames

"""From scores of patches to labels of pixels, along the edges of the frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .config import RefineSettings
from .grid import Grid
from .resize import resize, unit_range

_CELLS = 5  # rows of the working picture a row of patches
_CLEAR_LEAD = 0.3  # a class that leads by less in a cell is worked out pixel by pixel
_CHUNK = 1 << 22  # numbers that are worked out at full size at a time, whatever the size of the frame


@torch.inference_mode()
def label_pixels(
    probabilities: torch.Tensor, grid: Grid, frames: torch.Tensor, settings: RefineSettings | None = None
) -> torch.Tensor:
    """Label every pixel with its most probable class.

    A fast guided filter (He, Sun: "Fast Guided Filter", 2015): the probability of each class is fitted, in windows of
    a small working picture, as a linear function of the colour; that function is then applied at full size. So
    labels follow the colour edges of the frame although patches are far larger.

    Applying it everywhere would take most of the time and change nothing inside a part. A pixel of the working
    picture stands for a cell of the frame; only cells where the label is not clear are worked out at full size.

    Args:
        probabilities: (N, C, h, w) float32, that add up to 1 over the classes.
        grid: where the h x w patches lie.
        frames: (N, H, W, 3) uint8, on the device of the probabilities.
        settings: radius and regularisation.

    Returns:
        (N, H, W) uint8, on that device.
    """
    settings = settings or RefineSettings()
    n, classes = probabilities.shape[:2]
    height, width = frames.shape[1:3]
    if classes == 1:
        return torch.zeros(n, height, width, dtype=torch.uint8, device=frames.device)
    cell = max(1, round(height / (grid.rows * _CELLS)))
    frames = _pad(frames, cell)
    size = (frames.shape[1] // cell, frames.shape[2] // cell)
    rows = grid.row_weights(size[0], height / cell).to(probabilities)
    columns = grid.column_weights(size[1], width / cell).to(probabilities)
    # The first class is what the others leave: the filter is linear, so it needs no fit of its own.
    small = rows @ probabilities[:, 1:] @ columns.T
    guide = unit_range(resize(frames, size, "bilinear"))
    if settings.radius:
        planes = _fit(small, guide, settings)
    else:
        planes = torch.cat([torch.zeros_like(small)[:, None].expand(-1, 3, -1, -1, -1), small[:, None]], dim=1)
    labels = torch.stack([_label(planes[i], guide[i], frames[i], cell) for i in range(n)])
    return labels[:, :height, :width]


def _pad(frames: torch.Tensor, cell: int) -> torch.Tensor:
    """Frames (N, H, W, 3) with their last row and column repeated until both sides are multiples of ``cell``."""
    for axis, length in ((1, frames.shape[1]), (2, frames.shape[2])):
        if missing := -length % cell:
            last = frames.narrow(axis, length - 1, 1)
            frames = torch.cat([frames, *[last] * missing], dim=axis)
    return frames


def _fit(small: torch.Tensor, guide: torch.Tensor, settings: RefineSettings) -> torch.Tensor:
    """Guided filter at the working size: (N, 4, C, y, x), the factors of red, green and blue, and the offset."""
    c = small.shape[1]
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    products = torch.stack([guide[:, i] * guide[:, j] for i, j in pairs], dim=1)
    crossed = (guide[:, :, None] * small[:, None]).flatten(1, 2)
    means = _box(torch.cat([guide, products, small, crossed], dim=1), settings.radius)
    mean_i, mean_ii, mean_p, mean_ip = torch.split(means, [3, 6, c, 3 * c], dim=1)
    mean_ip = _split_planes(mean_ip, 3)

    # Covariance of the colours, a symmetric 3 x 3 matrix a pixel, inverted in closed form.
    rr, rg, rb, gg, gb, bb = (mean_ii[:, k] - mean_i[:, i] * mean_i[:, j] for k, (i, j) in enumerate(pairs))
    rr, gg, bb = rr + settings.eps, gg + settings.eps, bb + settings.eps
    i_rr, i_rg, i_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    i_gg, i_gb, i_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * i_rr + rg * i_rg + rb * i_rb
    covariance = mean_ip - mean_i[:, :, None] * mean_p[:, None]  # (N, 3, C, y, x)
    red, green, blue = covariance.unbind(1)
    a = (
        torch.stack(
            [
                i_rr[:, None] * red + i_rg[:, None] * green + i_rb[:, None] * blue,
                i_rg[:, None] * red + i_gg[:, None] * green + i_gb[:, None] * blue,
                i_rb[:, None] * red + i_gb[:, None] * green + i_bb[:, None] * blue,
            ],
            dim=1,
        )
        / determinant[:, None, None]
    )
    b = mean_p - (a * mean_i[:, :, None]).sum(1)
    planes = torch.cat([a, b[:, None]], dim=1)
    return _split_planes(_box(planes.flatten(1, 2), settings.radius), 4)


def _split_planes(planes: torch.Tensor, factors: int) -> torch.Tensor:
    """(N, factors * C, y, x) to (N, factors, C, y, x)."""
    return planes.reshape(len(planes), factors, -1, *planes.shape[2:])


def _box(planes: torch.Tensor, radius: int) -> torch.Tensor:
    """Mean over a square window, at the border over the part of it that exists."""
    return _line_mean(_line_mean(planes, radius, -2), radius, -1)


def _line_mean(planes: torch.Tensor, radius: int, axis: int) -> torch.Tensor:
    """The same along one axis. The window's sum is made of sums over 1, 2, 4, ... pixels, each the sum of two of
    the one before: six times as fast as a pooling layer, and no rounding builds up as in running sums."""
    length, side = planes.shape[axis], 2 * radius + 1
    block = F.pad(planes, (radius, radius) if axis == -1 else (0, 0, radius, radius))
    total = torch.zeros_like(planes)
    width, done = 1, 0
    while True:
        if side & width:
            total += block.narrow(axis, done, length)
            done += width
        if done == side:
            break
        short = block.shape[axis] - width
        block = block.narrow(axis, 0, short) + block.narrow(axis, width, short)
        width *= 2
    at = torch.arange(length, device=planes.device)
    count = (at + radius).clamp(max=length - 1) - (at - radius).clamp(min=0) + 1
    return total / (count if axis == -1 else count[:, None])


def _label(planes: torch.Tensor, guide: torch.Tensor, frame: torch.Tensor, cell: int) -> torch.Tensor:
    """Labels (H, W) uint8 of one frame (H, W, 3), both sides multiples of ``cell``.

    ``planes`` (4, C, y, x) are the factors of red, green, blue and the offset of each class but the first;
    ``guide`` (3, y, x) is the working picture.
    """
    _, classes, y, x = planes.shape
    scores = (planes[:3] * guide[:, None]).sum(0) + planes[3]
    scores = torch.cat([1 - scores.sum(0, keepdim=True), scores])
    top = scores.topk(2, dim=0)
    coarse = top.indices[0].to(torch.uint8)
    labels = coarse.view(y, 1, x, 1).expand(y, cell, x, cell).clone()

    # Unclear: another label among the neighbours, or a narrow lead.
    padded = F.pad(coarse.float()[None, None], (1, 1, 1, 1), mode="replicate")
    mixed = (F.max_pool2d(padded, 3, 1) != -F.max_pool2d(-padded, 3, 1))[0, 0]
    at_y, at_x = (mixed | (top.values[0] - top.values[1] < _CLEAR_LEAD)).nonzero(as_tuple=True)
    if cell == 1 or len(at_y) == 0:
        return labels.view(y, x) if cell == 1 else labels.view(y * cell, x * cell)

    # Bilinear weights of the 3 x 3 working pixels around, for each pixel of a cell: (cell * cell, 9).
    line = Grid(3, 3, 1, 1).row_weights(3 * cell)[cell : 2 * cell].to(planes)
    weights = (line[:, None, :, None] * line[None, :, None, :]).reshape(cell * cell, 9)
    around = F.pad(planes.flatten(0, 1)[None], (1, 1, 1, 1), mode="replicate")[0]
    offsets = [(dy, dx) for dy in range(3) for dx in range(3)]
    cells = frame.view(y, cell, x, cell, 3)
    step = max(1, _CHUNK // (cell * cell * 4 * classes))
    for some_y, some_x in zip(torch.split(at_y, step), torch.split(at_x, step), strict=True):
        nine = torch.stack([around[:, some_y + dy, some_x + dx] for dy, dx in offsets])  # (9, 4 * C, K)
        fine = (weights @ nine.flatten(1)).view(cell * cell, 4, classes, -1)
        colours = cells[some_y, :, some_x].reshape(-1, cell * cell, 3).permute(1, 2, 0).float().div_(255)
        full = fine[:, 3]
        for k in range(3):
            full = torch.addcmul(full, fine[:, k], colours[:, k, None])
        best, label = full.max(1)  # (cell * cell, K)
        label = torch.where(best > 1 - full.sum(1), label + 1, 0).to(torch.uint8)
        labels[some_y, :, some_x] = label.T.reshape(-1, cell, cell)
    return labels.view(y * cell, x * cell)

"""From linear functions of the colour, on the working picture, to labels and a matte at the full size of a frame.

Working them out everywhere would take most of the time and change nothing inside a part. A pixel of the working
picture stands for a cell of the frame; only cells where the answer is not clear are worked out pixel by pixel.

Shapes: the working picture has y x x pixels, the frame y * cell by x * cell; ``functions`` (4, C, y, x) are those of
`GuidedFilter.functions` for C parts. Their scores add up to that of the object.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from .grid import Grid
from .guided_filter import apply

_CLEAR_LEAD = 0.3  # a label that leads by less in a cell is worked out pixel by pixel
_STEEP = 3.0  # the object's score is stretched so much about one half to be a matte: no halo, an edge 2 pixels wide
_CHUNK = 1 << 22  # numbers that are worked out at full size at a time, whatever the size of the frame


def full_labels(functions: torch.Tensor, guide: torch.Tensor, frame: torch.Tensor, cell: int) -> torch.Tensor:
    """Labels of one frame: background, or the part with the highest score where all together exceed one half.

    Args:
        functions: (4, C, y, x) float32.
        guide: (3, y, x) float32, the working picture, 0 to 1.
        frame: (y * cell, x * cell, 3) uint8.
        cell: side of a cell in pixels.

    Returns:
        (y * cell, x * cell) uint8, 0 to C.
    """
    parts, y, x = functions.shape[1:]
    scores = apply(functions[None], guide[None])[0]
    coarse = _decide(scores)
    labels = coarse[:, None, :, None].expand(y, cell, x, cell).contiguous()
    if cell == 1:
        return labels.view(y, x)
    high, low = _extremes(coarse.float()[None])
    unclear = (high != low)[0] | ((2 * scores.sum(0) - 1).abs() < _CLEAR_LEAD)
    if parts > 1:
        best = scores.topk(2, 0).values
        unclear |= (best[0] - best[1] < _CLEAR_LEAD) & (coarse > 0)
    for at_y, at_x, fine in _fine(functions, unclear, frame, cell):
        labels[at_y, :, at_x] = _decide(fine).T.reshape(-1, cell, cell)
    return labels.view(y * cell, x * cell)


def full_matte(functions: torch.Tensor, guide: torch.Tensor, frame: torch.Tensor, cell: int) -> torch.Tensor:
    """How much of each pixel of one frame the object covers, 0 to 255: (y * cell, x * cell) uint8.

    Arguments as for `full_labels`. Pixels that have a part there are above 127 here.
    """
    functions = functions.sum(1, keepdim=True)  # linear functions of the colour add up to one of the object
    y, x = functions.shape[2:]
    coarse = _coverage(apply(functions[None], guide[None])[0, 0])
    matte = _to_bytes(coarse)[:, None, :, None].expand(y, cell, x, cell).contiguous()
    if cell == 1:
        return matte.view(y, x)
    high, low = _extremes(coarse[None])
    unclear = (high > 0)[0] & (low < 1)[0]
    for at_y, at_x, fine in _fine(functions, unclear, frame, cell):
        matte[at_y, :, at_x] = _to_bytes(_coverage(fine[0])).T.reshape(-1, cell, cell)
    return matte.view(y * cell, x * cell)


def _decide(scores: torch.Tensor) -> torch.Tensor:
    """(C, ...) to labels: first whether it is the object, then which part."""
    part = scores.max(0).indices  # argmax is six times as slow along the first axis
    return torch.where(scores.sum(0) > 0.5, part + 1, 0).to(torch.uint8)


def _coverage(score: torch.Tensor) -> torch.Tensor:
    """The object's score to what it covers, 0 to 1."""
    return ((score - 0.5) * _STEEP + 0.5).clamp(0, 1)


def _to_bytes(coverage: torch.Tensor) -> torch.Tensor:
    return (255 * coverage).round_().to(torch.uint8)


def _extremes(planes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The highest and the lowest of (K, y, x) among the 3 x 3 pixels around each."""
    around = F.pad(planes[None], (1, 1, 1, 1), mode="replicate")
    return F.max_pool2d(around, 3, 1)[0], -F.max_pool2d(-around, 3, 1)[0]


def _fine(
    functions: torch.Tensor, unclear: torch.Tensor, frame: torch.Tensor, cell: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Where ``unclear`` (y, x) cells lie, and the scores (C, cell * cell, K) of their pixels; K of them at a time."""
    parts, y, x = functions.shape[1:]
    at_y, at_x = unclear.nonzero(as_tuple=True)
    if len(at_y) == 0:
        return
    # Bilinear weights of the 3 x 3 working pixels around, for each pixel of a cell: (cell * cell, 9).
    line = Grid(3, 3, 1, 1).row_weights(3 * cell)[cell : 2 * cell].to(functions)
    weights = (line[:, None, :, None] * line[None, :, None, :]).reshape(cell * cell, 9)
    around = F.pad(functions.flatten(0, 1)[None], (1, 1, 1, 1), mode="replicate")[0]
    offsets = [(dy, dx) for dy in range(3) for dx in range(3)]
    cells = frame.view(y, cell, x, cell, 3)
    step = max(1, _CHUNK // (cell * cell * 4 * parts))
    for some_y, some_x in zip(torch.split(at_y, step), torch.split(at_x, step), strict=True):
        nine = torch.stack([around[:, some_y + dy, some_x + dx] for dy, dx in offsets])  # (9, 4 * C, K)
        fine = (weights @ nine.flatten(1)).view(cell * cell, 4, parts, -1)
        colours = cells[some_y, :, some_x].reshape(-1, cell * cell, 3).permute(1, 2, 0).float().div_(255)
        yield some_y, some_x, apply(fine, colours).transpose(0, 1)

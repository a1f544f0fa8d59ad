"""From linear functions of the colour, on the working picture, to labels and a matte at the full size of a frame.

Working them out everywhere would take most of the time and change nothing inside a part. A pixel of the working
picture stands for a cell of the frame; only cells where the answer is not clear are worked out pixel by pixel.

Shapes: the working picture has y x x pixels, the frame y * cell by x * cell; ``functions`` (C, 4, y, x) are those of
`GuidedFilter.functions` for C parts. Their scores add up to that of the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F

from ..grid import Grid
from .guided_filter import apply

_CLEAR_LEAD = 0.5  # a label that leads by less in a cell is worked out pixel by pixel
_STEEP = 3.0  # the object's score is stretched so much about one half to be a matte: no halo, an edge 2 pixels wide
_CHUNK = 1 << 20  # numbers that are worked out at full size at a time, whatever the size of the frame


def full_labels(functions: torch.Tensor, guide: torch.Tensor, frame: torch.Tensor, cell: int) -> torch.Tensor:
    """Labels of one frame: background, or the part with the highest score where all together exceed one half.

    Args:
        functions: (C, 4, y, x) float32.
        guide: (3, y, x) float32, the working picture, 0 to 1.
        frame: (y * cell, x * cell, 3) uint8.
        cell: side of a cell in pixels.

    Returns:
        (y * cell, x * cell) uint8, 0 to C.
    """
    scores = apply(functions[None], guide[None])[0]
    coarse = _decide(scores)
    if cell == 1:
        return coarse
    unclear = _around(coarse, torch.maximum) != _around(coarse, torch.minimum)
    unclear |= (2 * scores.sum(0) - 1).abs() < _CLEAR_LEAD
    unclear |= (_lead(scores) < _CLEAR_LEAD) & (coarse > 0)
    labels = _enlarged(coarse, cell)
    for rows, fine in _fine(functions, unclear, frame, cell):
        _put(labels, rows, _decide(fine))
    return labels


def full_matte(functions: torch.Tensor, guide: torch.Tensor, frame: torch.Tensor, cell: int) -> torch.Tensor:
    """How much of each pixel of one frame the object covers, 0 to 255: (y * cell, x * cell) uint8.

    Arguments as for `full_labels`. Pixels that have a part there are above 127 here.
    """
    functions = functions.sum(0, keepdim=True)  # linear functions of the colour add up to one of the object
    coarse = _coverage(apply(functions[None], guide[None])[0, 0])
    if cell == 1:
        return _to_bytes(coarse)
    unclear = (_around(coarse, torch.maximum) > 0) & (_around(coarse, torch.minimum) < 1)
    matte = _enlarged(_to_bytes(coarse), cell)
    for rows, fine in _fine(functions, unclear, frame, cell):
        _put(matte, rows, _to_bytes(_coverage(fine[0])))
    return matte


def _decide(scores: torch.Tensor) -> torch.Tensor:
    """(C, ...) to labels: first whether it is the object, then which part."""
    part, best = torch.zeros_like(scores[0], dtype=torch.uint8), scores[0]
    # One part after the other: the indices of a maximum along the first axis take torch several times as long.
    for k in range(1, len(scores)):
        better = scores[k] > best
        part = torch.maximum(part, better.view(torch.uint8) * k)  # it was less than k
        best = torch.maximum(best, scores[k])
    return (part + 1) * (scores.sum(0) > 0.5).view(torch.uint8)


def _lead(scores: torch.Tensor) -> torch.Tensor:
    """By how much the best of (C, ...) leads the next; one alone leads by infinitely much."""
    best, second = scores[0], torch.full_like(scores[0], -torch.inf)
    for score in scores[1:]:
        second = torch.maximum(second, torch.minimum(best, score))
        best = torch.maximum(best, score)
    return best - second


def _coverage(score: torch.Tensor) -> torch.Tensor:
    """The object's score to what it covers, 0 to 1."""
    return ((score - 0.5) * _STEEP + 0.5).clamp(0, 1)


def _to_bytes(coverage: torch.Tensor) -> torch.Tensor:
    return (255 * coverage).round_().to(torch.uint8)


def _around(plane: torch.Tensor, most: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """The highest, or the lowest, of a plane (y, x) among the 3 x 3 pixels around each."""
    for axis in (0, 1):
        length = plane.shape[axis] - 1
        first, last = plane.narrow(axis, 0, length), plane.narrow(axis, 1, length)
        wider = plane.clone()
        wider.narrow(axis, 1, length).copy_(most(first, last))
        before = wider.narrow(axis, 0, length)
        before.copy_(most(before, last))
        plane = wider
    return plane


def _enlarged(coarse: torch.Tensor, cell: int) -> torch.Tensor:
    """(y * cell, x * cell) of (y, x): each value for its whole cell."""
    y, x = coarse.shape
    wide = coarse[:, :, None].expand(y, x, cell).reshape(y, 1, x * cell)
    return wide.expand(y, cell, x * cell).reshape(y * cell, x * cell)


def _fine(
    functions: torch.Tensor, unclear: torch.Tensor, frame: torch.Tensor, cell: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The scores (C, cell * cell, K) of the pixels of ``unclear`` (y, x) cells, K of them at a time, and where they
    lie: which rows (cell, K) they are, of all rows of all cells in the frame."""
    parts, x = len(functions), functions.shape[-1]
    at_y, at_x = unclear.nonzero(as_tuple=True)
    if len(at_y) == 0:
        return
    weights = _weights(cell, functions.device)
    around = F.pad(functions.flatten(0, 1)[None], (1, 1, 1, 1), mode="replicate")[0].flatten(1)
    corner = at_y * (x + 2) + at_x  # of the 3 x 3 working pixels around a cell, among those of ``around``
    rows = (at_y * cell + torch.arange(cell, device=at_y.device)[:, None]) * x + at_x
    colours = frame.reshape(-1, cell * 3)
    step = max(1, _CHUNK // (cell * cell * 4 * parts))
    for some, which in zip(torch.split(corner, step), torch.split(rows, step, 1), strict=True):
        count = len(some)
        nine = [around.index_select(1, some + (dy * (x + 2) + dx)) for dy in range(3) for dx in range(3)]
        fine = (weights @ torch.stack(nine).flatten(1)).view(cell * cell, parts, 4, count)
        colour = colours.index_select(0, which.flatten()).view(cell, count, cell, 3).permute(0, 2, 3, 1)
        scores = apply(fine, colour.float().div_(255).reshape(cell * cell, 3, count))
        yield which, scores.transpose(0, 1)


def _put(plane: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> None:
    """Write ``values`` (cell * cell, K) to the cells whose ``rows`` (cell, K) `_fine` has given."""
    cell, count = rows.shape
    each = values.view(cell, cell, count).transpose(1, 2).reshape(-1, cell)
    plane.view(-1, cell).index_copy_(0, rows.flatten(), each)


@lru_cache(maxsize=32)
def _weights(cell: int, device: torch.device) -> torch.Tensor:
    """Bilinear weights of the 3 x 3 working pixels around, for each pixel of a cell: (cell * cell, 9) float32."""
    line = Grid(3, 3, 1, 1).row_weights(3 * cell)[cell : 2 * cell]
    return (line[:, None, :, None] * line[None, :, None, :]).reshape(cell * cell, 9).to(device)

from __future__ import annotations

import numpy as np
import pytest

from videoparts.painting.overlay import CHECKERBOARD, checkerboard, inner_border, outline_colours, paint, side_by_side
from videoparts.painting.palette import palette


def slow_border(labels, width):
    """Pixel by pixel: walk ``width`` steps, the odd ones to four neighbours and the even ones to eight."""
    height, across = labels.shape
    border = np.zeros(labels.shape, bool)
    for y in range(height):
        for x in range(across):
            reached = {(y, x)}
            for step in reversed(range(width)):
                near = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
                near += [(1, 1), (1, -1), (-1, 1), (-1, -1)] if step % 2 else []
                reached = {(v + dy, u + dx) for v, u in reached for dy, dx in near}
                reached = {(v, u) for v, u in reached if 0 <= v < height and 0 <= u < across}
            border[y, x] = any(labels[spot] < labels[y, x] for spot in reached)
    return border


def slow_paint(pixels, labels, colours, alpha, outline):
    share = round(alpha * 256)
    painted = pixels.copy()
    for n in range(len(pixels)):
        border = slow_border(labels[n], outline)
        for y, x in np.argwhere(labels[n]):
            k = labels[n, y, x]
            for c in range(3):
                mixed = (int(pixels[n, y, x, c]) * (256 - share) + int(colours[k, c]) * share + 128) // 256
                painted[n, y, x, c] = outline_colours(colours)[k, c] if border[y, x] else mixed
    return painted


def pictures(n, height, width, parts, seed=0, empty_margin=True):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (n, height, width, 3), dtype=np.uint8)
    coarse = random.integers(0, parts + 1, (n, height // 4 + 1, width // 4 + 1), dtype=np.uint8)
    labels = coarse.repeat(4, 1).repeat(4, 2)[:, :height, :width].copy()
    if empty_margin:
        labels[:, :3] = labels[:, :, -5:] = 0
    return pixels, labels


@pytest.mark.parametrize("outline", [0, 1, 2, 3, 5])
@pytest.mark.parametrize(("height", "width", "margin"), [(24, 31, True), (17, 12, False), (1, 9, False), (9, 1, False)])
def test_paint_is_what_the_slow_way_paints(height, width, margin, outline):
    pixels, labels = pictures(2, height, width, 5, empty_margin=margin)
    for alpha in (0.0, 0.3, 0.55, 1.0):
        fast = paint(pixels, labels, palette(5), alpha, outline)
        assert np.array_equal(fast, slow_paint(pixels, labels, palette(5), alpha, outline))


def test_background_keeps_every_bit_and_the_input_is_left_alone():
    pixels, labels = pictures(3, 40, 40, 4)
    before = pixels.copy()
    painted = paint(pixels, labels, palette(4), 0.7, 2)
    assert np.array_equal(painted[labels == 0], pixels[labels == 0])
    assert not np.array_equal(painted, pixels)
    assert np.array_equal(pixels, before)


def test_full_and_no_opacity():
    pixels, labels = pictures(1, 20, 20, 3)
    assert np.array_equal(paint(pixels, labels, palette(3), 0, 0), pixels)
    full = paint(pixels, labels, palette(3), 1, 0)
    assert np.array_equal(full[labels > 0], palette(3)[labels[labels > 0]])


def test_frames_without_parts():
    pixels, labels = pictures(2, 8, 8, 1)
    assert np.array_equal(paint(pixels, np.zeros_like(labels), palette(1), 0.5, 1), pixels)
    assert paint(pixels[:0], labels[:0], palette(1), 0.5, 1).shape == (0, 8, 8, 3)


def test_two_parts_share_one_line_and_the_pictures_edge_has_none():
    labels = np.array([[1, 1, 1, 2, 2, 2]], np.uint8).repeat(5, 0)
    wanted = np.zeros((5, 6), bool)
    wanted[:, 3] = True
    assert np.array_equal(inner_border(labels, 1), wanted)


def test_memory_order_does_not_matter():
    pixels, labels = pictures(2, 12, 16, 3)
    wanted = paint(pixels, labels, palette(3), 0.5, 1)
    flipped = paint(pixels[:, :, ::-1], labels[:, :, ::-1], palette(3), 0.5, 0)
    assert np.array_equal(flipped[:, :, ::-1], paint(pixels, labels, palette(3), 0.5, 0))
    planar = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    assert np.array_equal(paint(planar, labels, palette(3), 0.5, 1), wanted)
    assert np.array_equal(side_by_side(planar, labels, palette(3), 0.5, 1)[:, :, :16], pixels)


def test_side_by_side_shows_the_original_then_parts_on_a_checkerboard():
    pixels, labels = pictures(2, 90, 100, 4)
    both = side_by_side(pixels, labels, palette(4), 0.5, 1)
    assert both.shape == (2, 90, 200, 3)
    left, right = both[:, :, :100], both[:, :, 100:]
    assert np.array_equal(left, pixels)
    board = np.broadcast_to(checkerboard(90, 100), right.shape)
    assert np.array_equal(right[labels == 0], board[labels == 0])
    painted = paint(pixels, labels, palette(4), 0.5, 1)
    assert np.array_equal(right[labels > 0], painted[labels > 0])


def test_the_checkerboard_alternates():
    board = checkerboard(90, 100)  # squares of 2
    first, second = CHECKERBOARD
    assert [tuple(board[0, x].tolist()) for x in (0, 1, 2, 3, 4)] == [first, first, second, second, first]
    assert tuple(board[2, 0].tolist()) == second


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alpha": 1.5}, "alpha"),
        ({"outline": -1}, "outline"),
        ({"colours": palette(2)}, "label 4 has no colour"),
        ({"colours": palette(4).astype(float)}, "colours"),
        ({"labels": np.zeros((1, 8, 9), np.uint8)}, "labels"),
        ({"pixels": np.zeros((1, 8, 8), np.uint8)}, "pixels"),
    ],
)
def test_what_does_not_fit_is_refused(change, said):
    given = {"pixels": np.zeros((1, 8, 8, 3), np.uint8), "labels": np.full((1, 8, 8), 4, np.uint8)}
    given |= {"colours": palette(4), "alpha": 0.5, "outline": 1}
    for call in (paint, side_by_side):
        with pytest.raises(ValueError, match=said):
            call(**(given | change))

from __future__ import annotations

import numpy as np
import pytest

from videoparts.painting.palette import MAX_PARTS, palette, palette_png, part_colour

# Linear RGB as protanopes and deuteranopes see it: Machado et al. 2009, severity 1.
PROTANOPE = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTERANOPE = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
SIGHTS = {"normal": np.eye(3), "protanope": np.array(PROTANOPE), "deuteranope": np.array(DEUTERANOPE)}
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def oklab(colours, sight="normal"):
    values = np.asarray(colours) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ SIGHTS[sight].T, 0, 1)
    return np.cbrt(seen @ np.array(TO_LMS).T) @ np.array(TO_OKLAB).T


def distances(a, b):
    """The least over the three sights, for every pair."""
    each = [np.linalg.norm(oklab(a, sight)[:, None] - oklab(b, sight)[None], axis=-1) for sight in SIGHTS]
    return np.min(each, axis=0)


def least(colours):
    return (distances(colours, colours) + 9 * np.eye(len(colours))).min()


@pytest.mark.parametrize(("count", "apart"), [(2, 0.41), (4, 0.249), (8, 0.165), (12, 0.10), (MAX_PARTS, 0.03)])
def test_colours_are_told_apart_by_every_sight(count, apart):
    assert least(palette(count)[1:]) > apart


def test_the_first_eight_beat_the_palette_of_okabe_and_ito():
    first, second = [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66]], [[0, 114, 178], [213, 94, 0]]
    okabe_ito = [*first, *second, [204, 121, 167]]
    assert least(palette(8)[1:]) > 2 * least(okabe_ito)


def test_later_colours_follow_their_rule():
    steps = np.arange(0, 256, 17)
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    light, a, b = oklab(candidates).T
    candidates = candidates[(np.hypot(a, b) >= 0.135) & (light >= 0.5) & (light <= 0.93)]
    made = palette(8)[1:].astype(int)
    near = distances(candidates, made).min(1)
    while len(made) < MAX_PARTS:
        new = candidates[near.argmax()]
        made = np.concatenate([made, new[None]])
        near = np.minimum(near, distances(candidates, new[None])[:, 0])
    assert np.array_equal(made, palette()[1:])


def test_a_part_keeps_its_colour_whatever_the_number_of_parts():
    for parts in (1, 5, MAX_PARTS):
        colours = palette(parts)
        assert colours.shape == (parts + 1, 3)
        assert colours.dtype == np.uint8
        assert [part_colour(k) for k in range(parts + 1)] == [tuple(row) for row in colours.tolist()]
    assert part_colour(0) == (0, 0, 0)


def test_a_palette_handed_out_is_the_callers_own():
    palette(3)[1] = 7
    assert part_colour(1) == (0, 68, 255)


@pytest.mark.parametrize("wrong", [-1, MAX_PARTS + 1])
def test_there_are_colours_for_64_parts(wrong):
    with pytest.raises(ValueError, match="64"):
        part_colour(wrong)
    with pytest.raises(ValueError, match="64"):
        palette(wrong)


def test_palette_png_has_256_entries_and_shows_stray_labels_grey():
    table = palette_png(palette(2))
    assert len(table) == 768
    assert tuple(table[3:6]) == part_colour(1)
    assert tuple(table[9:12]) == (128, 128, 128)
    with pytest.raises(ValueError, match="colours"):
        palette_png(np.zeros((3, 4), np.uint8))

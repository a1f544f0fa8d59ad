"""Points that mean the same, on pictures whose right answer is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from colours import ColourExtractor
from patches import COLOURS, picture

from videoparts.errors import SourceError
from videoparts.frames import Pixels
from videoparts.grid import Grid
from videoparts.pairs.correspondences import correspondences, transferred
from videoparts.pairs.described import Described, describe, salient_pieces
from videoparts.pairs.similarity import similarity_map
from videoparts.sampling.saliency import smooth_saliency


def described(*pictures: Pixels) -> list[Described]:
    return [describe(one, ColourExtractor(), "it") for one in pictures]


def colour_at(pixels: Pixels, point: tuple[float, float]) -> tuple[int, ...]:
    return tuple(int(v) for v in pixels[int(point[1]), int(point[0])])


def test_every_colour_finds_itself() -> None:
    a, b = picture([0, 1, 2, 3, 4, 5], 16, 24), picture([5, 3, 1, 0, 2, 4], 64, 80, (112, 160))
    found = correspondences(*described(a, b), 10)
    assert {colour_at(a, pair.one) for pair in found} == set(COLOURS)
    for pair in found:
        assert colour_at(a, pair.one) == colour_at(b, pair.other)
        assert all((end - 4) % 8 == 0 for end in (*pair.one, *pair.other))  # the centre of a patch, exactly
        assert pair.similarity == pytest.approx(1, abs=1e-5)
    saliency = [pair.saliency or 0 for pair in found]
    assert saliency == sorted(saliency, reverse=True)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_fewer_are_spread(count: int) -> None:
    a, b = picture([0, 1, 2, 3, 4, 5], 16, 24), picture([5, 3, 1, 0, 2, 4], 64, 80)
    found = correspondences(*described(a, b), count)
    assert len({pair.one for pair in found}) == len(found) == count
    assert found == correspondences(*described(a, b), count)


def test_pairs_off_the_object_do_not_count() -> None:
    a, b = described(picture([0, 1, 2, 3, 4, 5], 16, 24), picture([5, 3, 1, 0, 2, 4], 64, 80))
    nowhere = Described(b.descriptors, b.salient, torch.zeros_like(b.foreground), b.grid, b.size)
    assert correspondences(a, nowhere, 10) == []
    assert correspondences(nowhere, a, 10) == []


def test_given_points_are_found_one_way() -> None:
    a, b = picture([0, 1, 2, 3, 4, 5], 16, 24), picture([5, 3, 1, 0, 2, 4], 64, 80)
    points = np.array([(25.0, 17.0), (31.5, 23.5), (41.0, 25.0)])  # two in the first patch, one in the last
    found = transferred(*described(a, b), points, ["one", None, "last"])
    assert [pair.one for pair in found] == [tuple(point) for point in points.tolist()]
    assert [pair.other for pair in found] == [(84.0, 76.0), (84.0, 76.0), (84.0, 68.0)]
    assert [pair.name for pair in found] == ["one", None, "last"]
    assert all(pair.saliency is None for pair in found)


def test_a_map_is_one_where_the_colour_is() -> None:
    a, b = picture([0, 1, 2, 3, 4, 5], 16, 24), picture([5, 3, 1, 0, 2, 4], 64, 80)
    one, other = described(a, b)
    found = similarity_map(one, (25, 17), other, 3)
    assert found.cosines.shape == (12, 16)
    assert np.unravel_index(found.cosines.argmax(), (12, 16)) == (9, 10)
    assert found.nearest[0].tolist() == [84, 76]
    assert found.cosines.max() == pytest.approx(1, abs=1e-5)
    apart = abs(found.nearest[:, None] - found.nearest[None]).max(-1) + 100 * np.eye(3)
    assert apart.min() > 16
    assert len(similarity_map(one, (25, 17), other, 0).nearest) == 0
    assert len(similarity_map(one, (25, 17), other, 9999).nearest) < 12 * 16


def test_a_picture_smaller_than_a_patch() -> None:
    class Resizing(ColourExtractor):
        def grid(self, size: tuple[int, int]) -> Grid:
            return Grid.fit(size, 96, 8, 8)

    with pytest.raises(SourceError, match=r"^tiny\.png: is 100x7, smaller than one patch of 8x8"):
        describe(np.zeros((7, 100, 3), np.uint8), Resizing(), "tiny.png")


def test_small_pieces_of_saliency_are_left_out() -> None:
    smooth = np.full((10, 12), 0.5, np.float32)
    smooth[2:6, 2:6] = 5  # holds 80
    smooth[8, 8:10] = 2  # holds 4
    smooth[0:3, 9:12] = 1.2  # holds 10.8
    wanted: npt.NDArray[np.bool_] = np.zeros((10, 12), dtype=bool)
    wanted[2:6, 2:6] = wanted[0:3, 9:12] = True
    assert np.array_equal(salient_pieces(smooth), wanted)


def test_where_nothing_stands_out_all_may_be_the_object() -> None:
    assert salient_pieces(np.ones((4, 5), np.float32)).all()


def test_smoothing_in_pieces_is_smoothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(0)
    attention = torch.rand(2, 3, 5, 7, generator=random)
    tokens = torch.nn.functional.normalize(torch.randn(2, 5, 7, 6, generator=random), dim=-1)
    whole = smooth_saliency(attention, tokens, [0, 2])
    monkeypatch.setattr("videoparts.sampling.saliency._SIDE", 4)
    torch.testing.assert_close(smooth_saliency(attention, tokens, [0, 2]), whole)

"""Ways along the flow, made at once or step by step."""

from __future__ import annotations

import numpy as np
import pytest
from moving import coloured, texture

from videoparts.flow.links import Link, link
from videoparts.flow.ways import Scores, Walk, Way, in_fours
from videoparts.luma import small_luma

SIZE = (40, 60)


@pytest.fixture(scope="module")
def links() -> list[Link]:
    """Of a picture that moves to the right and down."""
    wide = texture(0, 120, 180)
    frames = [small_luma(coloured(wide[20 - 3 * i : 100 - 3 * i, 40 - 5 * i : 160 - 5 * i])) for i in range(5)]
    return [link(*frames[i : i + 2]) for i in range(4)]


def scores(parts: int) -> Scores:
    return np.random.default_rng(0).random((parts, *SIZE), dtype=np.float32)


@pytest.mark.parametrize("parts", [1, 3, 4, 5, 9])
@pytest.mark.parametrize("onward", [True, False])
def test_a_walk_fetches_what_a_way_of_all_its_steps_does(links: list[Link], parts: int, onward: bool) -> None:
    steps = [Way.onward(one, SIZE) for one in links] if onward else [Way.back(one, SIZE) for one in links[::-1]]
    given = scores(parts)
    way, walk = steps[0], Walk(SIZE)
    for i, step in enumerate(steps):
        way = way.then(step) if i else step
        walk.on(step.step())
        wanted = way.trust[..., None] * way.fetch(given.transpose(1, 2, 0))
        found = np.concatenate([walk.fetch(four).copy() for four in in_fours(given)], axis=2)
        # OpenCV knows places to a 32nd of a pixel only where it fetches two planes, as those of a flow.
        assert np.abs(found[..., :parts] - wanted).mean() < 0.01
        assert not found[..., parts:].any()
        assert np.abs(walk.trust - way.trust).mean() < 0.01
    assert np.abs(wanted - given.transpose(1, 2, 0)).mean() > 0.1  # it has moved
    assert way.trust.mean() > 0.3


def test_in_fours_loses_nothing() -> None:
    for parts in (1, 4, 6, 255):
        given = scores(parts)
        fours = in_fours(given)
        assert {four.shape for four in fours} == {(*SIZE, 4)}
        assert all(four.flags.c_contiguous for four in fours)
        assert np.array_equal(np.concatenate(fours, axis=2)[..., :parts].transpose(2, 0, 1), given)

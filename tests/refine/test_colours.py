"""What colours tell of the object, against the same worked out colour by colour, and where they must tell nothing."""

from __future__ import annotations

import numpy as np
import pytest
import slow_colours
import torch
import torch.nn.functional as F

from videoparts.refine.colours import Colours

SIZE = (24, 36)


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    """(N, 3, y, x) uint8: soft blobs of colour."""
    random = torch.Generator().manual_seed(seed)
    blobs = F.interpolate(torch.rand(count, 3, 4, 5, generator=random), SIZE, mode="bicubic").clamp(0, 1)
    return (255 * blobs).to(torch.uint8)


def scores(count: int, parts: int = 2, seed: int = 1) -> torch.Tensor:
    """(N, parts, y, x): the object is on one side."""
    random = torch.Generator().manual_seed(seed)
    whole = torch.linspace(4, -8, SIZE[1]) + torch.randn(count, 1, *SIZE, generator=random)
    shares = torch.rand(count, parts, *SIZE, generator=random).softmax(1)
    return whole.sigmoid() * shares


def test_equals_the_definition() -> None:
    picture, given = pictures(2), scores(2)
    colours = Colours.of(picture, given)
    assert (colours.counts.sum(2) > 30).all()
    planes = [one.permute(1, 2, 0).double().numpy() / 255 for one in picture]
    wholes = [one.sum(0).double().numpy() for one in given]
    for i, told in enumerate(colours.log_odds()):
        wanted = slow_colours.log_odds([planes[i]], [wholes[i]])
        assert np.abs(told.numpy() - wanted).max() < 1e-3
        assert np.abs(wanted).max() > 0.2


def test_counts_of_several_frames_add_up() -> None:
    picture, given = pictures(2), scores(2)
    both = Colours.of(picture, given)
    together = Colours(picture[:1], both.counts.sum(0, keepdim=True)).log_odds()[0]
    planes = [one.permute(1, 2, 0).double().numpy() / 255 for one in picture]
    wholes = [one.sum(0).double().numpy() for one in given]
    assert np.abs(together.numpy() - slow_colours.log_odds(planes, wholes)).max() < 1e-3
    assert (together - both.log_odds()[0]).abs().max() > 0.05


def halves(left: tuple[int, int, int], right: tuple[int, int, int], low: float, high: float) -> torch.Tensor:
    """Log-odds of a picture of two colours, whose object is the left half."""
    picture = torch.tensor(right, dtype=torch.uint8)[None, :, None, None].repeat(1, 1, *SIZE)
    picture[..., : SIZE[1] // 2] = torch.tensor(left, dtype=torch.uint8)[:, None, None]
    given = torch.full((1, 1, *SIZE), low)
    given[..., : SIZE[1] // 2] = high
    return Colours.of(picture, given).log_odds()[0]


def test_colours_that_tell_the_object_apart_lean_to_their_side() -> None:
    told = halves((200, 40, 40), (40, 80, 200), 0, 1)
    assert (told[:, : SIZE[1] // 2] > 1.9).all()
    assert (told[:, SIZE[1] // 2 :] < -1.9).all()


@pytest.mark.parametrize(
    ("right", "low", "high"),
    [((200, 40, 40), 0, 1), ((40, 80, 200), 0, 0), ((40, 80, 200), 1, 1), ((40, 80, 200), 0.3, 0.7)],
    ids=["of one colour", "no object", "no background", "nothing is certain"],
)
def test_where_there_is_nothing_to_compare_they_tell_nothing(
    right: tuple[int, int, int], low: float, high: float
) -> None:
    assert not halves((200, 40, 40), right, low, high).any()


def test_what_is_far_from_the_object_is_not_beside_it() -> None:
    """On the far right there is the object's colour again: it does not count against it."""
    picture = torch.zeros(1, 3, 40, 120, dtype=torch.uint8)
    picture[:, 0, :, :20] = picture[:, 0, :, 60:] = 220
    given = torch.zeros(1, 1, 40, 120)
    given[..., :20] = 1
    told = Colours.of(picture, given).log_odds()[0]
    assert (told[:, :20] > 1.9).all()
    assert (told[:, 20:60] < -1.9).all()


def test_without_parts_there_is_no_object() -> None:
    colours = Colours.of(pictures(1), torch.zeros(1, 0, *SIZE))
    assert not colours.counts[:, 1].any()
    assert not colours.log_odds().any()

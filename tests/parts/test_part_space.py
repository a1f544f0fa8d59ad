"""The space in which parts are told from each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from videoparts.parts.space import PartSpace, Things, joined_descriptors, space_from, space_tensors


def things_of_two_parts(frames: int = 2) -> tuple[torch.Tensor, np.ndarray, torch.Tensor]:
    """Descriptors (n, 8) that differ more between frames than between parts, their frames, and their parts."""
    n = 100 * frames
    part, frame = torch.arange(n) % 2, np.repeat(np.arange(frames), 100)
    own = torch.zeros(n, 8)
    own[:, 0] = torch.linspace(1, -1, frames)[torch.from_numpy(frame)]  # what makes the one a cat, the other a goat
    own[:, 1] = 0.5 * (2.0 * part - 1)
    noise = torch.randn(n, 8, generator=torch.Generator().manual_seed(0))
    return F.normalize(own + 0.05 * noise, dim=-1), frame, part


def halves(joined: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What gives ``joined`` (n, 8) again, where keys and tokens are as long as each other."""
    return joined[:, :4], torch.cat([torch.zeros(len(joined), 4), joined[:, 4:]], dim=-1)


def test_what_differs_between_frames_and_not_within_is_taken_off() -> None:
    joined, frame, part = things_of_two_parts()
    space = PartSpace.of("many", joined, frame, np.ones(200, np.float32))
    assert space.axes.shape == (1, 8)
    assert space.kept.item() < 0.05
    looks = space.looks(*halves(joined))
    assert torch.allclose(looks.norm(dim=-1), torch.ones(200))
    # See that the parts are what is left in either picture.
    cosine = looks @ looks.T
    same = part[:, None] == part[None]
    apart = torch.from_numpy(frame[:, None] != frame[None])
    assert cosine[apart & same].min() > cosine[apart & ~same].max()


def test_what_all_frames_show_alike_is_kept() -> None:
    joined, _, part = things_of_two_parts(1)
    frame = np.arange(100) // 50
    space = PartSpace.of("one", joined, frame, np.ones(100, np.float32))
    assert space.kept.item() > 0.8
    looks = space.looks(*halves(joined))
    cosine = looks @ looks.T
    same = part[:, None] == part[None]
    assert cosine[same].mean() > cosine[~same].mean() + 0.3


@pytest.mark.parametrize(("things", "most"), [("one", 1), ("many", 3)])
def test_the_axes_are_those_in_which_frames_differ_most(things: Things, most: int) -> None:
    generator = torch.Generator().manual_seed(0)
    frame = np.repeat(np.arange(4), 50)
    means = F.normalize(torch.randn(4, 16, generator=generator), dim=-1)
    joined = F.normalize(means[torch.from_numpy(frame)] + 0.1 * torch.randn(200, 16, generator=generator), dim=-1)
    space = PartSpace.of(things, joined, frame, np.ones(200, np.float32))
    assert torch.allclose(space.axes @ space.axes.T, torch.eye(most), atol=1e-5)  # four means span three directions
    centred = means - means.mean(0)
    along = (centred @ space.axes.T).square().sum(0)
    assert bool((along[:-1] >= along[1:]).all())


def test_a_frame_alone_differs_from_none() -> None:
    joined, _, _ = things_of_two_parts(1)
    space = PartSpace.of("one", joined, np.zeros(100, np.int64), np.ones(100, np.float32))
    assert space.axes.shape == (0, 8)
    wanted = F.normalize(joined_descriptors("one", *halves(joined)), dim=-1)
    assert torch.allclose(space.looks(*halves(joined)), wanted, atol=1e-6)


def test_looks_have_the_shape_of_what_they_are_made_of() -> None:
    joined, frame, _ = things_of_two_parts()
    space = PartSpace.of("one", joined, frame, np.ones(200, np.float32))
    key, tokens = (one.view(2, 10, 10, -1) for one in halves(joined))
    before = key.clone(), tokens.clone()
    looks = space.looks(key.bfloat16(), tokens.bfloat16())
    assert looks.shape == (2, 10, 10, 8)
    assert looks.dtype == torch.float32
    space.looks(key, tokens)
    assert key.equal(before[0])
    assert tokens.equal(before[1])


def test_it_comes_back_from_its_tensors() -> None:
    joined, frame, _ = things_of_two_parts()
    space = PartSpace.of("one", joined, frame, np.ones(200, np.float32))
    again = space_from("one", {**space_tensors(space), "other": torch.ones(1)})
    assert space.looks(*halves(joined)).equal(again.looks(*halves(joined)))
    with pytest.raises(KeyError):
        space_from("one", {})
    with pytest.raises(ValueError, match="not of 'few'"):
        space_from("few", space_tensors(space))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"must be \(k, D\)"):
        PartSpace("one", torch.zeros(2, 8), torch.zeros(1), torch.zeros(2))

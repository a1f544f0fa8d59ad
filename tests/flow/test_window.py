"""The temporal window, on scores that are known to be right but for noise, and on pictures whose motion is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import torch
from moving import coloured, texture

from videoparts.clock import StageClock
from videoparts.config import RefineSettings
from videoparts.errors import SettingsError
from videoparts.flow import links, window
from videoparts.flow.scored import Scored
from videoparts.flow.window import windowed
from videoparts.frames import FrameBatch, Pixels
from videoparts.luma import small_luma
from videoparts.refine.colours import Colours

HEIGHT, WIDTH, CELL = 96, 144, 3
SIZE = (HEIGHT // CELL, WIDTH // CELL)


def pan(frames: int, speed: int = 3, seed: int = 0) -> Pixels:
    """(T, H, W, 3): a picture that moves to the right by ``speed`` pixels a frame."""
    wide = texture(seed, HEIGHT, WIDTH + speed * frames)
    starts = [speed * (frames - i) for i in range(frames)]
    return np.stack([coloured(wide[:, at : at + WIDTH]) for at in starts])


def noise(frames: int, parts: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(frames, parts, *SIZE, generator=torch.Generator().manual_seed(seed))


def batches(pixels: Pixels, scores: torch.Tensor, size: int = 1, start: int = 0) -> Iterator[Scored]:
    for at in range(start, len(pixels), size):
        some = np.arange(at, min(at + size, len(pixels)))
        frames = FrameBatch(pixels[some], some, some.copy(), Fraction(1, 25))
        yield Scored(frames, linked_to(pixels, some, start), scores[some])


def linked_to(pixels: Pixels, some: npt.NDArray[np.int64], start: int) -> tuple[links.Link | None, ...]:
    lumas = {i: small_luma(pixels[i]) for i in range(max(start, some[0] - 1), some[-1] + 1)}
    return tuple(links.link(lumas[i - 1], lumas[i]) if i > start else None for i in some)


def averaged(pixels: Pixels, scores: torch.Tensor, width: int, size: int = 1, start: int = 0) -> torch.Tensor:
    return torch.cat([some.scores for some in windowed(batches(pixels, scores, size, start), width)])


@pytest.mark.parametrize("width", [0, 1])
def test_off_gives_the_items_as_they_are(width: int) -> None:
    items = list(batches(pan(5), noise(5), 2))
    assert all(a is b for a, b in zip(items, windowed(iter(items), width), strict=True))


@pytest.mark.parametrize("width", [3, 5])
@pytest.mark.parametrize("size", [2, 3, 8, 64])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_batch_size_and_threads_change_nothing(width: int, size: int, threads: int) -> None:
    pixels, scores = pan(11), noise(11)
    one = averaged(pixels, scores, width)
    torch.set_num_threads(threads)
    try:
        items = list(windowed(batches(pixels, scores, size), width))
    finally:
        torch.set_num_threads(1)
    assert torch.cat([some.scores for some in items]).equal(one)
    assert [len(some.frames) for some in items] == [len(some.frames) for some in batches(pixels, scores, size)]
    assert np.concatenate([some.frames.index for some in items]).tolist() == list(range(11))
    assert not one.equal(scores)


@pytest.mark.parametrize(("width", "parts"), [(3, 1), (5, 3), (11, 4)])
def test_equals_means_over_all_frames_where_nothing_moves(width: int, parts: int) -> None:
    """Of the parts' shares a plain one, of the object, their sum, one by a Gaussian."""
    frames, reach = 13, width // 2
    pixels, scores = np.repeat(pan(1), frames, axis=0), noise(frames, parts)
    found = averaged(pixels, scores, width)
    away = torch.arange(frames) - torch.arange(frames)[:, None]
    near = (away.abs() <= reach).float()
    gaussian = near * torch.exp(-((away / (0.75 * reach)) ** 2) / 2)
    whole = torch.einsum("ij,jyx->iyx", gaussian / gaussian.sum(1, keepdim=True), scores.sum(1))
    mean = torch.einsum("ij,jcyx->icyx", near, scores)
    wanted = mean / mean.sum(1, keepdim=True) * whole[:, None]
    assert (found - wanted).abs().max() < 1e-2
    assert parts == 1 or (found - mean / near.sum(1)[:, None, None, None]).abs().max() > 0.05


def test_where_nothing_is_there_stays_nothing() -> None:
    scores = noise(7)
    scores[..., :10] = 0
    found = averaged(np.repeat(pan(1), 7, axis=0), scores, 5)
    assert not found[..., :10].any()
    assert found.isfinite().all()


def test_noise_becomes_less_and_what_moves_stays_in_place() -> None:
    """Scores that move with the picture: the mean over nine frames is them, not a blur of them."""
    frames, speed = 13, 2 * CELL
    wide = torch.nn.functional.interpolate(
        torch.rand(1, 1, 8, 24, generator=torch.Generator().manual_seed(0)),
        (SIZE[0], SIZE[1] + 2 * frames),
        mode="bicubic",
    )
    right = torch.cat([wide[..., 2 * (frames - i) :][..., : SIZE[1]] for i in range(frames)]).clamp(min=0.1)
    given = right + 0.2 * (noise(frames, 1) - 0.5)
    middle = (slice(4, 9), slice(None), slice(4, -4), slice(8, -8))
    found = averaged(pan(frames, speed), given, 9)[middle]
    unmoved = torch.stack([given[i - 4 : i + 5].mean(0) for i in range(4, 9)])[:, :, 4:-4, 8:-8]
    error = (found - right[middle]).abs().mean()
    assert error < 0.6 * (given[middle] - right[middle]).abs().mean()
    assert error < 0.5 * (unmoved - right[middle]).abs().mean()


def stage(position: int, seed: int = 5) -> tuple[Pixels, torch.Tensor]:
    """A square of another texture at ``position`` on a ground, and the share of each cell that it covers."""
    frame, square = texture(0, HEIGHT, WIDTH), texture(seed, 36, 36)
    frame[30:66, position : position + 36] = square
    cover = torch.zeros(1, 1, HEIGHT, WIDTH)
    cover[..., 30:66, position : position + 36] = 1
    return coloured(frame), torch.nn.functional.avg_pool2d(cover, CELL)


def clip(positions: list[int]) -> tuple[Pixels, torch.Tensor]:
    shots = [stage(position) for position in positions]
    return np.stack([frame for frame, _ in shots]), torch.cat([cover for _, cover in shots])


def test_nothing_lags_behind() -> None:
    """A square at a steady pace: its scores stay where it is, and what little they spread is the same on both sides."""
    pixels, cover = clip([12 + 6 * i for i in range(9)])
    found = averaged(pixels, cover, 5)[4, 0, 12:20].mean(0)
    at = torch.arange(SIZE[1])
    wanted = cover[4, 0, 12:20].mean(0)
    assert abs(float((found * at).sum() / found.sum() - (wanted * at).sum() / wanted.sum())) < 0.25  # of a cell
    assert (found - wanted).abs().max() < 0.4
    assert (found - wanted).abs().mean() < 0.03


@pytest.mark.parametrize("positions", [[10, 10, 10, 90, 90, 90], [10, 60, 10, 60, 10, 60], [10, 90, 50, 10, 90, 50]])
def test_what_jumps_leaves_no_ghost(positions: list[int]) -> None:
    pixels, cover = clip(positions)
    found = averaged(pixels, cover, 5)
    wrong = (found > 0.5) != (cover > 0.5)
    assert wrong.float().mean() < 0.015
    elsewhere = torch.nn.functional.max_pool2d(cover, 5, 1, 2) == 0
    assert found[elsewhere].mean() < 0.01


def test_no_frame_beyond_a_cut_takes_part() -> None:
    first, second = pan(5), pan(4, seed=7)
    scores = noise(9)
    found = averaged(np.concatenate([first, second]), scores, 5)
    assert found[:5].equal(averaged(first, scores[:5], 5))
    assert found[5:].equal(averaged(second, scores[5:], 5))


@pytest.mark.parametrize("size", [1, 2, 3, 64])
@pytest.mark.parametrize(("width", "reach"), [(0, 0), (5, 2), (9, 4)])
def test_colours_are_those_of_the_window_up_to_a_cut(size: int, width: int, reach: int) -> None:
    pixels, scores = np.concatenate([pan(5), pan(6, seed=7)]), noise(11)
    own = torch.arange(11 * 2 * 3, dtype=torch.int32).reshape(11, 2, 3) ** 2

    def coloured_items() -> Iterator[Scored]:
        for item in batches(pixels, scores, size):
            some = item.frames.index
            yield replace(item, colours=Colours(torch.zeros(len(some), 3, *SIZE), own[some]))

    found = [item.colours for item in windowed(coloured_items(), width)]
    counts = torch.cat([some.counts for some in found if some is not None])
    for i in range(11):
        first, last = (0, 4) if i < 5 else (5, 10)
        around = own[max(first, i - reach) : min(last, i + reach) + 1]
        assert counts[i].equal(around.sum(0, dtype=torch.int32))


def test_a_run_that_starts_later_gives_the_same_after_half_a_window() -> None:
    pixels, scores = pan(12), noise(12)
    whole = averaged(pixels, scores, 5, size=3)
    late = averaged(pixels, scores, 5, size=2, start=4)
    assert late[2:].equal(whole[6:])
    assert not late[0].equal(whole[4])


def test_what_comes_later_than_half_a_window_does_not_matter() -> None:
    pixels, scores = pan(9), noise(9)
    assert averaged(pixels[:7], scores[:7], 5)[:5].equal(averaged(pixels, scores, 5)[:5])


@pytest.mark.parametrize(("size", "width"), [(1, 5), (2, 5), (4, 3), (1, 3), (3, 9)])
def test_few_frames_are_held(size: int, width: int) -> None:
    pixels, scores = pan(30), noise(30)
    drawn = given = ahead = 0

    def counted() -> Iterator[Scored]:
        nonlocal drawn
        for item in batches(pixels, scores, size):
            drawn += len(item.frames)
            yield item

    for some in windowed(counted(), width):
        given += len(some.frames)
        ahead = max(ahead, drawn - given)
    assert given == 30
    assert ahead < width // 2 + size


def test_memory_does_not_grow() -> None:
    frames = window._Frames(2)
    most = 0
    for item in batches(pan(40), noise(40)):
        frames.add(item)
        while frames.ready():
            frames.take()
        most = max(most, len(frames._held))
    assert most == 4  # two before the next one, itself and the one after


@pytest.mark.parametrize("width", [0, 5])
def test_closing_closes_the_source(width: int) -> None:
    closed = False

    def source() -> Iterator[Scored]:
        nonlocal closed
        try:
            yield from batches(pan(9), noise(9))
        finally:
            closed = True

    steady = windowed(source(), width)
    next(steady)
    assert not closed
    steady.close()
    assert closed


def test_an_error_of_the_source_is_passed_on() -> None:
    def source() -> Iterator[Scored]:
        yield from batches(pan(4), noise(4))
        raise OSError("no more")

    steady = windowed(source(), 5)
    assert len([next(steady), next(steady)]) == 2
    with pytest.raises(OSError, match="no more"):
        next(steady)


def test_a_clip_shorter_than_the_window() -> None:
    assert averaged(pan(1), noise(1), 5).equal(noise(1))
    assert averaged(pan(2), noise(2), 31).shape == (2, 3, *SIZE)
    assert list(windowed(iter(()), 5)) == []


@pytest.mark.parametrize("parts", [1, 2, 5, 64, 65, 255])
def test_any_number_of_parts(parts: int) -> None:
    pixels, scores = pan(5), torch.zeros(5, parts, *SIZE)
    scores[:, -1] = noise(5)[:, 0]
    found = averaged(pixels, scores, 3)
    assert found.shape == (5, parts, *SIZE)
    assert not found[:, :-1].any()
    one = averaged(pixels, scores[:, -1:], 3)
    assert (found[:, -1:] - one).abs().max() < 0.1  # OpenCV's weights are not as fine for any number of planes


def test_an_even_window_is_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        windowed(iter(()), 4)
    for wrong in (2, 4, -1, 33):
        with pytest.raises(SettingsError, match="--window must be 0 or odd"):
            RefineSettings(window=wrong)


def test_its_time_is_counted() -> None:
    clock = StageClock()
    list(windowed(batches(pan(4), noise(4)), 3, clock))
    assert set(clock.seconds) == {"window"}

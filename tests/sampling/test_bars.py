"""Black bars beside a picture are told from a picture that is dark."""

from __future__ import annotations

import numpy as np
import pytest
from moving import moved, texture

from videoparts.frames import Pixels
from videoparts.sampling.bars import Bars, bars


def film(count: int = 5) -> list[Pixels]:
    return [np.maximum(moved(texture(1), 7 * i, 0), 30) for i in range(count)]


@pytest.mark.parametrize("black", [0, 16])
def test_bars_are_found_at_each_end(black: int) -> None:
    frames = [np.pad(frame, ((20, 10), (0, 60)), constant_values=black) for frame in film()]
    found = bars(frames)
    assert found == Bars(20 / 190, 10 / 190, 0, 60 / 300)
    assert found.share == pytest.approx(1 - 160 / 190 * 240 / 300)
    assert found.picture(380, 600) == (480, 320, 0, 40)


def test_the_picture_between_them_has_even_sides_and_no_bar() -> None:
    assert Bars(21 / 200, 20 / 200, 0.1, 0).picture(200, 311) == (278, 158, 32, 22)


def test_noise_of_compression_does_not_hide_them() -> None:
    random = np.random.default_rng(0)
    frames = [np.pad(frame, ((20, 20), (0, 0)), constant_values=16) for frame in film()]
    noisy = [np.clip(frame + random.integers(-2, 3, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
    assert bars(noisy) == Bars(0.1, 0.1, 0, 0)


def test_a_picture_without_them_has_none() -> None:
    assert bars(film()) is None
    assert bars([]) is None


def test_black_frames_tell_nothing_by_themselves_and_do_not_hide_what_others_tell() -> None:
    black = np.zeros((200, 240), np.uint8)
    assert bars([black] * 3) is None
    padded = [np.pad(frame, ((20, 20), (0, 0))) for frame in film()]
    assert bars([black, *padded]) == Bars(0.1, 0.1, 0, 0)


def test_a_dark_night_is_no_bar() -> None:
    night = film()
    for frame in night:
        frame[:40] = np.random.default_rng(0).integers(0, 24, (40, frame.shape[1]))
    assert bars(night) is None

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from media import disc

from videoparts.errors import SettingsError
from videoparts.painting.effects import Do, Effect

Pixels = npt.NDArray[np.uint8]


def picture(height: int = 240, width: int = 320) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("do", ["blur", "grey", "tint", "cutout"])
def test_what_is_not_covered_keeps_every_bit(do: Do) -> None:
    pixels, matte = picture(), disc()
    before = pixels.copy()
    changed = Effect(do, colour=(10, 200, 30))(pixels, matte)
    kept = matte == (255 if do == "cutout" else 0)
    assert np.array_equal(changed[kept], pixels[kept])
    assert (changed[~kept] != pixels[~kept]).any(axis=1).mean() > 0.9
    assert np.array_equal(pixels, before)


def test_grey_is_grey() -> None:
    changed = Effect("grey")(picture(), disc())[disc() == 255]
    assert np.ptp(changed.astype(int), axis=1).max() == 0
    half = Effect("grey", 0.5)(picture(), disc())[disc() == 255].astype(int)
    assert np.abs(half * 2 - changed - picture()[disc() == 255]).max() <= 2


def test_a_tint_keeps_black_and_gives_white_the_colour() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0] = 255
    changed = Effect("tint", colour=(10, 200, 30))(pixels, np.full((2, 2), 255, np.uint8))
    assert changed.tolist() == [[[10, 200, 30]] * 2, [[0, 0, 0]] * 2]


def test_a_cutout_is_mixed_by_its_matte() -> None:
    pixels, matte = np.full((1, 3, 3), 200, np.uint8), np.array([[0, 128, 255]], np.uint8)
    changed = Effect("cutout", colour=(0, 100, 200))(pixels, matte)
    assert changed.tolist() == [[[0, 100, 200], [100, 150, 200], [200, 200, 200]]]


def test_blur_hides_what_is_there_and_lets_nothing_bleed_in() -> None:
    matte = disc()
    pixels = np.zeros((240, 320, 3), np.uint8)
    pixels[matte > 0] = np.random.default_rng(0).integers(80, 121, (np.count_nonzero(matte), 1), dtype=np.uint8)
    pixels[matte == 0] = 255
    blurred = Effect("blur")(pixels, matte)[matte == 255].astype(int)
    assert blurred.std() < pixels[matte == 255].std() / 4
    assert blurred.max() < 130  # the white around is not in it


@pytest.mark.parametrize("size", [(2160, 3840), (5, 7), (1, 1)])
def test_any_size(size: tuple[int, int]) -> None:
    pixels, matte = np.full((*size, 3), 99, np.uint8), np.full(size, 255, np.uint8)
    assert (Effect("blur")(pixels, matte) == 99).all()


def test_strength_is_checked() -> None:
    with pytest.raises(SettingsError, match="--strength of tint must be above 0 and at most 1, got 2"):
        Effect("tint", 2)
    Effect("blur", 2)

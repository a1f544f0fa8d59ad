"""The luma of frames, at their size and small."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from moving import coloured, texture
from PIL import Image

from videoparts.luma import luma, small_luma


def test_luma_is_what_pillow_calls_grey() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    grey = np.array(Image.fromarray(pixels).convert("L"))
    assert np.abs(luma(pixels).astype(int) - grey).max() <= 1
    assert np.array_equal(luma(pixels[:, ::-1]), luma(pixels)[:, ::-1])


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((480, 854), (160, 285)), ((1920, 1080), (284, 160)), ((96, 160), (96, 160)), ((160, 40), (160, 40))],
)
def test_the_size_of_a_small_one(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert small_luma(np.zeros((*size, 3), np.uint8)).shape == wanted


@pytest.mark.parametrize("size", [(1080, 1920), (2160, 3840), (1080, 1350), (721, 1281)])
def test_a_large_frame_is_shrunk_as_if_in_one_step(size: tuple[int, int]) -> None:
    plane = texture(3, *size)
    shrunk = small_luma(coloured(plane))
    at_once = cv2.resize(plane, shrunk.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - at_once).mean() < 1.5  # half a level is the rounding of each step

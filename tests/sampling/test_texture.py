"""What can be followed in a picture, and what cannot."""

from __future__ import annotations

import cv2
import numpy as np
from moving import texture

from videoparts.sampling.texture import AROUND, cornerness, gradient, plain


def test_a_gradient_is_in_levels_a_pixel() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 2, dtype=np.uint8), (90, 120))
    right, down = gradient(ramp)
    assert np.allclose(right[:, 1:-1], 2)
    assert np.abs(down).max() == 0


def test_the_smaller_eigenvalue_is_that_of_the_structure_tensor() -> None:
    right, down = gradient(texture(0))
    y, x = 70, 100
    around = (slice(y - AROUND // 2, y + AROUND // 2 + 1), slice(x - AROUND // 2, x + AROUND // 2 + 1))
    both = np.stack([right[around].ravel(), down[around].ravel()]).astype(np.float64)
    wanted = np.linalg.eigvalsh(both @ both.T / both.shape[1])[0]
    assert np.isclose(cornerness(right, down)[y, x], wanted, rtol=1e-3)


def test_a_sky_is_plain_and_what_stands_before_it_is_not() -> None:
    random = np.random.default_rng(0)
    sky = np.linspace(200, 215, 160)[:, None] + random.normal(size=(160, 240))
    picture = cv2.GaussianBlur(sky, (0, 0), 2)
    picture[90:150, 60:180] = texture(1)[90:150, 60:180]
    found = plain(picture.round().astype(np.uint8))
    assert found[:70].mean() > 0.95
    assert not found[100:140, 70:170].any()


def test_an_edge_alone_cannot_be_followed_along_itself() -> None:
    picture = np.zeros((160, 240), np.uint8)
    picture[:, 120:] = 200
    assert plain(picture)[20:-20].all()

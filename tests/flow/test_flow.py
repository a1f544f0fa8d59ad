"""Flow of pictures whose motion is known, and warping against a loop."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from videoparts.flow.dense import Flow, Preset, dense_flow, inside, targets, warp
from videoparts.frames import Pixels


def texture(height: int, width: int, seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).normal(size=(height, width))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray(128 + 50 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def constant(height: int, width: int, x: float, y: float) -> Flow:
    return np.broadcast_to(np.array([x, y], np.float32), (height, width, 2)).copy()


@pytest.mark.parametrize("preset", get_args(Preset))
def test_a_known_shift_is_found(preset: Preset) -> None:
    # Content at (x, y) of a is at (x + 4, y - 3) of b.
    big = texture(140, 200)
    a, b = big[10:130, 20:180], big[13:133, 16:176]
    error = np.abs(dense_flow(a, b, preset) - constant(120, 160, 4, -3)).sum(axis=2)
    assert np.median(error) < 0.25
    assert (np.abs(warp(b.astype(np.float32), dense_flow(a, b, preset), "bilinear") - a) < 20).mean() > 0.9


def test_nothing_moves_in_a_still_or_even_picture() -> None:
    still = texture(64, 96)
    assert np.abs(dense_flow(still, still)).max() < 0.05
    assert not dense_flow(np.full((64, 96), 7, np.uint8), np.full((64, 96), 90, np.uint8)).any()


SMALL = [(1, 1), (1, 500), (500, 1), (5, 7), (8, 100), (12, 12), (20, 100), (24, 300), (31, 1000), (100, 20), (32, 40)]


def test_small_and_narrow_frames_do_not_crash() -> None:
    """OpenCV itself ends the process on some of these, so it is done in another one."""
    code = f"""
import numpy as np
from videoparts.flow.dense import dense_flow
for shape in {SMALL}:
    for preset in ("quick", "medium"):
        a = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        flow = dense_flow(a, a[::-1], preset)
        assert flow.shape == (*shape, 2) and flow.dtype == np.float32 and np.isfinite(flow).all(), shape
print("done")
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "done", f"exit status {said.returncode}: {said.stderr}"


@pytest.mark.parametrize("preset", get_args(Preset))
def test_threads_and_earlier_frames_change_nothing(preset: Preset) -> None:
    a, b = texture(120, 160), texture(120, 160, seed=1)
    before = cv2.getNumThreads()
    flows = []
    try:
        for threads in (1, 2, 3):
            cv2.setNumThreads(threads)
            dense_flow(texture(16, 16), texture(16, 16, seed=1), preset)
            flows.append(dense_flow(a, b, preset).tobytes())
            assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)
    assert flows[0] == flows[1] == flows[2]


def test_planes_that_do_not_fit_are_refused() -> None:
    plane = texture(40, 40)
    for a, b in ((plane, plane[:39]), (plane, plane.astype(np.float32)), (plane[..., None], plane[..., None])):
        with pytest.raises(ValueError, match="two uint8 planes of one size"):
            dense_flow(a, b)


def slow_nearest(plane: npt.NDArray[np.uint8], flow: Flow) -> npt.NDArray[np.uint8]:
    out = np.zeros_like(plane)
    height, width = plane.shape[:2]
    for y in range(height):
        for x in range(width):
            u, v = round(float(x + flow[y, x, 0])), round(float(y + flow[y, x, 1]))
            if 0 <= u < width and 0 <= v < height:
                out[y, x] = plane[v, u]
    return out


@pytest.mark.parametrize("shape", [(9, 13), (9, 13, 1), (9, 13, 3), (9, 13, 6)])
def test_nearest_is_a_lookup_and_zero_outside(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    plane = random.integers(1, 255, shape, dtype=np.uint8)
    flow = (random.integers(-5, 6, (9, 13, 2)) + random.uniform(-0.4, 0.4, (9, 13, 2))).astype(np.float32)
    out = warp(plane, flow)
    assert out.dtype == np.uint8
    assert np.array_equal(out, slow_nearest(plane, flow))
    covered = out > 0 if out.ndim == 2 else (out > 0).all(axis=2)
    assert np.array_equal(covered, inside(targets(flow)))
    assert 0 < covered.mean() < 1


def test_bilinear_is_between_neighbours_and_the_edge_goes_on() -> None:
    ramp = np.tile(np.arange(12, dtype=np.float32) * 10, (6, 1))
    out = warp(ramp, constant(6, 12, 2.25, -0.5), "bilinear")
    assert out.dtype == np.float32
    assert np.allclose(out[:, :9], ramp[:, :9] + 22.5, atol=0.2)
    assert np.allclose(out[:, 10:], 110)
    soft = np.stack([ramp] * 5, axis=2)
    assert np.array_equal(warp(soft, constant(6, 12, 2.25, -0.5), "bilinear"), np.stack([out] * 5, axis=2))

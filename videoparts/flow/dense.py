"""Dense optical flow between two frames, and carrying a picture along it. The only file that knows OpenCV's flow.

The flow is DIS, *Fast Optical Flow using Dense Inverse Search* (Kroeger, Timofte, Dai, Van Gool, 2016), as OpenCV
has it. The same two frames give the same flow, whatever the number of OpenCV's threads.

Flow points from where a pixel is to where its content is found: ``dense_flow(a, b)`` says for each pixel of ``a``
where it went in ``b``, and so ``warp(labels_of_b, dense_flow(a, b))`` are the labels of ``b`` as ``a`` sees them.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from ..frames import Pixels

Flow = npt.NDArray[np.float32]
Targets = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
Preset = Literal["quick", "medium"]
Kind = TypeVar("Kind", np.uint8, np.float32)

# What "quick" has where "medium" has 3, 25 and 5: J of clips is that of "medium", T 0.002 less.
_QUICK_STRIDE = 4  # pixels from patch to patch
_QUICK_DESCENTS = 16
_QUICK_REFINEMENTS = 2
# OpenCV's choice of scales reads outside of its buffers when a frame is low and wide (20 x 100 crashes). From 32 on
# it cannot: patches of 8 pixels, and at most two halvings before the finest scale that it works on.
_LEAST_SIDE = 32

# Frames are what is spread over the cores here. Threads of OpenCV's own below that make the flow of a small picture
# slower (two take 1.7 times as long as one), and are one more pool to wait for.
cv2.setNumThreads(1)


def dense_flow(a: Pixels, b: Pixels, preset: Preset = "medium") -> Flow:
    """The optical flow from ``a`` to ``b``: what is at (x, y) in ``a`` is at (x, y) + flow[y, x] in ``b``.

    Args:
        a: (H, W) uint8, the luma of a frame.
        b: (H, W) uint8, the luma of another one.
        preset: ``medium`` as OpenCV has it, which ends at half the resolution; ``quick`` does so too, on fewer
            patches and with fewer iterations, in 0.6 of the time. (OpenCV's own quicker ones end at a quarter of the
            resolution: what is carried along them loses 0.01 of J and 0.03 of T.)

    Returns:
        (H, W, 2) float32, pixels: x to the right, then y downwards. A frame with a side below 32 pixels is continued
        to 32 by its last row or column, since OpenCV cannot work on less: its flow is rough.

    Raises:
        ValueError: the two are not uint8 planes of one size.
    """
    if a.ndim != 2 or a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"flow needs two uint8 planes of one size, got {a.dtype} {a.shape} and {b.dtype} {b.shape}")
    height, width = a.shape
    below, beside = max(0, _LEAST_SIDE - height), max(0, _LEAST_SIDE - width)
    if below or beside:
        a, b = (np.pad(plane, ((0, below), (0, beside)), mode="edge") for plane in (a, b))
    # A new object each time: one that has seen a small frame works on other scales from then on.
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined, unused-ignore]
    if preset == "quick":
        search.setPatchStride(_QUICK_STRIDE)
        search.setGradientDescentIterations(_QUICK_DESCENTS)
        search.setVariationalRefinementIterations(_QUICK_REFINEMENTS)
    flow = search.calc(np.ascontiguousarray(a), np.ascontiguousarray(b), None)
    return np.ascontiguousarray(flow[:height, :width], dtype=np.float32)


def targets(flow: Flow) -> Targets:
    """Where a flow (H, W, 2) points to from each pixel: columns and rows (H, W) float32."""
    height, width = flow.shape[:2]
    x = np.add(flow[..., 0], np.arange(width, dtype=np.float32), dtype=np.float32)
    y = np.add(flow[..., 1], np.arange(height, dtype=np.float32)[:, None], dtype=np.float32)
    return x, y


def fetch(
    plane: npt.NDArray[Kind],
    where: Targets,
    interpolation: Literal["nearest", "bilinear"],
    out: npt.NDArray[Kind] | None = None,
) -> npt.NDArray[Kind]:
    """`warp` along a flow whose `targets` are there already: for several planes along one flow. ``out``, of the shape
    and kind of ``plane``, is written to if given."""
    if interpolation == "nearest":
        found = cv2.remap(plane, *where, cv2.INTER_NEAREST, out, cv2.BORDER_CONSTANT)  # which is 0
    else:
        found = cv2.remap(plane, *where, cv2.INTER_LINEAR, out, cv2.BORDER_REPLICATE)
    return np.asarray(found, dtype=plane.dtype).reshape(plane.shape)  # OpenCV drops an axis of length 1


def warp(
    plane: npt.NDArray[Kind], flow: Flow, interpolation: Literal["nearest", "bilinear"] = "nearest"
) -> npt.NDArray[Kind]:
    """Fetch from ``plane`` what the flow points to: out[y, x] = plane[y + flow[y, x, 1], x + flow[y, x, 0]].

    Args:
        plane: (H, W) or (H, W, C), uint8 or float32.
        flow: (H, W, 2) float32, pixels.
        interpolation: ``nearest`` for labels: no number appears that was not there, and what the flow fetches from
            outside of the picture is 0. ``bilinear`` for everything that is smooth: outside, the edge goes on.

    Returns:
        Of the shape and kind of ``plane``. `inside` says which pixels came from the picture.
    """
    return fetch(plane, targets(flow), interpolation)


def inside(where: Targets) -> npt.NDArray[np.bool_]:
    """(H, W): whether the `targets` of a flow lie in the picture, which ends half a pixel off centres."""
    x, y = where
    height, width = x.shape
    return np.asarray((x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5))

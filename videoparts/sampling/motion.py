"""What moves by itself in a frame, and what moves together with an object, from optical flow to the frames around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from ..flow.dense import Flow
from ..flow.links import link
from ..luma import small_luma
from ..sources.around import Neighbourhood
from .texture import Marks

Scalar = TypeVar("Scalar", bound=np.generic)
Map = npt.NDArray[np.float32]
Luma = npt.NDArray[np.uint8]

_THIN = 3  # every so many pixels of a flow field are enough
_ROUNDS = 8  # of iteratively reweighted least squares
_NOISE = 4e-4  # of the flow's width: a motion smaller than that is not told from none
_STANDS_OUT = 8.0  # noise levels from which on a motion of its own counts in full
_BENT = 0.33  # of the noise level left by an affine motion of the camera: a quadratic one must not leave more
_SOME = 0.03  # share of a frame that must move by itself
_CLEARLY = 0.5  # of what counts in full: frames have 0.2 to 0.4 where nothing stands out, else mostly 0.7 to 1
_SHARP = 8  # exponent of the coherence: splash and shadow move nearly as the object does
_ON_SCREEN = 0.3  # share of a patch that is painted on the screen, from which on it does not count
_FOLLOWED = 0.5  # share of a patch without texture, from which on nothing is known of its motion
_LEAST_FILMED = 0.05  # of a frame, to tell how the camera moves
_CORE = 8  # pixels of flow that are enough to fit an object's motion to


@dataclass(frozen=True, eq=False, repr=False)
class Lumas:
    """A frame and those next to it, as small as flow wants them: each (y, x) uint8."""

    here: Luma
    before: Luma | None
    after: Luma | None

    @property
    def beside(self) -> list[Luma]:
        """The one or two next to it."""
        return [luma for luma in (self.before, self.after) if luma is not None]

    @classmethod
    def of(cls, around: Neighbourhood) -> Lumas:
        """Those of frames of any size."""
        before, after = (None if some is None else small_luma(some) for some in (around.before, around.after))
        return cls(small_luma(around.frame.pixels[0]), before, after)


def flows_around(lumas: Lumas) -> list[Flow]:
    """Flow (y, x, 2) float32 from a frame to the one after and to the one before; none across a cut, thinned."""
    flows = []
    if lumas.after is not None:
        after = link(lumas.here, lumas.after)
        if not after.cut:
            flows.append(after.forward)
    if lumas.before is not None:
        before = link(lumas.before, lumas.here)
        if not before.cut:
            flows.append(before.backward)
    return [of_flow(flow) for flow in flows]


def of_flow(plane: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Those rows and columns of a plane (y, x, ...) that are kept of a flow."""
    return plane[_THIN // 2 :: _THIN, _THIN // 2 :: _THIN]


@dataclass(frozen=True, eq=False, repr=False)
class Motion:
    """The flows of a frame, and what moves by itself in it, which is worked out once."""

    flows: Sequence[Flow] = ()  # of `flows_around`, or rows and columns of them
    painted: Marks | None = None  # (y, x), those pixels of the flows that are painted on the screen
    plain: Marks | None = None  # (y, x), those around which nothing can be followed

    @cached_property
    def own(self) -> Map | None:
        """See `own_motion`."""
        marks = [some for some in (self.painted, self.plain) if some is not None]
        return own_motion(self.flows, np.logical_or.reduce(marks) if marks else None)

    def on_screen(self, shape: tuple[int, int]) -> Marks:
        """Which patches (h, w) of the frame are painted on the screen."""
        if self.painted is None:
            return np.zeros(shape, dtype=bool)
        return to_patches(self.painted.astype(np.float32), shape) > _ON_SCREEN

    def followed(self, shape: tuple[int, int]) -> Marks:
        """Which patches (h, w) of the frame can be followed, so that motion tells something of them."""
        if self.plain is None:
            return np.ones(shape, dtype=bool)
        return to_patches(self.plain.astype(np.float32), shape) < _FOLLOWED


def own_motion(flows: Sequence[Flow], left_out: Marks | None = None) -> Map | None:
    """How far each pixel of the flows moves otherwise than the picture as a whole, 0 to 1, (y, x).

    The picture's own motion, that of the camera, is a function of the place, fitted robustly: an affine one, since one
    with more freedom follows a large object; a quadratic one where that fits much better, as with a tilting wide lens.
    Of the flows to two neighbours the smaller residual counts: what is uncovered has a wrong flow to one of them. A
    neighbour in which nothing moves says nothing: in many videos a frame is shown twice.

    Args:
        flows: to the frames next to it, (y, x, 2).
        left_out: (y, x): what does not count, since it is painted on the screen or flow is a guess there.

    Returns:
        None where there is no flow, nothing moves, or nothing stands out: a picture in which everything moves its own
        way, or which is filled by the object, does not tell one from the other.
    """
    if left_out is not None and 1 - left_out.mean() < _LEAST_FILMED:
        return None
    own: Map | None = None
    for flow in flows:
        filmed = np.ones(flow.shape[:2]) if left_out is None else (~left_out).astype(np.float64)
        residual, noise = _residual(flow, _affine(flow), filmed)
        bent, bent_noise = _residual(flow, _quadratic(flow), filmed)
        if bent_noise < _BENT * noise:
            residual, noise = bent, bent_noise
        residual *= filmed
        if np.quantile(residual, 0.98) <= _clear(flow):
            continue  # nothing moves, or the frame is shown twice
        stands_out = np.clip(residual / (_STANDS_OUT * noise), 0, 1).astype(np.float32)
        own = stands_out if own is None else np.minimum(own, stands_out)
    if own is None or np.quantile(own, 1 - _SOME) < _CLEARLY:
        return None
    return own


def camera_moves(flow: Flow, painted: Marks) -> bool:
    """Whether most of a picture moves, but for what is painted on the screen."""
    return bool(np.median(np.hypot(*flow[~painted].T)) > _clear(flow))


def _clear(flow: Flow) -> float:
    """The motion, in the flow's pixels, from which on something moves for certain, whatever the noise."""
    return float(_STANDS_OUT * _NOISE * flow.shape[1])


def common_motion(flows: Sequence[Flow], core: npt.NDArray[np.bool_]) -> Map | None:
    """How much better an object's motion explains that of each patch than the background's does, 0 to 1, (h, w).

    The object's motion is affine and fitted to ``core``, patches (h, w) that are on it; the background's is quadratic
    and fitted to all others, so that an object that fills most of the frame is not taken for the background.

    Returns:
        None where there is no flow, the core is too small, or it moves as the background does.
    """
    best: Map | None = None
    for flow in flows:
        size = flow.shape[1], flow.shape[0]
        inside = cv2.resize(core.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.99
        if inside.sum() < _CORE or (~inside).sum() < _CORE:
            continue
        background, noise = _residual(flow, _quadratic(flow), (~inside).astype(np.float64))
        if np.median(background[inside]) < 2 * noise:
            continue
        together, _ = _residual(flow, _affine(flow), inside.astype(np.float64))
        a, b = (background + noise) ** 2, (together + noise) ** 2
        share = ((a / (a + b)) ** _SHARP).astype(np.float32)
        best = share if best is None else np.maximum(best, share)
    return None if best is None else to_patches(best, (core.shape[0], core.shape[1]))


def _quadratic(flow: Flow) -> npt.NDArray[np.float64]:
    """(y * x, 6): 1, x, y, x^2, xy, y^2 of each pixel, about -1 to 1."""
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float64)
    y, x = (2 * y - flow.shape[0]) / flow.shape[1], (2 * x - flow.shape[1]) / flow.shape[1]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _affine(flow: Flow) -> npt.NDArray[np.float64]:
    """(y * x, 3): 1, x, y of each pixel."""
    return _quadratic(flow)[:, :3]


def _residual(
    flow: Flow, basis: npt.NDArray[np.float64], among: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Distance (y, x) of a flow from a function of the place, and its noise level, by iteratively reweighted least
    squares (weights of Geman and McClure) over the pixels that ``among`` (y, x) marks with 1."""
    target, marked = flow.reshape(-1, 2).astype(np.float64), among.ravel()
    weight, residual, noise = marked, np.zeros(len(target)), 0.0
    ridge = 1e-4 * np.eye(basis.shape[1])
    for _ in range(_ROUNDS):
        weighted = (basis * weight[:, None]).T
        factors = np.linalg.solve(weighted @ basis + ridge, weighted @ target)
        residual = np.hypot(*(target - basis @ factors).T)
        noise = max(1.4826 * float(np.median(residual[marked > 0])), _NOISE * flow.shape[1])
        weight = marked / np.square(1 + np.square(residual / (1.5 * noise)))
    return residual.reshape(flow.shape[:2]), noise


def to_patches(plane: Map, shape: tuple[int, int]) -> Map:
    """A map (y, x) of pixels for the patches (h, w) of the same frame."""
    return np.asarray(cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA), dtype=np.float32)

"""How two consecutive frames hang together: the flow both ways, how far to trust it, and whether there is a cut.

All of it on a small copy of the frames, `small_luma`, at most 160 pixels on the short side; flows are in its pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..frames import Pixels
from .dense import Flow, Preset, dense_flow, fetch, inside, targets

Trust = npt.NDArray[np.float32]

_SLIP = 1.0  # square pixels that there and back may miss the start by,
_SLIP_SHARE = 0.01  # and share of the squared lengths of both ways that comes on top
_SAME_LUMA = 20.0  # levels of 255 by which the luma may change along the flow
_AROUND = 9  # side in pixels of a square: what is trusted there alone, most of the rest not, agrees by chance
_DOUBTFUL = 0.5  # a smaller share of trusted pixels is worth a second look: the quick flow loses what moves far
_LEAST_TRUSTED = 0.1  # a smaller share of trusted pixels is a cut: frames that follow have 0.3 to 0.99, cuts 0 to 0.03
_MOST_GAIN = 3.0  # contrast that rises or falls by more from frame to frame is a cut, such as one from black


@dataclass(frozen=True, eq=False, repr=False)
class Link:
    """Two consecutive frames, each y x x pixels as `small_luma` gives them.

    ``forward`` belongs to the pixels of the earlier frame and points into the later one, ``backward`` the other way
    round. ``warp(later, link.forward)`` is the later frame as the earlier one sees it.
    """

    forward: Flow  # (y, x, 2) float32, pixels of this size: to the right, then downwards
    backward: Flow  # (y, x, 2) float32
    forward_trust: Trust  # (y, x) float32, 0 to 1: 0 where forward does not lead back, or to another brightness
    backward_trust: Trust  # (y, x) float32
    cut: bool  # the later frame does not show what the earlier one shows, moved

    def __repr__(self) -> str:
        return f"Link(size={self.size}, cut={self.cut})"

    @property
    def size(self) -> tuple[int, int]:
        """(y, x) in pixels."""
        return self.forward.shape[0], self.forward.shape[1]


Links = tuple[Link | None, ...]  # of each of some frames with the one before it; None: it is the first of all


def link(earlier: Pixels, later: Pixels) -> Link:
    """Link two frames, given as `small_luma`.

    A pixel is trusted where flow there and back comes back to it (Sundaram, Brox, Keutzer: "Dense Point Trajectories by
    GPU-Accelerated Large Displacement Optical Flow", 2010, equation 5), where it keeps its brightness, and where most
    pixels around do the same. What is the same for the whole picture, such as a flash or a fade, is taken off the
    brightness first.

    Args:
        earlier: (y, x) uint8.
        later: (y, x) uint8.

    Raises:
        ValueError: the two are not of one size.
    """
    found = _followed(earlier, later, "quick")
    doubtful = _trusted(found.forward_trust, found.backward_trust) < _DOUBTFUL
    return _followed(earlier, later, "medium") if doubtful else found


def _followed(earlier: Pixels, later: Pixels, preset: Preset) -> Link:
    forward, backward = dense_flow(earlier, later, preset), dense_flow(later, earlier, preset)
    one = _trust(forward, backward, earlier, later)
    other = _trust(backward, forward, later, earlier)
    contrast = (_spread(earlier)[1] + 1) / (_spread(later)[1] + 1)
    cut = _trusted(one, other) < _LEAST_TRUSTED or not 1 / _MOST_GAIN < contrast < _MOST_GAIN
    return Link(forward, backward, one, other, bool(cut))


def _trusted(one: Trust, other: Trust) -> float:
    """The share of trusted pixels, of that frame which has less."""
    return min(float(one.mean()), float(other.mean()))


def _trust(there: Flow, back: Flow, here: Pixels, other: Pixels) -> Trust:
    """Of the flow from the frame ``here`` to the ``other``, (y, x)."""
    where = targets(there)
    returned = fetch(back, where, "bilinear")
    slip, length = _squared(there + returned), _squared(there) + _squared(returned)
    consistent = (slip < _SLIP_SHARE * length + _SLIP) & inside(where)
    if not consistent.any():
        return np.zeros(here.shape, np.float32)
    fetched = fetch(other.astype(np.float32), where, "bilinear")
    (ours, our_spread), (theirs, their_spread) = _spread(here, consistent), _spread(fetched, consistent)
    gain = np.float32(min(max((our_spread + 1) / (their_spread + 1), 1 / _MOST_GAIN), _MOST_GAIN))
    change = np.abs(fetched * gain + np.float32(ours - gain * theirs) - here)
    good = (consistent & (change < _SAME_LUMA)).astype(np.float32)
    return np.asarray(good * (cv2.blur(good, (_AROUND, _AROUND)) > 0.5), dtype=np.float32)


def _spread(plane: Pixels | Trust, where: npt.NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Mean and standard deviation of a plane (y, x), where a mask of that shape is set: in a fifth of the time that
    NumPy takes."""
    mean, deviation = cv2.meanStdDev(plane, mask=None if where is None else where.view(np.uint8))
    return float(mean[0, 0]), float(deviation[0, 0])


def _squared(flow: Flow) -> npt.NDArray[np.float32]:
    """The squared length (y, x) of a flow."""
    right, down = cv2.split(flow)
    return np.asarray(right * right + down * down, dtype=np.float32)

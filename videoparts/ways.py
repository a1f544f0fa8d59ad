"""Ways between the frames of a clip along the optical flow, and what is fetched along them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from .flow import Flow, Targets, fetch, targets
from .links import Link, Trust

Scores = npt.NDArray[np.float32]

_MOST_PLANES = 64  # that OpenCV is given together: beyond 128 it takes them for another axis, and may crash


@dataclass(frozen=True, repr=False)
class Way:
    """From the pixels of a frame to where their content is in another one, and how far that can be trusted."""

    flow: Flow  # (y, x, 2) pixels
    trust: Trust  # (y, x) 0 to 1

    @classmethod
    def onward(cls, link: Link, size: tuple[int, int]) -> Way:
        """From a link's earlier frame to its later one, on pictures of ``size`` (y, x)."""
        return _resized(link.forward, link.forward_trust, size)

    @classmethod
    def back(cls, link: Link, size: tuple[int, int]) -> Way:
        """From a link's later frame to its earlier one, on pictures of ``size`` (y, x)."""
        return _resized(link.backward, link.backward_trust, size)

    def then(self, further: Way) -> Way:
        """This way, and another one from where it ends."""
        flow = self.flow + fetch(further.flow, self._targets, "bilinear")
        return Way(flow, self.trust * fetch(further.trust, self._targets, "bilinear"))

    def fetch(self, scores: Scores) -> Scores:
        """The scores (y, x, C) of the other frame, as this one sees them; for any C."""
        if scores.shape[2] <= _MOST_PLANES:  # putting one group together would take longer than fetching it
            return fetch(np.ascontiguousarray(scores), self._targets, "bilinear")
        groups = np.split(scores, range(_MOST_PLANES, scores.shape[2], _MOST_PLANES), axis=2)
        return np.concatenate([fetch(np.ascontiguousarray(some), self._targets, "bilinear") for some in groups], axis=2)

    @cached_property
    def _targets(self) -> Targets:
        return targets(self.flow)


def _resized(flow: Flow, trust: Trust, size: tuple[int, int]) -> Way:
    y, x = size
    scale = np.array([x / flow.shape[1], y / flow.shape[0]], np.float32)
    small, trusted = (cv2.resize(plane, (x, y), interpolation=cv2.INTER_AREA) for plane in (flow, trust))
    return Way(np.asarray(small * scale, np.float32), np.asarray(trusted, np.float32))

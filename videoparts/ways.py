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
        return Way(self.flow + self._fetched(further.flow), self.trust * self._fetched(further.trust))

    def fetch(self, scores: Scores) -> Scores:
        """The scores (y, x, C) of the other frame, as this one sees them; for any C."""
        groups = np.split(scores, range(_MOST_PLANES, scores.shape[2], _MOST_PLANES), axis=2)
        fetched = [self._fetched(np.ascontiguousarray(some)) for some in groups]
        # Putting one group together would take longer than fetching it.
        return fetched[0] if len(fetched) == 1 else np.concatenate(fetched, axis=2)

    def _fetched(self, planes: Scores) -> Scores:
        return fetch(planes, self._targets, "bilinear")

    @cached_property
    def _targets(self) -> Targets:
        return targets(self.flow)


def _resized(flow: Flow, trust: Trust, size: tuple[int, int]) -> Way:
    y, x = size
    scale = np.array([x / flow.shape[1], y / flow.shape[0]], np.float32)
    small, trusted = (cv2.resize(plane, (x, y), interpolation=cv2.INTER_AREA) for plane in (flow, trust))
    return Way(np.asarray(small * scale, np.float32), np.asarray(trusted, np.float32))

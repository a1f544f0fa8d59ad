"""Ways between the frames of a clip along the optical flow, and what is fetched along them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from .dense import Flow, Targets, fetch, targets
from .links import Link, Trust

Plane = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]

_TOGETHER = 4  # planes that OpenCV fetches exactly, and in little more time than one; of five it takes three times that


@dataclass(frozen=True, eq=False, repr=False)
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

    def step(self) -> Scores:
        """(y, x, 4), for a `Walk`: pixels to the right, pixels downwards, trust, and 0."""
        return np.dstack([self.flow, self.trust, np.zeros_like(self.trust)])

    def then(self, further: Way) -> Way:
        """This way, and another one from where it ends."""
        return Way(self.flow + self._fetched(further.flow), self.trust * self._fetched(further.trust))

    def fetch(self, scores: Scores) -> Scores:
        """The scores (y, x, C) of the other frame, as this one sees them; for any C."""
        groups = np.split(scores, range(_TOGETHER, scores.shape[2], _TOGETHER), axis=2)
        fetched = [self._fetched(np.ascontiguousarray(some)) for some in groups]
        # Putting one group together would take longer than fetching it.
        return fetched[0] if len(fetched) == 1 else np.concatenate(fetched, axis=2)

    def _fetched(self, planes: Scores) -> Scores:
        return fetch(planes, self._targets, "bilinear")

    @cached_property
    def _targets(self) -> Targets:
        return targets(self.flow)


class Walk:
    """A way that is gone step by step, in memory of its own: to allocate it anew would take as long as the rest.

    Args:
        size: (y, x) of the pictures.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._targets = targets(np.zeros((*size, 2), np.float32))
        self._fetched, self._told, self._trusts = (np.empty((*size, _TOGETHER), np.float32) for _ in range(3))
        self.trust: Trust = np.ones(size, np.float32)
        """(y, x) 0 to 1, how far the way is trusted until now."""

    def on(self, step: Scores) -> None:
        """Go on from where the way ends, by a `Way.step`."""
        fetch(step, self._targets, "bilinear", self._fetched)
        for k, target in enumerate(self._targets):
            target += self._fetched[..., k]
        self.trust *= self._fetched[..., 2]
        cv2.merge([self.trust] * _TOGETHER, self._trusts)

    def fetch(self, scores: Scores) -> Scores:
        """Scores (y, x, 4) of where the way ends, as it is seen from its start, times the trust.

        The next call writes to the same memory.
        """
        fetch(scores, self._targets, "bilinear", self._told)
        cv2.multiply(self._told, self._trusts, self._told)
        return self._told


def in_fours(planes: Scores) -> list[Scores]:
    """Planes (C, y, x) as scores of four each, (y, x, 4), with zeros at the end."""
    count, y, x = planes.shape
    fours = np.zeros((-(-count // _TOGETHER), y, x, _TOGETHER), np.float32)
    for k, plane in enumerate(planes):
        fours[k // _TOGETHER, ..., k % _TOGETHER] = plane
    return list(fours)


def _resized(flow: Flow, trust: Trust, size: tuple[int, int]) -> Way:
    y, x = size
    scale = np.array([x / flow.shape[1], y / flow.shape[0]], np.float32)
    small, trusted = (cv2.resize(plane, (x, y), interpolation=cv2.INTER_AREA) for plane in (flow, trust))
    return Way(np.asarray(small * scale, np.float32), np.asarray(trusted, np.float32))

"""How the labels of consecutive frames go together: counted once, and valid for any parts that are made of them.

Merging, dropping and reordering parts changes what labels mean, not where they are. So what a report needs of frames
that follow each other is how often which labels meet along the flow, and no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..cropping import cropped
from ..evaluation.metrics import counted_for_agreement
from ..flow.dense import warp
from ..flow.links import Link, link
from ..frames import Pixels
from ..luma import small_luma
from ..masks import PartMasks

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False, repr=False)
class Joint:
    """What is known of a frame and the two before it, on their active area in the size of links (`small_luma`)."""

    cut: bool  # the frame does not show what the one before shows, moved
    # (K, 3): how many pixels had the first label in the frame before and have the second now, where the flow can be
    # trusted as T asks for; the third is their number. Empty: there is no frame before, or a cut.
    pairs: Counts
    # (K, 4): the same of the frame before the last, the last, and this one, where the flow to both can be trusted.
    triples: Counts

    def agreement(self, numbers: npt.NDArray[np.uint8]) -> float | None:
        """`metrics.part_agreement` of the frame with the one before.

        Args:
            numbers: (L + 1,) the part of each label, 0 for none.
        """
        before, here, count = numbers[self.pairs[:, 0]], numbers[self.pairs[:, 1]], self.pairs[:, 2].astype(np.int64)
        shared = count[(before == here) & (here > 0)].sum()
        union = count[before > 0].sum() + count[here > 0].sum() - shared
        return float(shared / union) if union else None

    def flicker(self, numbers: npt.NDArray[np.uint8]) -> float | None:
        """Share of pixels whose part is one and the same two frames ago and now, and another one between.

        Of the pixels that have a part in at least one of the three; None where there is none.
        """
        first, second, third = (numbers[self.triples[:, k]] for k in range(3))
        count = self.triples[:, 3].astype(np.int64)
        some = count[(first > 0) | (second > 0) | (third > 0)].sum()
        return float(count[(first == third) & (second != first)].sum() / some) if some else None


class JointCounter:
    """Counts the joints of frames that come in order. Time of one core at 1280 x 720: 12 ms, 10 of them for a link that
    is not given."""

    def __init__(self) -> None:
        self._before: _Small | None = None

    def of(self, masks: PartMasks) -> list[Joint]:
        """The joints of the next frames, with the links that they come with."""
        masks = cropped(masks)  # as those links are, and black bars would hide a cut
        links = masks.links or (None,) * len(masks)
        return [self.add(*one) for one in zip(masks.frames.pixels, masks.labels, links, strict=True)]

    def add(self, pixels: Pixels, labels: Pixels, known: Link | None = None) -> Joint:
        """The joint of the next frame (H, W, 3) and its labels (H, W) with those before.

        ``known`` is its link to the frame before, where somebody has made it already.
        """
        luma = small_luma(pixels)
        small = np.asarray(cv2.resize(labels, luma.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        before, here = self._before, _Small(luma, small)
        joint = None if before is None else known or link(before.luma, luma)
        pairs, triples = _NO_PAIRS, _NO_TRIPLES
        if before is not None and joint is not None and not joint.cut:
            carried = warp(before.labels, joint.backward)
            pairs = _counted((carried, small), counted_for_agreement(joint.backward, before.luma, luma))
            triples = before.triples(joint, small)
            here = _Small(luma, small, carried, joint.backward_trust > 0)
        self._before = here
        return Joint(joint is not None and joint.cut, pairs, triples)


@dataclass(frozen=True)
class _Small:
    """A frame at the size of its links."""

    luma: Pixels
    labels: Pixels
    carried: Pixels | None = None  # the labels of the frame before, as this one sees them; None: it follows none
    trusted: Mask | None = None  # where they are known

    def triples(self, joint: Link, after: Pixels) -> Counts:
        """`Joint.triples` of the next frame, whose joint with this one and labels are given."""
        if self.carried is None or self.trusted is None:
            return _NO_TRIPLES
        counted = self.trusted & (joint.forward_trust > 0)
        return _counted((self.carried, self.labels, warp(after, joint.forward)), counted)


def _counted(planes: tuple[Pixels, ...], counted: Mask) -> Counts:
    """(K, len(planes) + 1): each combination of labels that is there on the counted pixels, and how often."""
    several = max(int(plane.max()) for plane in planes) + 1
    code = np.zeros(int(np.count_nonzero(counted)), np.int64)
    for plane in planes:
        code = code * several + plane[counted]
    count = np.bincount(code)
    found = np.flatnonzero(count)
    columns = [found // several**k % several for k in range(len(planes) - 1, -1, -1)]
    return np.stack([*columns, count[found]], axis=1).astype(np.int32)


_NO_PAIRS, _NO_TRIPLES = np.zeros((0, 3), np.int32), np.zeros((0, 4), np.int32)

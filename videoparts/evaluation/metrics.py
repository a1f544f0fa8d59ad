"""How good masks are: pure functions on arrays.

- **J**, region similarity, and **F**, contour accuracy: *A Benchmark Dataset and Evaluation Methodology for Video
  Object Segmentation* (Perazzi, Pont-Tuset, McWilliams, Van Gool, Gross, Sorkine-Hornung, 2016), section 5 (DAVIS).
- **T**, agreement of a frame's parts with those of the frame before, carried along the optical flow.
- **NMI** and **ARI** of predicted and annotated parts, both from one table of how often two labels meet.

All are shares or indices without a unit; 1 is best.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ..flow.dense import Flow, dense_flow, fetch, inside, targets, warp
from ..frames import Pixels

Mask = npt.NDArray[np.bool_]
Table = npt.NDArray[np.int64]

_BOUNDARY = 0.008  # of the picture's diagonal: how far apart two boundaries may lie and still meet (DAVIS)
_SAME_LUMA = 20  # a pixel whose luma changes by so much along the flow was hidden, or the flow is wrong there
_LABELS = 256


def jaccard(predicted: Mask, truth: Mask) -> float:
    """J: |predicted and truth| / |predicted or truth| (Perazzi et al., section 5). Both empty: 1.

    Args:
        predicted: (H, W) bool.
        truth: (H, W) bool.
    """
    union = np.count_nonzero(predicted | truth)
    return np.count_nonzero(predicted & truth) / union if union else 1.0


def boundary(mask: Mask) -> Mask:
    """The boundary (H, W) of a mask (H, W), one pixel wide, as DAVIS draws it.

    A pixel is on it if its neighbour to the right, the one below or the one below to the right is not in the same
    region. The picture's own edge is no boundary.
    """
    whole = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here = whole[:-1, :-1]
    return np.asarray((here != whole[:-1, 1:]) | (here != whole[1:, :-1]) | (here != whole[1:, 1:]))


def boundary_f(predicted: Mask, truth: Mask, tolerance: float = _BOUNDARY) -> float:
    """F: 2 P R / (P + R) of the two boundaries (Perazzi et al., section 5).

    P is the share of the predicted boundary that lies within a radius of the true one, R the share of the true
    boundary within that radius of the predicted one. The radius is ``tolerance`` times the picture's diagonal, rounded
    up to whole pixels. DAVIS replaces the paper's matching of points by this dilation with a disk. No boundary in
    either: 1; in one of them only: 0.

    Args:
        predicted: (H, W) bool.
        truth: (H, W) bool.
        tolerance: share of the diagonal.
    """
    ours, theirs = boundary(predicted), boundary(truth)
    n_ours, n_theirs = np.count_nonzero(ours), np.count_nonzero(theirs)
    if not n_ours or not n_theirs:
        return float(n_ours == n_theirs)
    disk = _disk(math.ceil(tolerance * math.hypot(*truth.shape)))
    precision = np.count_nonzero(ours & _dilate(theirs, disk)) / n_ours
    recall = np.count_nonzero(theirs & _dilate(ours, disk)) / n_theirs
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _disk(radius: int) -> Pixels:
    offset = np.arange(-radius, radius + 1)
    return (offset[:, None] ** 2 + offset**2 <= radius**2).astype(np.uint8)


def _dilate(mask: Mask, disk: Pixels) -> Mask:
    return np.asarray(cv2.dilate(mask.view(np.uint8), disk), dtype=bool)


def temporal_agreement(previous: Pixels, labels: Pixels, previous_luma: Pixels, luma: Pixels) -> float | None:
    """T of one pair of frames: do parts stay on what they were on?

    The previous frame's labels are fetched along DIS optical flow (medium preset) from this frame to the previous
    one. Pixels count whose luma changed by less than 20 of 255 on that way and which came from inside the picture.
    T is the sum over parts of the intersections of both frames' masks, over the sum of their unions.

    Args:
        previous: (H, W) uint8, labels of the frame before, 0 is background.
        labels: (H, W) uint8, labels of this frame.
        previous_luma: (H, W) uint8, luma of the frame before.
        luma: (H, W) uint8, luma of this frame.

    Returns:
        0 to 1; None where no counting pixel has a part in either frame, so that there is nothing to agree on.
    """
    return agreement_along(dense_flow(luma, previous_luma, "medium"), previous, labels, previous_luma, luma)


def agreement_along(flow: Flow, previous: Pixels, labels: Pixels, previous_luma: Pixels, luma: Pixels) -> float | None:
    """`temporal_agreement` where the flow (H, W, 2) from this frame to the previous one is known already."""
    return part_agreement(warp(previous, flow), labels, counted_for_agreement(flow, previous_luma, luma))


def counted_for_agreement(flow: Flow, previous_luma: Pixels, luma: Pixels) -> Mask:
    """(H, W): pixels whose flow to the previous frame ends inside of it, at nearly the same luma."""
    where = targets(flow)
    change = np.abs(fetch(previous_luma.astype(np.float32), where, "bilinear") - luma)
    return np.asarray(inside(where) & (change < _SAME_LUMA))


def part_agreement(a: Pixels, b: Pixels, counted: Mask) -> float | None:
    """Sum over parts of the intersections, over the sum of the unions, of labels ``a`` and ``b`` (H, W).

    None where no ``counted`` pixel (H, W) has a part in either.
    """
    # The unions' sizes sum to all pixels of a part in a and in b, less those that both give the same part.
    shared = np.count_nonzero((a == b) & (a > 0) & counted)
    union = np.count_nonzero((a > 0) & counted) + np.count_nonzero((b > 0) & counted) - shared
    return shared / union if union else None


def contingency(a: Pixels, b: Pixels) -> Table:
    """(256, 256) int64: how often label i of ``a`` and label j of ``b``, both uint8 of one shape, meet on a pixel."""
    pairs = a.ravel().astype(np.int32) * _LABELS + b.ravel()
    return np.bincount(pairs, minlength=_LABELS**2).reshape(_LABELS, _LABELS)


def nmi(table: Table) -> float:
    """Normalised mutual information, 2 I(A; B) / (H(A) + H(B)), of two labellings.

    The normaliser is the arithmetic mean (Vinh, Epps, Bailey, *Information Theoretic Measures for Clusterings
    Comparison*, 2010, table 2: NMI_sum). Both of one label only: 1.

    Args:
        table: (A, B), how often two labels meet, as of `contingency`.

    Returns:
        0 to 1.

    Raises:
        ValueError: the table is empty.
    """
    joint = table / _total(table)
    entropies = _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0))
    return max(0.0, 2 * (entropies - _entropy(joint)) / entropies) if entropies > 0 else 1.0


def _entropy(shares: npt.NDArray[np.float64]) -> float:
    """Of shares that sum to 1, in nats."""
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())


def ari(table: Table) -> float:
    """Adjusted Rand index of two labellings (Hubert and Arabie, *Comparing Partitions*, 1985, equation 5).

    Of all pairs of pixels, how many both labellings put together, less what chance would give: 0 is chance, 1 is
    equal up to names. Where no better than chance is possible, as with one label in each, 1.

    Args:
        table: (A, B), how often two labels meet, as of `contingency`.

    Returns:
        -0.5 to 1.

    Raises:
        ValueError: the table is empty.
    """
    # Python's integers: a long clip has more pairs of pixels than 64 bits count.
    total = _pairs([_total(table)])
    both, a, b = (_pairs(counts.ravel().tolist()) for counts in (table, table.sum(axis=1), table.sum(axis=0)))
    above, most = 2 * (both * total - a * b), (a + b) * total - 2 * a * b
    return above / most if most else 1.0


def _pairs(counts: list[int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts)


def _total(table: Table) -> int:
    total = int(table.sum())
    if total == 0:
        raise ValueError("no two labels meet in the table: there is nothing to compare")
    return total


def box_positions(mask: Mask) -> npt.NDArray[np.float32]:
    """(n, 2) x and y, 0 to 1, of the pixels of a mask (H, W) within its own bounding box, row by row.

    What the position-only baseline knows: k-means on them cuts an object into pieces without having seen it.
    """
    y, x = np.nonzero(mask)
    return np.stack([_within(x), _within(y)], axis=1)


def _within(places: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    if not len(places):
        return np.empty(0, np.float32)
    low, high = places.min(), places.max()
    return np.asarray((places - low + 0.5) / (high - low + 1), dtype=np.float32)

"""Labels without specks: what is too small to be seen as a thing of its own, and islands that are nowhere certain.

Where scores are close, single pixels and small patches fall to one side or the other: islands in the background, holes
in the object, crumbs of one part in another. They flicker, and nobody wants to mask them out by hand.

Larger islands are mostly pieces of the object, behind leaves or at the end of a thin limb, and somewhere in them that
is certain. What only looks a little like it is nowhere. (Hysteresis, by which Canny follows edges: "A Computational
Approach to Edge Detection", 1986.)

Pieces are told by their outlines, which takes a tenth of the time of numbering their pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..frames import Pixels

Chances = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
Outline = npt.NDArray[np.int32]  # (k, 1, 2) of pixels: to the right, then downwards

_WITHIN = 2 / 3  # share of the smallest island that stays, which holes and crumbs need, to stay
# Of the highest chance in the frame, which an island must reach somewhere. J of 28 views, every third frame, is .7434
# without, .7442 with 0.7, .7446 with 0.75 and .7439 with 0.85; of the seven clips .7755, .7763, .7761 and .7755.
_CERTAIN = 0.7


def without_specks(labels: Pixels, chances: Chances, share: float) -> Pixels:
    """Drop small and uncertain islands of the object, fill small holes, and give small crumbs of a part to that around.

    Each frame is judged by itself, so that the result is the same whatever comes before and after.

    Args:
        labels: (H, W) uint8 of one frame: 0 is background, 1..P are parts.
        chances: (y, x) float32 of the object, on the working picture of `working_scores`.
        share: of the area of the object's largest piece in this frame, holes included: a piece that is smaller is an
            island; holes and crumbs are two thirds as large at most. 0 leaves the labels as they are.

    Returns:
        (H, W) uint8.
    """
    if not share or not labels.any():
        return labels
    labels = labels.copy()
    inside, corner = _object(labels)
    marks = (inside > 0).view(np.uint8)
    pieces, holes = _outlines(marks)
    main = max(pieces, key=_area)
    largest = _area(main)
    certain = _CERTAIN * chances.max()
    cell = -(-labels.shape[0] // chances.shape[0])
    for piece in pieces:
        if piece is not main:
            rows, columns = _pixels_of(marks, piece)
            cells = (rows + corner[0]) // cell, (columns + corner[1]) // cell
            if _area(piece) < share * largest or chances[cells].max() < certain:
                inside[rows, columns] = 0
    small = _WITHIN * share * largest
    for hole in holes:
        if _area_within(hole) < small:
            _give_away(inside, hole, 0)
    inside, _ = _object(labels)
    count = cv2.calcHist([inside], [0], None, [256], [0, 256]).ravel()
    for part in np.flatnonzero(count[1:]) + 1:
        crumbs, _ = _outlines((inside == part).view(np.uint8))
        if any(_area(piece) >= small for piece in crumbs):  # a part that is small as a whole is no crumb
            for crumb in crumbs:
                if _area(crumb) < small:
                    _give_away(inside, crumb, int(part))
    return labels


def each_without_specks(labels: Pixels, scores: Chances, share: float) -> Pixels:
    """`without_specks` of N frames: labels (N, H, W), and the scores (N, C - 1, y, x) that they were made from."""
    each = zip(labels, scores.sum(axis=1), strict=True)
    return np.stack([without_specks(*one, share) for one in each])


def _object(labels: Pixels) -> tuple[Pixels, tuple[int, int]]:
    """The rows and columns, of (H, W), that hold all parts: a view; and the first of both."""
    left, top, width, height = cv2.boundingRect(labels)
    return labels[top : top + height, left : left + width], (top, left)


def _outlines(marks: Pixels) -> tuple[list[Outline], list[Outline]]:
    """The outlines of the pieces of marks (H, W), 0 or 1, and of the holes in them. Those of holes run along the marks
    around. Pixels that touch at a corner hang together."""
    outlines, tree = cv2.findContours(marks, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    inner = [] if tree is None else (tree[0, :, 3] >= 0).tolist()
    pieces: tuple[list[Outline], list[Outline]] = [], []
    for outline, is_hole in zip(outlines, inner, strict=True):
        pieces[is_hole].append(np.asarray(outline, dtype=np.int32))
    return pieces


def _pixels_of(marks: Pixels, piece: Outline) -> tuple[Places, Places]:
    """Rows and columns of the pixels of a piece, which vanishes from the marks; not of what lies in a hole of it."""
    left, top, width, height = cv2.boundingRect(piece)
    window = marks[top : top + height, left : left + width]
    before = window.copy()
    cv2.floodFill(marks, None, piece[0, 0].tolist(), 0, flags=8)
    rows, columns = np.nonzero(before != window)
    return rows + top, columns + left


def _area(outline: Outline) -> float:
    """Pixels on an outline and within it, by Pick's theorem; of a single pixel, whose outline is a point, 1.5."""
    return _area_within(outline) + len(outline)


def _area_within(outline: Outline) -> float:
    """Pixels within an outline, without those on it."""
    return float(cv2.contourArea(outline)) - len(outline) / 2 + 1


def _give_away(labels: Pixels, outline: Outline, label: int) -> None:
    """Give the pixels with a label, on or within an outline, to that part which most pixels around them are of."""
    left, top, width, height = cv2.boundingRect(outline)
    left, top = max(0, left - 1), max(0, top - 1)
    window = labels[top : top + height + 2, left : left + width + 2]
    filled = np.zeros(window.shape, np.uint8)
    cv2.drawContours(filled, [outline], -1, 1, cv2.FILLED, offset=(-left, -top))
    speck = filled.astype(bool) & (window == label)
    around = cv2.dilate(speck.view(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~speck & (window > 0)
    if around.any():
        window[speck] = np.bincount(window[around]).argmax()

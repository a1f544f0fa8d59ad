"""Antialiased mattes of parts: the object's matte, made to agree with the final labels, and shared out to the parts.

What is of which part is decided by the labels; how much of a pixel the object covers, at its outline, by its matte.
Between two parts there is no outline to see: they pass into each other within two pixels, and the matte of both
together is that of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ..frames import Pixels
from .nearest import nearest_known

_REACH = 1 / 60  # of the frame's short side: farther from the outline a pixel is covered whole, or not at all
_MENDED = 2  # pixels around one whose label was changed after the matte was made, in which the matte is made anew
_LEAD = 1.1  # how much more than any other a part has of a pixel that has its label: more than rounding can take
_FRINGE = 5  # pixels: farther from a part, nothing passes into it
_PASSAGE = cv2.getGaussianKernel(5, 1.0)[:, 0]  # how parts pass into each other: weights of the pixels around


def agreeing_matte(matte: Pixels, labels: Pixels, before: Pixels) -> Pixels:
    """The object's matte, without what the labels do not have, and with what they have.

    Labels know of specks and holes that are dropped and filled, scores do not. And what scores are unsure of far
    inside the object, or far outside, is no edge.

    Args:
        matte: (H, W) uint8, of `matte_pixels`.
        labels: (H, W) uint8, final.
        before: (H, W) uint8, the labels that came with the matte.

    Returns:
        (H, W) uint8: above 127 just where there is a part.
    """
    reach = max(2, round(min(labels.shape) * _REACH))
    inside = (labels > 0).view(np.uint8)
    hard = inside * np.uint8(255)
    near_inside, near_outside = _grown(inside, reach), _grown(1 - inside, reach)
    matte = np.where(near_inside & near_outside, matte, hard)
    changed = (labels > 0) != (before > 0)
    if changed.any():
        edge = _grown(inside, 1) & _grown(1 - inside, 1)
        about = _grown(changed.view(np.uint8), _MENDED).view(bool)
        matte[about & ((edge == 0) | ((matte > 127) != (inside > 0)))] = 0
        matte = np.where(about & (matte == 0), hard, matte)
    return np.where(labels > 0, np.maximum(matte, 128), np.minimum(matte, 127)).astype(np.uint8)


def part_mattes(matte: Pixels, labels: Pixels, numbers: Sequence[int]) -> Pixels:
    """Share the object's matte out to its parts.

    Args:
        matte: (H, W) uint8, of `agreeing_matte`.
        labels: (H, W) uint8; they may hold other parts than those asked for.
        numbers: labels of the parts that are wanted.

    Returns:
        (K, H, W) uint8. Over all parts that there are, they add up to the matte, exactly; and where that is above 127,
        the part of the label has the most of it.
    """
    planes = np.zeros((len(numbers), *labels.shape), np.uint8)
    left, top, width, height = cv2.boundingRect(cv2.max(matte, labels))
    if not width or not labels.any():
        return planes
    box = np.s_[top : top + height, left : left + width]
    whole, near = np.ascontiguousarray(matte[box]), np.ascontiguousarray(labels[box])
    if not near.all():  # into the background: each pixel has the label of the nearest part
        near = nearest_known(near, near > 0)
    for plane, number in zip(planes, numbers, strict=True):
        np.copyto(plane[box], whole, where=near == number)
    seam = np.flatnonzero((cv2.dilate(near, _square(2)) != cv2.erode(near, _square(2))) & (whole > 0))
    if len(seam):
        place = {number: k for k, number in enumerate(numbers)}
        for number, amount in _passages(whole, near, seam):
            if number in place:
                planes[place[number]][box].flat[seam] = amount
    return planes


def agree_without_others(mattes: Pixels, labels: Pixels, numbers: Sequence[int]) -> None:
    """Change the mattes of some parts, in place, so that they agree with the labels once no other part is there.

    Where they pass into parts that are left out, they may have less than half of a pixel of theirs, or together more
    than half of one that is not theirs: a few pixels of an outline, or where three parts meet.

    Args:
        mattes: (K, H, W) uint8, of `part_mattes`.
        labels: (H, W) uint8; 0 where there is background or a part that is left out.
        numbers: labels of the K parts.
    """
    left, top, width, height = cv2.boundingRect(labels)
    box = np.s_[max(0, top - _FRINGE) : top + height + _FRINGE, max(0, left - _FRINGE) : left + width + _FRINGE]
    planes, mine = mattes[:, box[0], box[1]], labels[box]
    whole = planes.sum(0, dtype=np.uint16)
    place = np.zeros(256, np.intp)
    place[list(numbers)] = np.arange(len(numbers))
    y, x = np.nonzero((mine > 0) & (whole < 128))
    planes[place[mine[y, x]], y, x] += (128 - whole[y, x]).astype(np.uint8)
    much = (mine == 0) & (whole > 127)
    planes[:, much] = planes[:, much].astype(np.uint16) * 127 // whole[much]


def _passages(whole: Pixels, near: Pixels, seam: npt.NDArray[np.intp]) -> list[tuple[int, Pixels]]:
    """How much of the pixels ``seam`` (n,) each part covers, by number: they add up to ``whole`` there."""
    numbers = np.flatnonzero(np.bincount(near.ravel()))
    row = np.zeros(256, np.intp)
    row[numbers] = np.arange(len(numbers))
    padded = row[cv2.copyMakeBorder(near, 2, 2, 2, 2, cv2.BORDER_REPLICATE)]
    y, x = np.divmod(seam, near.shape[1])
    share, each = np.zeros((len(numbers), len(seam)), np.float32), np.arange(len(seam))
    for dy, down in enumerate(_PASSAGE):
        for dx, right in enumerate(_PASSAGE):
            share[padded[y + dy, x + dx], each] += np.float32(down * right)
    # The part that the label names has the most, where its own are but few pixels around, too.
    mine = padded[y + 2, x + 2], each
    share[mine] = np.maximum(share[mine], _LEAD * share.max(axis=0))
    share /= share.sum(axis=0)
    # Differences of rounded running sums: so the parts add up to the whole, to the last bit.
    running = np.rint(np.cumsum(share, axis=0) * whole.flat[seam])
    running[-1] = whole.flat[seam]
    amounts = np.diff(running, axis=0, prepend=0).astype(np.uint8)
    return list(zip(numbers.tolist(), amounts, strict=True))


def _grown(marks: Pixels, by: int) -> Pixels:
    """Marks (H, W) of 0 and 1, with the pixels up to ``by`` beside them."""
    return np.asarray(cv2.dilate(marks, _square(by)), dtype=np.uint8)


def _square(reach: int) -> Pixels:
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)

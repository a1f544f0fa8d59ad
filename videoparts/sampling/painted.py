"""What is painted on the screen: a station's logo, a clock, subtitles.

Where the camera moves, that stands still on the screen, and so it moves by itself among all that is filmed; and it is
salient, small and off the border. It is told by steep corners, which are at the same place and as bright in a frame and
those next to it. An edge alone does not tell: it may be one along which the camera moves.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..frames import Pixels
from .texture import AROUND, Marks, cornerness, gradient

# Levels of 255 by which the luma of a pixel may differ: what is filmed shows through thin letters. With 14, a car is
# taken for painted in a frame in which the camera keeps up with it to a third of a small picture's pixel.
_ALIKE = 8
_STEEP = 40.0  # levels of 255 from pixel to pixel, from which on there is an edge
_CORNER = 60.0  # squared levels a pixel: the smaller eigenvalue of one
_SHARE = 0.3  # of that of all steep edges there, which those that stand still must have
_LEAST = 2 * AROUND**2  # pixels of a piece: a single corner, as of a beak, can be what the camera follows
_RIM = 3  # pixels around it, which compression mixes with what is behind
_MOST = 0.2  # of the picture: where more stands still, the camera does so too


def painted(here: Pixels, beside: Sequence[Pixels]) -> Marks | None:
    """The pixels (y, x) of a frame that are painted on the screen, if the camera moves; None where there are none.

    Args:
        here: luma of the frame, (y, x) uint8.
        beside: of those next to it, one or two.
    """
    if not beside:
        return None
    frames = np.stack([here, *beside])
    alike = frames.max(axis=0) - frames.min(axis=0) <= _ALIKE
    right, down = gradient(here)
    steep = np.hypot(right, down) > _STEEP
    still, all_of_it = (cornerness(right * some, down * some) for some in (steep & alike, steep))
    found = ((still > _CORNER) & (still > _SHARE * all_of_it)).astype(np.uint8)
    count, piece = cv2.connectedComponents(found, connectivity=4)
    large = np.bincount(piece.ravel(), minlength=count) >= _LEAST
    found = (large[piece] & (found > 0)).astype(np.uint8)
    if not found.any() or found.mean() > _MOST:
        return None
    return cv2.dilate(found, np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)) > 0

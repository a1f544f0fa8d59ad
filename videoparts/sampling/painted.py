"""What is painted on the screen: a station's logo, a clock, a watermark.

Where the camera moves, that stands still on the screen, and so it moves by itself among all that is filmed; and it is
salient, small and off the border. It is told by its edges: they are at the same place, and as bright, in all frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ..frames import Pixels

Marks = npt.NDArray[np.bool_]

_FEWEST = 4  # frames that have to agree
_ALIKE = 4.0  # levels of 255 by which the luma of a pixel differs between them, as its standard deviation
_STEEP = 8.0  # levels of 255 from pixel to pixel, from which on there is an edge
# Share of a piece that are edges: of logos it is 0.4, of bars beside the picture 0.02, of sky and asphalt 0.
_EDGES = 0.1
_RIM = 3  # pixels around it, which compression mixes with what is behind
_MOST = 0.2  # of the picture: where more stands still, the camera may do so too


def painted(lumas: Sequence[Pixels]) -> Marks | None:
    """The pixels (y, x) that are painted on the screen in all of some frames; None where there are none.

    Args:
        lumas: of frames from all over a clip, each (y, x) uint8.
    """
    if len(lumas) < _FEWEST or len({luma.shape for luma in lumas}) > 1:
        return None
    total, squares = np.zeros(lumas[0].shape), np.zeros(lumas[0].shape)
    for luma in lumas:
        total += luma
        squares += np.square(luma, dtype=np.float64)
    mean = total / len(lumas)
    alike = squares / len(lumas) - np.square(mean) < _ALIKE**2
    steep = np.hypot(*(cv2.Sobel(mean, cv2.CV_64F, *axis, ksize=3, scale=1 / 8) for axis in ((1, 0), (0, 1)))) > _STEEP
    count, piece = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    size = np.bincount(piece.ravel(), minlength=count)
    edges = np.bincount(piece.ravel(), (alike & steep).ravel(), count) / np.maximum(size, 1)
    edges[0] = 0  # what is not alike
    found = (edges >= _EDGES)[piece].astype(np.uint8)
    # A pixel or two that are alike by chance are nothing.
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((_RIM, _RIM), np.uint8))
    if not found.any() or found.mean() > _MOST:
        return None
    return cv2.dilate(found, np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)) > 0

"""What the nearest known pixel has."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..frames import Pixels


def nearest_known(values: Pixels, known: npt.NDArray[np.bool_]) -> Pixels:
    """Values (H, W) uint8 where they are known (H, W), and elsewhere that of the nearest pixel that is; one must be."""
    unknown = (~known).view(np.uint8)
    _, index = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    of_index = np.zeros(int(index.max()) + 1, np.uint8)
    of_index[index[known]] = values[known]
    return np.asarray(of_index[index], dtype=np.uint8)

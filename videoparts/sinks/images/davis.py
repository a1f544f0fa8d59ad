"""Label images in the parts' own colours, as the DAVIS data set has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...frames import Pixels, VideoInfo
from ...masks import Part
from .label_images import LabelImages


class DavisImages(LabelImages):
    """Writes ``<folder>/davis/<frame>.png``: palette images whose numbers are the parts' own; see `LabelImages`.

    Numbers that no part has are grey, as none of them should occur.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        super().__init__(folder, _colours(parts), inputs=[like.path])


def _colours(parts: Sequence[Part]) -> Pixels:
    table = np.full((1 + max((part.number for part in parts), default=0), 3), 128, np.uint8)
    table[0] = 0
    for part in parts:
        table[part.number] = part.colour
    return table

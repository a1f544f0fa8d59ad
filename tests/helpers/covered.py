"""Masks with mattes, for the tests of the formats that hold them."""

from __future__ import annotations

import cv2
import numpy as np

from videoparts.frames import FrameBatch
from videoparts.masks import Part, PartMasks
from videoparts.sinks.formats import FORMATS

PARTS = (
    Part(2, 'ear "left"', (10, 20, 30)),
    Part(5, "耳, <tip> & 'ß'", (200, 0, 0)),
    Part(9, "leg: #3 \\ \u00e9", (10, 20, 30)),
    Part(200, "Background", (0, 0, 0)),
)


def covered(made, parts=PARTS, batch=4, names=None, absent=()):
    """The clip as batches of masks with soft edges, of which some pixels belong to several parts. A part in
    ``absent`` (pairs of a frame and a place in ``parts``) is not seen; the fifth frame is empty."""
    count, height, width = len(made.pts), made.info.height, made.info.width
    rng = np.random.default_rng(0)
    for first in range(0, count, batch):
        labels, mattes = [], []
        for n in range(first, min(first + batch, count)):
            fields = np.stack([cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 5) for _ in parts])
            weights = np.concatenate([np.ones((1, height, width)), np.exp(40 * fields / np.abs(fields).max())])
            weights[1 + np.array([k for frame, k in absent if frame == n], int)] = 0
            matte = np.floor(255 * weights[1:] / weights.sum(0)).astype(np.uint8) * np.uint8(n != 4)
            background = 255 - matte.sum(0, dtype=int)
            numbers = np.array([0, *(part.number for part in parts)], np.uint8)
            # The first of two parts that cover as much, and the background only if it covers more.
            best = matte.argmax(0)
            labels.append(np.where(background > matte.max(0), 0, numbers[1 + best]).astype(np.uint8))
            mattes.append(matte)
        some = slice(first, first + batch)
        frames = FrameBatch(
            made.pixels[some],
            np.arange(count)[some],
            np.array(made.pts[some]),
            made.info.time_base,
            names[some] if names else None,
        )
        yield PartMasks(frames, np.stack(labels), mattes=np.stack(mattes))


def write(folder, made, kind, parts=PARTS, **more):
    """Write the clip in the format of that name; the batches, and the sink."""
    batches = list(covered(made, parts, **more))
    with FORMATS[kind].open(folder, made.info, parts) as sink:
        for masks in batches:
            sink.write(masks)
    return batches, sink

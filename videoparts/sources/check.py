"""Is decord right on this file? A few of its frames are compared with PyAV's."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from ..frames import Pixels
from .decord_reader import DecordWorker, mirrored, walk
from .index import VideoIndex
from .pyav_reader import PyAVVideo

# Decord finds its way only from one clean key frame to another. Farther apart, going anywhere costs too much.
_FARTHEST_KEYS = 600
# Mean difference of 8-bit levels. The two agree to the bit for 8-bit 4:2:0; their ways of spreading the chroma of 10
# bits or odd sizes over the pixels differ by 0.3 on footage and up to 0.9 on hard coloured edges; a wrong matrix or
# range differs by 4 and more wherever it can be seen.
_ALIKE = 3.0
_SAME = 0.1
_STEP = 3  # compare every third pixel of every third row


def why_not(index: VideoIndex) -> str | None:
    """What in the file's structure makes decord a bad choice; None: nothing."""
    if index.broken is not None:
        return "decord can hang on a file that breaks off"
    if index.stamp is None:
        return "the file has no time stamps that decord could find frames by"
    if index.longest_stretch() > _FARTHEST_KEYS:
        return "its key frames lie too far apart for decord, or cannot be started from"
    return None


def compare(worker: DecordWorker, reference: PyAVVideo) -> str | None:
    """What decord gets wrong; None: nothing that a few frames show. Not much longer than decoding 20 frames twice.

    Raises:
        SourceError, DecoderHangError: from the worker.
    """
    index, info = reference.index, reference.info
    # PyAV's frames first: meanwhile decord opens the file.
    probes = probe_positions(index)
    around = sorted({p for probe in probes for p in (probe - 1, probe, probe + 1) if 0 <= p < len(index)})
    with closing(reference.decode(around, 1)) as decoded:
        truth = {position: _thin(frame) for position, frame in decoded}
    frames, height, width = worker.opened()
    if frames != len(index):
        return f"decord counts {frames} frames where there are {len(index)}"
    if (height, width) != (info.height, info.width):
        return f"decord gives frames of {width}x{height} where they are {info.width}x{info.height}"
    for position, frame in walk(worker, index, probes, 1):
        if position not in truth:
            continue
        fault = _fault(position, _thin(mirrored(frame, info)), truth)
        if fault is not None:
            return fault
    return None


def probe_positions(index: VideoIndex) -> list[int]:
    """The first frame, and one shortly after a key frame near the middle and near the end."""
    last = len(index) - 1
    probes = {0, min(2, last)}
    for target in (len(index) // 2, last):
        probes.add(min(index.key_before(target) + 2, last))
    return sorted(probes)


def _thin(frame: Pixels) -> Pixels:
    return frame[::_STEP, ::_STEP]


def _fault(position: int, frame: Pixels, truth: dict[int, Pixels]) -> str | None:
    off = _difference(frame, truth[position])
    near = min((_difference(frame, truth[p]) for p in (position - 1, position + 1) if p in truth), default=float("inf"))
    # A neighbour that fits much better betrays a shift, however little moves from frame to frame.
    if off > _SAME and near < off / 2:
        return f"decord gives a neighbour in place of frame {position}"
    if off > _ALIKE:
        return f"decord gives a wrong picture for frame {position}"
    return None


def _difference(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())

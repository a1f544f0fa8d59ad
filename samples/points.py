"""How well a point finds what is meant: J of the pixels of every fourth frame, by kind of scene.

    python samples/points.py DATA [--clips libby soapbox] [--preset fast]      # clips, each with frames/ and masks/

The point is that of the object which lies farthest inside, as a user would click.

- alone: each clip, with the point in its first frame, and in the middle one;
- two: two clips side by side, with the point on either object;
- still: a single frame of one clip beside another clip, with the point on the object that keeps still;
- moving: the same, with the point on the one that moves.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import get_args

import cv2
import numpy as np
from clips_with_truth import add_data, given_clips

from videoparts import ViTExtractor, fit_parts, open_source
from videoparts.evaluation.metrics import jaccard
from videoparts.frames import Pixels
from videoparts.presets import PRESETS, Preset, PresetName
from videoparts.segmentation import segment

_EVERY = 4  # frames of the clips, of which scenes are made: one in so many
_RATE = 25  # frames a second of a folder of pictures
_SIZE = (427, 240)  # width and height of each of two clips side by side

Shot = tuple[Sequence[Pixels], Sequence[Pixels]]  # frames (H, W, 3), blue first, and masks (H, W) of 0 and 1
Scene = tuple[str, str, Shot, int]  # kind, name, what is seen and what is meant, the frame with the point


def read(clip: Path) -> Shot:
    """Some frames of a clip, with the masks of its object."""
    frames, masks = (sorted((clip / kind).iterdir())[::_EVERY] for kind in ("frames", "masks"))
    marks = [np.asarray(cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0, np.uint8) for mask in masks]
    return [np.asarray(cv2.imread(str(frame)), np.uint8) for frame in frames], marks


def beside(left: Shot, right: Shot, meant: int) -> Shot:
    """Two shots side by side, as long as the shorter one. The object of one of them is meant: 0 left, 1 right."""
    frames, masks = [], []
    for one, other, *marks in zip(left[0], right[0], left[1], right[1], strict=False):
        halves = [np.asarray(cv2.resize(frame, _SIZE, interpolation=cv2.INTER_AREA)) for frame in (one, other)]
        small = [np.asarray(cv2.resize(mark, _SIZE, interpolation=cv2.INTER_NEAREST)) for mark in marks]
        small[1 - meant][:] = 0
        frames.append(np.asarray(np.hstack(halves), np.uint8))
        masks.append(np.asarray(np.hstack(small), np.uint8))
    return frames, masks


def scenes(clips: Sequence[Path]) -> Iterator[Scene]:
    """All scenes of some clips."""
    shots = [read(clip) for clip in clips]
    for k, (clip, shot) in enumerate(zip(clips, shots, strict=True)):
        for at in (0, len(shot[0]) // 2):
            yield "alone", f"{clip.name}, frame {at}", shot, at
        if len(clips) < 2:
            continue
        other = (k + 1) % len(clips)
        middle = len(shot[0]) // 2
        frozen = [[one[middle]] * len(shots[other][0]) for one in shot]
        for meant in (0, 1):
            name = f"{clip.name}, {clips[other].name}: the {('left', 'right')[meant]} one"
            yield "two", name, beside(shot, shots[other], meant), 2
            yield ("still", "moving")[meant], name, beside((frozen[0], frozen[1]), shots[other], meant), 2


def inner_point(mask: Pixels) -> str:
    """That of a mask which lies farthest inside."""
    depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 5)
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return f"{x - 1},{y - 1}"


def found(shot: Shot, at: int, extractor: ViTExtractor, preset: Preset) -> float:
    """Mean J over the frames of a shot, where the user points at the object in one of them."""
    with tempfile.TemporaryDirectory() as folder:
        for k, frame in enumerate(shot[0]):
            cv2.imwrite(f"{folder}/{k:05d}.png", frame)
        source = open_source(folder)
        fit = replace(preset.fit, object=f"{inner_point(shot[1][at])}@{at / _RATE}")
        model = fit_parts(source, extractor, fit, keys=preset.refine.keys)
        masks = segment(source, extractor, model, preset.refine)
        labels = [label for some in masks for label in some.labels]
    return mean(jaccard(label > 0, mask > 0) for label, mask in zip(labels, shot[1], strict=True))


def main() -> None:
    """Print J of each scene, and the mean of each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--preset", choices=get_args(PresetName), default="fast")
    given = parser.parse_args()
    preset = PRESETS[given.preset]
    extractor = ViTExtractor(preset.extractor, preset.compute)
    scores: dict[str, list[float]] = {}
    for kind, name, shot, at in scenes(given_clips(parser, given.data, given.clips)):
        scores.setdefault(kind, []).append(found(shot, at, extractor, preset))
        print(f"{kind}: {name}: {scores[kind][-1]:.3f}", flush=True)
    for kind, each in scores.items():
        print(f"{kind:8}{mean(each):7.3f}   of {len(each)}")


if __name__ == "__main__":
    main()

"""Make more clips out of few: halves in time, and crops in which the object is larger, off centre or cut by the border.

    python samples/make_views.py DATA VIEWS       # a folder of clips, each with frames/ and masks/
    python samples/ablation.py VIEWS --every 4    # what each choice is worth on them

A method whose constants were chosen with some clips in sight should do as well on what those clips might have been.
From each clip: its first half (h1), its second half (h2), the middle of the object's way through it at 1.67 times the
size (crop), and the same shifted so that the object is off centre and leaves (off).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from clips_with_truth import add_data, given_clips

_SHARE = 0.6  # of the width and height of a frame, that a crop shows


def make_views(clip: Path, out: Path) -> None:
    """Write the four views of a clip."""
    frames, masks = sorted((clip / "frames").iterdir()), sorted((clip / "masks").iterdir())
    marks = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0 for path in masks]
    height, width = marks[0].shape
    centre = np.mean([np.argwhere(mark).mean(axis=0) for mark in marks if mark.any()], axis=0)
    h, w = int(_SHARE * height), int(_SHARE * width)

    def corner(down: float, right: float) -> tuple[int, int]:
        """Of a crop that has the object's centre at these shares of its height and width."""
        y, x = centre - (down * h, right * w)
        return int(np.clip(y, 0, height - h)), int(np.clip(x, 0, width - w))

    half = len(frames) // 2
    views: dict[str, tuple[range, tuple[int, int] | None]] = {
        "h1": (range(half), None),
        "h2": (range(half, len(frames)), None),
        "crop": (range(len(frames)), corner(0.5, 0.5)),
        "off": (range(len(frames)), corner(0.35, 0.2)),
    }
    for name, (positions, place) in views.items():
        folder = out / f"{clip.name}.{name}"
        for kind in ("frames", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in positions:
            frame, mask = cv2.imread(str(frames[i])), marks[i].astype(np.uint8) * 255
            if place is not None:
                y, x = place
                frame = cv2.resize(frame[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_CUBIC)
                mask = cv2.resize(mask[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / "frames" / f"{i:05d}.png"), frame)
            cv2.imwrite(str(folder / "masks" / f"{i:05d}.png"), mask)
        print(folder, len(positions), flush=True)


def main() -> None:
    """Make the views of every clip of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("out", type=Path, help="where the views go")
    arguments = parser.parse_args()
    for clip in given_clips(parser, arguments.data, arguments.clips):
        make_views(clip, arguments.out)


if __name__ == "__main__":
    main()

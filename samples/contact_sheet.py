"""Frames of a video, evenly spread, side by side in one picture: the pictures of the README are made so.

::

    python samples/contact_sheet.py VIDEO PICTURE [--frames 4] [--columns 4] [--width 480]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch

from videoparts import open_source
from videoparts.resize import resize


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="Frames of a video, evenly spread, in one picture.")
    parser.add_argument("video", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--width", type=int, default=480, help="of each frame, in pixels")
    given = parser.parse_args()
    source = open_source(given.video)
    frames = np.concatenate([batch.pixels for batch in source.sample(given.frames, 1)])
    height = round(given.width * source.info.height / source.info.width)
    small = resize(torch.from_numpy(frames), (height, given.width), "bicubic").permute(0, 2, 3, 1).numpy()
    rows = [np.concatenate(list(small[i : i + given.columns]), axis=1) for i in range(0, len(small), given.columns)]
    iio.imwrite(given.picture, np.concatenate([row for row in rows if row.shape == rows[0].shape]), quality=88)


if __name__ == "__main__":
    main()

"""Whether time and memory a frame stay what they are over a very long clip.

::

    python samples/soak.py                  # 100,000 frames that are drawn as they are needed, to an overlay video
    python samples/soak.py --frames 10000

Everything but the ViT is real: source, window, refinement, painting, encoding. In the ViT's place stands an extractor
whose descriptor is a patch's colour. Prints frames a second and resident memory of each tenth.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from copy import copy
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from videoparts.config import FitSettings
from videoparts.features import Features
from videoparts.fit import fit_parts
from videoparts.frames import FrameBatch, Pixels, VideoInfo
from videoparts.grid import Grid
from videoparts.identity import ExtractorIdentity
from videoparts.segmentation import segment
from videoparts.sinks.videos.overlay_video import OverlayVideo
from videoparts.sources.around import Neighbourhood, neighbourhoods
from videoparts.sources.selection import seen_at, spread
from videoparts.stream import prefetch

_SIZE = (64, 96)
_COLOURS = np.array([(128, 128, 128), (220, 40, 40), (40, 200, 60), (50, 60, 220)], dtype=np.uint8)
_PATCH = 8


def drawn(i: int) -> Pixels:
    """Frame ``i``: three stripes, side by side, that wander over a grey ground, and a little noise."""
    labels = np.zeros(_SIZE, dtype=np.uint8)
    top, left = 8 + i // 3 % 17, 8 + abs(i % 96 - 48)
    for k in range(3):
        labels[top : top + 32, left + 12 * k : left + 12 * (k + 1)] = k + 1
    noise = np.random.default_rng(i).integers(0, 12, (*_SIZE, 1), dtype=np.uint8)
    return np.asarray(_COLOURS[labels] + noise, dtype=np.uint8)


class Drawn:
    """A `Source` of frames that are drawn when they are asked for, and kept nowhere."""

    decoder = "drawn"
    notes: tuple[str, ...] = ()
    active_area = None

    def __init__(self, frames: int) -> None:
        self.info = VideoInfo(Path("drawn.mp4"), *_SIZE, frames, Fraction(1, 25), Fraction(25))
        self.selected = range(frames)

    def batches(self, size: int) -> Generator[FrameBatch, None, None]:
        """See `Source.batches`."""
        return self._read(self.selected, size)

    def frame(self, index: int) -> FrameBatch:
        """See `Source.frame`."""
        return next(self._read([index], 1))

    def part(self, first: int, stop: int | None = None) -> Drawn:
        """See `Source.part`."""
        part = copy(self)
        part.selected = self.selected[first:stop]
        return part

    def sample(self, count: int, size: int) -> Generator[FrameBatch, None, None]:
        """See `Source.sample`."""
        return self._read(spread(self.selected, count), size)

    def sample_around(
        self, count: int, at: float | None = None, *, beside: bool = True, among: int = 1
    ) -> Generator[Neighbourhood, None, None]:
        """See `Source.sample_around`."""
        marked = None
        if at is not None:
            marked = seen_at(self.selected, self.info.time_base, self.selected, at, self.info.path)
        return neighbourhoods(self._read, self.selected, count, marked, beside=beside, among=among)

    def _read(self, positions: Sequence[int], size: int) -> Generator[FrameBatch, None, None]:
        for start in range(0, len(positions), size):
            index = np.array(positions[start : start + size], dtype=np.int64)
            yield FrameBatch(np.stack([drawn(int(i)) for i in index]), index, index.copy(), self.info.time_base)


class Colours:
    """An extractor that describes a patch by its mean colour. Its first heads look at what is coloured."""

    device = torch.device("cpu")
    identity = ExtractorIdentity("colour", 0, "key", _PATCH, _SIZE[0], False, "0" * 16)
    batch_size = 1

    def grid(self, size: tuple[int, int]) -> Grid:
        """See `Extractor.grid`."""
        return Grid(size[0], size[1], _PATCH, _PATCH)

    def afar(self) -> None:
        """See `Extractor.afar`."""

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        """See `Extractor.extract`."""
        frames = torch.as_tensor(pixels)
        colour = F.avg_pool2d(frames.permute(0, 3, 1, 2).float() / 255, _PATCH)
        vivid = colour.amax(1) - colour.amin(1) + 0.01
        looks = torch.stack([vivid, vivid**2 + 0.01, 1.1 - vivid], dim=1)
        each = colour.permute(0, 2, 3, 1)
        described = F.normalize(torch.cat([each - 0.5, torch.full_like(each[..., :1], 0.1)], dim=-1), dim=-1)
        return Features(
            described,
            self.grid((frames.shape[1], frames.shape[2])),
            looks / looks.sum((2, 3), keepdim=True) if attention else None,
            torch.cat([described, described], dim=-1) if tokens else None,
        )


def resident() -> float:
    """MiB that the process holds now; where the system does not tell, the most that it has held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="Time and memory a frame over a very long clip.")
    parser.add_argument("--frames", type=int, default=100_000)
    given = parser.parse_args()
    source, extractor = Drawn(given.frames), Colours()
    parts = fit_parts(source, extractor, FitSettings(parts=3, frames=8))
    print(
        f"{given.frames} frames of {_SIZE[1]} x {_SIZE[0]}: frames a second, CPU ms a frame, resident MiB", flush=True
    )
    done, tenth = 0, max(1, given.frames // 10)
    with tempfile.TemporaryDirectory() as folder:
        start, busy = time.perf_counter(), time.process_time()
        # Not .mp4: its index, of 100 bytes a frame, is kept in memory until the end.
        with OverlayVideo(Path(folder) / "parts.mkv", like=source.info) as sink:
            for masks in prefetch(segment(source, extractor, parts)):
                sink.write(masks)
                done += len(masks)
                if done % tenth == 0:
                    now, used = time.perf_counter(), time.process_time()
                    gc.collect()
                    print(
                        f"{done:8} {tenth / (now - start):8.0f} {1000 * (used - busy) / tenth:8.2f} {resident():8.1f}",
                        flush=True,
                    )
                    start, busy = time.perf_counter(), time.process_time()


if __name__ == "__main__":
    main()

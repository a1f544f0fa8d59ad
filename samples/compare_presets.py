"""What each preset gives and takes, on clips with masks: J, T, frames a second, how many frames the ViT sees.

::

    python samples/compare_presets.py DATA [--clips libby soapbox] [--presets balanced fast best vote]
            [--runtime openvino] [--precision int8] [--runs 3]

DATA is a folder of clips, each with frames/ and masks/. "vote" is balanced with the paper's foreground and the layer
that suits it. Time is that of all that ``videoparts overlay`` does once the model is loaded: decode, fit, label,
paint, encode; the median of the runs. The presets take turns, so that a noisy machine treats them alike; the last
column is the frames a second over those of the first preset.

J: intersection over union of "any part" with the mask, mean over frames, then over clips. T: agreement of parts from
frame to frame along the optical flow.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import get_args

import torch
from clips_with_truth import add_data, given_clips

from videoparts.cache import FeatureCache
from videoparts.config import ComputeSettings, ExtractorSettings, FitSettings, Precision, Runtime
from videoparts.evaluation.label_folders import read_labels
from videoparts.evaluation.metrics import jaccard, temporal_agreement
from videoparts.features import Features
from videoparts.fit import fit_parts
from videoparts.frames import Pixels
from videoparts.luma import luma
from videoparts.masks import PartMasks
from videoparts.presets import PRESETS, Preset
from videoparts.segmentation import segment
from videoparts.sinks.videos.overlay_video import OverlayVideo
from videoparts.sources import open_source
from videoparts.stream import prefetch
from videoparts.vit.extractor import ViTExtractor

ROWS: Mapping[str, Preset] = {
    **PRESETS,
    "vote": Preset(ExtractorSettings(layer=11), FitSettings(foreground="vote")),
}


class Counting:
    """An extractor that counts the frames that it is given."""

    def __init__(self, extractor: ViTExtractor) -> None:
        self._extractor, self.seen = extractor, 0
        self.identity, self.device, self.batch_size = extractor.identity, extractor.device, extractor.batch_size
        self.grid = extractor.grid

    def afar(self) -> ViTExtractor | None:
        """`ViTExtractor.afar`."""
        return self._extractor.afar()

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        """`ViTExtractor.extract`."""
        self.seen += len(pixels)
        return self._extractor.extract(pixels, attention=attention, tokens=tokens)


@dataclass(frozen=True)
class Scores:
    """Of a preset on a clip."""

    j: float
    t: float
    rate: float  # frames a second
    seen: float  # frames that the ViT sees, for each frame of the clip


def overlay(clip: Path, extractor: Counting, name: str, folder: Path) -> tuple[list[PartMasks], Scores]:
    """Do what the command does; the scores are still to come."""
    preset, extractor.seen = ROWS[name], 0
    start, cache, kept = time.perf_counter(), FeatureCache(), list[PartMasks]()
    source = open_source(clip / "frames")
    parts = fit_parts(source, extractor, preset.fit, cache=cache, keys=preset.refine.keys)
    with OverlayVideo(folder / "parts.mp4", like=source.info) as sink:
        for masks in prefetch(segment(source, extractor, parts, preset.refine, cache=cache)):
            sink.write(masks)
            kept.append(masks)
    seconds = time.perf_counter() - start
    return kept, Scores(0, 0, len(kept) / seconds, extractor.seen / len(kept))


def judged(clip: Path, kept: list[PartMasks], scores: Scores) -> Scores:
    """With J and T."""
    frames = [one[k : k + 1] for one in kept for k in range(len(one))]
    js = [jaccard(one.labels[0] > 0, read_labels(clip / "masks" / f"{one.frames.stem(0)}.png") > 0) for one in frames]
    lumas = [luma(one.frames.pixels[0]) for one in frames]
    ts = [
        temporal_agreement(a.labels[0], b.labels[0], x, y)
        for (a, b), (x, y) in zip(pairwise(frames), pairwise(lumas), strict=True)
    ]
    return Scores(mean(js), mean(t for t in ts if t is not None), scores.rate, scores.seen)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--presets", nargs="+", default=["balanced", "fast"], choices=list(ROWS))
    parser.add_argument("--runtime", choices=get_args(Runtime), default="torch")
    parser.add_argument("--precision", choices=get_args(Precision), help="default: that of each preset")
    parser.add_argument("--runs", type=int, default=1)
    given = parser.parse_args()
    clips = given_clips(parser, given.data, given.clips)
    extractors = {}
    for name in given.presets:
        precision = given.precision or ROWS[name].compute.precision
        compute = ComputeSettings(runtime=given.runtime, precision=precision)
        extractors[name] = Counting(ViTExtractor(ROWS[name].extractor, compute))
    found: dict[str, list[Scores]] = {name: [] for name in given.presets}
    with tempfile.TemporaryDirectory() as folder:
        for name, extractor in extractors.items():  # until the allocator has seen all sizes, the ViT takes longer
            overlay(clips[0], extractor, name, Path(folder))
        for clip in clips:
            rates: dict[str, list[float]] = {name: [] for name in given.presets}
            for _ in range(given.runs - 1):
                for name, extractor in extractors.items():
                    rates[name].append(overlay(clip, extractor, name, Path(folder))[1].rate)
            for name, extractor in extractors.items():
                one = judged(clip, *overlay(clip, extractor, name, Path(folder)))
                one = replace(one, rate=median([*rates[name], one.rate]))
                found[name].append(one)
                print(f"{clip.name} {name}: J {one.j:.3f} T {one.t:.3f}, {one.rate:.2f} frames/s", flush=True)
    print(
        f"\n{'':10}{'J':>7}{'T':>7}{'frames/s':>10}{'seen':>7}{'times':>7}   times of each: {[c.name for c in clips]}"
    )
    first = [one.rate for one in found[given.presets[0]]]
    for name, scores in found.items():
        times = [one.rate / base for one, base in zip(scores, first, strict=True)]
        rate, seen = mean(one.rate for one in scores), mean(one.seen for one in scores)
        j, t = mean(one.j for one in scores), mean(one.t for one in scores)
        each = " ".join(f"{ratio:.2f}" for ratio in times)
        print(f"{name:10}{j:7.3f}{t:7.3f}{rate:10.2f}{seen:7.2f}{mean(times):7.2f}   {each}")


if __name__ == "__main__":
    main()

"""What each choice is worth: J and T on clips with masks, with each choice switched off in turn.

    python samples/ablation.py DATA                  # a folder of clips, each with frames/ and masks/
    python samples/ablation.py DATA --only default still --clips blackswan libby

J: intersection over union of "any part" with the mask, mean over frames, then over clips. T: agreement of parts from
frame to frame along the optical flow. ARI: adjusted Rand index of the parts with those of the table's first row, over
all pixels that both take for the object: with other patches drawn, what hangs on single ones. ViT features are computed
once a clip and kept for all rows, so "seconds" is that of everything else.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from clips_with_truth import add_data, given_clips

from videoparts.config import ComputeSettings, ExtractorSettings, FitSettings, RefineSettings, SourceSettings
from videoparts.evaluation.label_folders import read_labels
from videoparts.evaluation.metrics import ari, contingency, jaccard, temporal_agreement
from videoparts.features import Features
from videoparts.fit import fit_parts
from videoparts.foreground import evidence, probe, teaching, visibility
from videoparts.foreground.evidence import Cues
from videoparts.frames import Pixels
from videoparts.luma import luma
from videoparts.parts import space
from videoparts.refine import colours, specks
from videoparts.sampling import motion
from videoparts.segmentation import segment
from videoparts.sources import open_source
from videoparts.vit.extractor import ViTExtractor


@dataclass(frozen=True)
class Row:
    """One way to do it."""

    fit: FitSettings = field(default_factory=FitSettings)
    refine: RefineSettings = field(default_factory=RefineSettings)
    cues: Cues | None = None
    constants: tuple[tuple[Any, str, Any], ...] = ()  # module, name, value


ROWS: dict[str, Row] = {
    "default": Row(),
    "other patches drawn": Row(cues=Cues(draw=1)),
    "others again": Row(cues=Cues(draw=2)),
    "the paper's vote": Row(fit=FitSettings(foreground="vote")),
    "still: no motion": Row(fit=FitSettings(motion="off")),
    "not from afar": Row(fit=FitSettings(afar=False)),
    "no saliency": Row(cues=Cues(saliency=False)),
    "no compactness": Row(cues=Cues(compactness=False)),
    "no border": Row(cues=Cues(border=False)),
    "one round of teaching": Row(cues=Cues(rounds=1)),
    "motion in every frame": Row(constants=((motion, "_CLEARLY", 0.0),)),
    "motion in full where all tell": Row(constants=((teaching, "_ENOUGH_TELL", 1.0),)),
    "motion where clearer (0.7)": Row(constants=((motion, "_CLEARLY", 0.7),)),
    "camera always quadratic": Row(constants=((motion, "_BENT", 1e9),)),
    "one threshold for all frames": Row(constants=((visibility, "_MOST", 0.0),)),
    "frames lifted to 0.2": Row(constants=((visibility, "_KEPT", 0.2),)),
    "frames lifted to 0.5": Row(constants=((visibility, "_KEPT", 0.5),)),
    "frames lifted without a reason": Row(constants=((probe, "_EVEN", -math.inf),)),
    "no colours": Row(constants=((colours, "_MOST", 0.0),)),
    "plain guided filter": Row(refine=RefineSettings(steps=0)),
    "plain upsampling": Row(refine=RefineSettings(steps=0, radius=0)),
    "frames may differ as they do": Row(constants=((space, "_DIRECTIONS", {"one": 0}),)),
    "no window": Row(refine=RefineSettings(window=0)),
    "every frame seen": Row(refine=RefineSettings(keys=1)),
    "more tolerated (0.4)": Row(refine=RefineSettings(tolerance=0.4)),
    "specks kept": Row(refine=RefineSettings(specks=0)),
    "uncertain islands kept": Row(constants=((specks, "_CERTAIN", 0.0),)),
    "specks x 3": Row(refine=RefineSettings(specks=3 * RefineSettings().specks)),
    "12 frames": Row(fit=FitSettings(frames=12)),
    "ridge x 3": Row(constants=((teaching, "_RIDGE", 3 * teaching._RIDGE),)),
    "ridge / 3": Row(constants=((teaching, "_RIDGE", teaching._RIDGE / 3),)),
    "threshold at Otsu's": Row(constants=((teaching, "_LOW", 0.0),)),
    "threshold twice as low": Row(constants=((teaching, "_LOW", 2 * teaching._LOW),)),
    "components / 2": Row(constants=((teaching, "_LARGE", teaching._LARGE / 2),)),
    "compactness x 2": Row(constants=((evidence, "_ONCE", 2 * evidence._ONCE),)),
    "common motion counts twice": Row(constants=((teaching, "_MOST_POWER", 1.0),)),
    "coherence exponent / 2": Row(constants=((motion, "_SHARP", motion._SHARP / 2),)),
    "coherence exponent x 2": Row(constants=((motion, "_SHARP", motion._SHARP * 2),)),
}


class Remembering:
    """An extractor that keeps what it has seen."""

    def __init__(self, extractor: ViTExtractor) -> None:
        self._extractor, self._seen = extractor, dict[int, Features]()
        self.identity, self.device, self.batch_size = extractor.identity, extractor.device, 1
        self.grid = extractor.grid

    def afar(self) -> ViTExtractor | None:
        """`ViTExtractor.afar`."""
        return self._extractor.afar()

    def extract(self, pixels: Pixels | torch.Tensor, *, attention: bool = False, tokens: bool = False) -> Features:
        """Features of one frame, all of them."""
        key = hash(np.asarray(pixels).tobytes())
        if key not in self._seen:
            self._seen[key] = self._extractor.extract(pixels, attention=True, tokens=True)
        return self._seen[key]


@dataclass(frozen=True)
class Scores:
    """Of one row on one clip."""

    j: float
    t: float
    seconds: float  # a frame
    labels: list[Pixels]

    def agreement(self, other: Scores) -> float:
        """ARI of the parts with those of another row."""
        table = sum(contingency(a, b) for a, b in zip(self.labels, other.labels, strict=True))
        return ari(np.asarray(table)[1:, 1:])


def score(clip: Path, extractor: Remembering, row: Row, every: int = 1) -> Scores:
    """Fit a clip, label every so many of its frames, and compare. The ViT sees all of those that are so far apart."""
    refine = row.refine if every == 1 else replace(row.refine, keys=1)
    whole, thinned = open_source(clip / "frames"), open_source(clip / "frames", SourceSettings(every=every))
    before = [(module, name, getattr(module, name)) for module, name, _ in row.constants]
    for module, name, value in row.constants:
        setattr(module, name, value)
    start = time.perf_counter()
    try:
        model = fit_parts(whole, extractor, row.fit, cues=row.cues)
        masks = [
            (m.labels[0], m.frames.pixels[0], m.frames.stem(0)) for m in segment(thinned, extractor, model, refine)
        ]
    finally:
        for module, name, value in before:
            setattr(module, name, value)
    seconds = time.perf_counter() - start
    js = [jaccard(labels > 0, read_labels(clip / "masks" / f"{stem}.png") > 0) for labels, _, stem in masks]
    ts = [temporal_agreement(a[0], b[0], luma(a[1]), luma(b[1])) for a, b in pairwise(masks)]
    return Scores(mean(js), mean(t for t in ts if t is not None), seconds / len(masks), [m[0] for m in masks])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--only", nargs="+", help="rows whose name has one of these words in it")
    parser.add_argument("--load-size", type=int, default=ExtractorSettings().load_size)
    parser.add_argument("--stride", type=int)
    parser.add_argument("--every", type=int, default=1, help="label every so many frames only: quicker, T is lower")
    parser.add_argument("--weights", type=Path)
    arguments = parser.parse_args()
    rows = {n: r for n, r in ROWS.items() if not arguments.only or any(word in n for word in arguments.only)}
    clips = given_clips(parser, arguments.data, arguments.clips)
    settings = ExtractorSettings(load_size=arguments.load_size, stride=arguments.stride)
    extractor = ViTExtractor(settings, ComputeSettings(weights=arguments.weights))
    table: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in rows}
    for clip in clips:
        remembering = Remembering(extractor)
        # The features, outside the times.
        score(clip, remembering, replace(Row(), fit=FitSettings(motion="off")), arguments.every)
        first: Scores | None = None
        for name, row in rows.items():
            found = score(clip, remembering, row, arguments.every)
            first = first or found
            table[name].append((found.j, found.t, found.agreement(first), found.seconds))
            j, t, agreement, _ = table[name][-1]
            print(f"{clip.name}: {name}: J {j:.3f} T {t:.3f} ARI {agreement:.3f}", flush=True)
    names = ", ".join(clip.name for clip in clips)
    print(f"\n{'':29s}{'J':>7}{'T':>7}{'ARI':>7}{'s/frame':>9}   J, and ARI, of {names}")
    for name, scores in table.items():
        j, t, agreement, seconds = (mean(values) for values in zip(*scores, strict=True))
        each = " ".join(f"{one[0]:.3f}" for one in scores) + " | " + " ".join(f"{one[2]:.3f}" for one in scores)
        print(f"{name:29s}{j:7.3f}{t:7.3f}{agreement:7.3f}{seconds:9.3f}   {each}")


if __name__ == "__main__":
    main()

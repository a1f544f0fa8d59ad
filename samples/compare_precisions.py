"""How many labels a precision changes, against fp32, and how long it takes.

::

    python samples/compare_precisions.py DATA [--clips libby soapbox] [--every 10]

DATA is a folder of clips, each with frames/. One part model a clip is fitted in fp32, and every so many frames are
labelled with it in each precision that this CPU has, without a window: the share of pixels whose label is that of
fp32, of all and of those that either takes for the object, and seconds a frame, all of pass 2. The extra "openvino" is
needed.
"""

from __future__ import annotations

import argparse
import time
from statistics import mean

import numpy as np
from clips_with_truth import add_data, given_clips

from videoparts.config import ComputeSettings, RefineSettings, SourceSettings
from videoparts.fit import fit_parts
from videoparts.frames import Pixels
from videoparts.parts.model import PartModel
from videoparts.segmentation import segment
from videoparts.sources import open_source
from videoparts.sources.base import Source
from videoparts.vit.extractor import ViTExtractor

EXACT = ComputeSettings(device="cpu", precision="fp32")
ROWS = {
    "bf16, torch": ComputeSettings(device="cpu", precision="bf16"),
    "bf16, openvino": ComputeSettings(device="cpu", precision="bf16", runtime="openvino"),
    "int8, torch": ComputeSettings(device="cpu", precision="int8"),
    "int8, openvino": ComputeSettings(device="cpu", precision="int8", runtime="openvino"),
}


def labels(source: Source, extractor: ViTExtractor, model: PartModel) -> tuple[list[Pixels], float]:
    """Of each frame, and seconds a frame."""
    start = time.perf_counter()
    found = [masks.labels[0] for masks in segment(source, extractor, model, RefineSettings(window=0, keys=1))]
    return found, (time.perf_counter() - start) / len(found)


def shares(ours: list[Pixels], exact: list[Pixels]) -> tuple[float, float]:
    """Pixels with the same label: of all, and of those of the object in either."""
    same = [one == other for one, other in zip(ours, exact, strict=True)]
    objects = [(one > 0) | (other > 0) for one, other in zip(ours, exact, strict=True)]
    of_object = [a[b].mean() for a, b in zip(same, objects, strict=True) if b.any()]
    return float(np.mean([one.mean() for one in same])), float(np.mean(of_object))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--every", type=int, default=10)
    given = parser.parse_args()
    clips = given_clips(parser, given.data, given.clips)
    exact = ViTExtractor(compute=EXACT)
    extractors = {name: ViTExtractor(compute=compute) for name, compute in ROWS.items()}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ROWS}
    for clip in clips:
        thinned = open_source(clip / "frames", SourceSettings(every=given.every))
        model = fit_parts(open_source(clip / "frames"), exact)
        wanted, _ = labels(thinned, exact, model)
        for name, extractor in extractors.items():
            extractor.extract(next(iter(thinned.batches(1))).pixels, tokens=True)  # what is made at first
            ours, seconds = labels(thinned, extractor, model)
            found[name].append((*shares(ours, wanted), seconds))
            everywhere, of_object, _ = found[name][-1]
            print(f"{clip.name} {name}: {everywhere:.4f} of all pixels, {of_object:.4f} of the object's", flush=True)
    print(f"\n{'':16}{'all':>8}{'least':>8}{'object':>8}{'s/frame':>9}")
    for name, rows in found.items():
        everywhere, of_object, seconds = (mean(column) for column in zip(*rows, strict=True))
        print(f"{name:16}{everywhere:8.4f}{min(row[0] for row in rows):8.4f}{of_object:8.4f}{seconds:9.3f}")


if __name__ == "__main__":
    main()

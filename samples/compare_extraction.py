"""How long ``videoparts overlay`` takes, beside the ViT alone on every frame.

::

    python samples/compare_extraction.py CLIP [--runs 3] [--keys 1]

Extracts every frame alone, with frames decoded beforehand, then does what the command does once the model is loaded
(fit, decode, ViT, window, refinement, paint, encode), in turn, and prints the ratio. The command's ViT sees every frame
too with ``--keys 1``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from videoparts import FeatureCache, OverlayVideo, ViTExtractor, fit_parts, open_source, prefetch, segment
from videoparts.config import RefineSettings
from videoparts.devices import on_all_cores


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="How long overlay takes, beside the ViT alone on every frame.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keys", type=int, default=RefineSettings.keys)
    given = parser.parse_args()
    source, extractor = open_source(given.clip), ViTExtractor()
    refine = RefineSettings(keys=given.keys)
    batches = list(source.batches(extractor.batch_size))
    frames = sum(len(batch) for batch in batches)
    fit_parts(source, extractor)  # until the allocator has seen all sizes, the ViT takes a tenth longer
    ratios = []
    for _ in range(given.runs):
        start = time.perf_counter()
        for _ in on_all_cores(lambda batch: extractor.extract(batch.pixels, tokens=True), batches, extractor.device):
            pass
        alone = time.perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            start, cache = time.perf_counter(), FeatureCache()
            parts = fit_parts(source, extractor, cache=cache, keys=given.keys)
            fitted = time.perf_counter()
            with OverlayVideo(Path(folder) / "parts.mp4", like=source.info) as sink:
                for masks in prefetch(segment(source, extractor, parts, refine, cache=cache)):
                    sink.write(masks)
            whole = time.perf_counter() - start
        ratios.append(whole / alone)
        print(
            f"{frames} frames: ViT {alone / frames:.3f} s a frame, overlay {whole / frames:.3f} s, "
            f"{fitted - start:.1f} s of it for the fit: {whole / alone:.2f} times"
        )
    print(f"overlay takes {statistics.median(ratios):.2f} times the ViT alone (median of {given.runs} runs)")


if __name__ == "__main__":
    main()

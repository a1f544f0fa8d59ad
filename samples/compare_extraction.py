"""How much of the time of ``videoparts overlay`` is not the ViT's.

::

    python samples/compare_extraction.py CLIP [--runs 3]

Extracts every frame alone, with frames decoded beforehand, then runs the whole of pass 2 (decode, ViT, upsample,
paint, encode) with the same model, in turn, and prints the share of the second that the first does not explain.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from videoparts import OverlayVideo, ViTExtractor, fit_parts, open_source, prefetch, segment
from videoparts.devices import on_all_cores


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="The share of overlay's time that is not the ViT's.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    source, extractor = open_source(given.clip), ViTExtractor()
    parts = fit_parts(source, extractor)
    batches = list(source.batches(extractor.batch_size))
    frames = sum(len(batch) for batch in batches)
    shares = []
    for _ in range(given.runs):
        start = time.perf_counter()
        for _ in on_all_cores(lambda batch: extractor.extract(batch.pixels), batches, extractor.device):
            pass
        alone = time.perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            with OverlayVideo(Path(folder) / "parts.mp4", like=source.info) as sink:
                for masks in prefetch(segment(source, extractor, parts)):
                    sink.write(masks)
            whole = time.perf_counter() - start
        shares.append(1 - alone / whole)
        print(f"{frames} frames: ViT {alone / frames:.3f} s, overlay {whole / frames:.3f} s a frame")
    print(f"not the ViT's: {statistics.median(shares):.1%} of overlay's time (median of {given.runs} runs)")


if __name__ == "__main__":
    main()

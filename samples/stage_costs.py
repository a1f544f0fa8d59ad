"""What each stage of a clip costs a core, in seconds a frame: what `scaling.py` counts with. Wants an idle machine.

    python samples/stage_costs.py CLIP [--frames 24] [--preset balanced]

Everything runs on one thread, but for decoding, which has another.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import cv2
import torch
from videoparts.pipelines.batches.clip import Clip
from videoparts.pipelines.batches.pieces import Piece, keep_piece, label_piece
from videoparts.pipelines.batches.work import Task, Worker, masks_of
from videoparts.pipelines.command_line import parse
from videoparts.pipelines.commands.batch import Batch
from videoparts.pipelines.terminal import Terminal

from videoparts.results.runs import Run, run_key


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--preset", default="balanced")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, value in costs(given.clip.absolute(), given.frames, given.preset, Path(folder)):
            print(f"{name:<36}{value:14.4f}", flush=True)


def costs(path: Path, frames: int, preset: str, folder: Path) -> Iterator[tuple[str, float]]:
    """Each stage and its cost."""
    options = ["--device", "cpu", "--decoder", "pyav", "--offline", "--end", str(frames / 24)]
    batch = parse(["batch", str(path), "-o", str(folder), "--preset", preset, *options])
    assert isinstance(batch, Batch)
    clip, worker = Clip(path, "clip"), Worker(batch)
    command = masks_of(batch, clip)
    start = perf_counter()
    fitting = worker.chain(command, Terminal(quiet=True))
    source = fitting.open(path)
    extractor = fitting.extractor()
    yield "load the model, once", perf_counter() - start
    start = perf_counter()
    model = fitting.fit([source], extractor)
    yield "fit, a clip", perf_counter() - start
    count = source.info.frames or frames
    labelling = worker.chain(command, Terminal(quiet=True))  # without the features of the fit
    start = perf_counter()
    piece = label_piece(labelling, source, command, model, Piece(0, None))
    whole = perf_counter() - start
    clock = labelling.clock.seconds
    for name, seconds in clock.items():
        yield f"{name}, a frame", seconds / count
    others = sum(seconds for name, seconds in clock.items() if name not in ("decode", "load"))
    yield "joints and store, a frame", (whole - others) / count
    yield "bytes of a decoded frame", float(source.info.height * source.info.width * 3)
    yield "bytes of a frame's masks", sum(map(len, piece.files.values())) / count
    run = Run(command.output, run_key(command.settings(None)))
    keep_piece(run.folder, piece)
    model.save(run.model_path)
    start = perf_counter()
    worker.do(Task("write", (clip,)), lambda event: None)
    yield "write formats and page, a frame", (perf_counter() - start) / count


if __name__ == "__main__":
    main()

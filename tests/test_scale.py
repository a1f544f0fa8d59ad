"""Long clips and large frames: work a frame stays what it is, and memory does not grow."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from colours import STRIPES, ColourExtractor, MemorySource
from places import ROOT

from videoparts.config import FitSettings, RefineSettings
from videoparts.fit import fit_parts
from videoparts.frames import FrameBatch
from videoparts.grid import Grid
from videoparts.parts.model import PartModel
from videoparts.refine import full_size
from videoparts.refine.pixels import label_pixels, working_scores
from videoparts.segmentation import segment
from videoparts.sinks.videos.overlay_video import OverlayVideo

FRAMES = 1800
SOAK = ROOT / "samples" / "soak.py"
SIZE = (48, 64)


class Wandering(MemorySource):
    """Frames that are drawn when they are read, and counted; two of them are held, for their size."""

    def __init__(self, frames: int) -> None:
        super().__init__(np.stack([self.drawn(0), self.drawn(1)]), "wandering.mp4")
        self.selected = range(frames)
        self.info = type(self.info)(**{**vars_of(self.info), "frames": frames})
        self.read = 0

    @staticmethod
    def drawn(i: int) -> np.ndarray:
        """Three stripes that wander over grey."""
        frame = np.full((*SIZE, 3), 128, dtype=np.uint8)
        left = 8 + abs(i % 32 - 16)
        for k, colour in enumerate(STRIPES):
            frame[8 + 8 * k : 16 + 8 * k, left : left + 24] = colour
        return frame

    def _take(self, which: Any, size: int) -> Generator[FrameBatch, None, None]:
        for at in range(0, len(which), size):
            some = np.array(which[at : at + size], dtype=np.int64)
            self.read += len(some)
            pixels = np.stack([self.drawn(int(i)) for i in some])
            yield FrameBatch(pixels, some, some.copy(), self.info.time_base)


def vars_of(info: Any) -> dict[str, Any]:
    return {name: getattr(info, name) for name in info.__dataclass_fields__}


def counted(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, calls: dict[str, int]) -> None:
    """Count the calls of a function in a module."""
    function: Callable[..., Any] = getattr(where, name)
    lock = threading.Lock()

    def counting(*given: Any, **named: Any) -> Any:
        with lock:
            calls[name] = calls.get(name, 0) + 1
        return function(*given, **named)

    monkeypatch.setattr(where, name, counting)


@pytest.fixture(scope="module")
def model() -> PartModel:
    return fit_parts(Wandering(64), ColourExtractor(), FitSettings(parts=3, frames=8))


def test_the_last_third_of_a_long_clip_costs_what_the_middle_one_does(
    model: PartModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from videoparts import pixel_labels, segmentation
    from videoparts.flow import links

    calls: dict[str, int] = {}
    counted(monkeypatch, pixel_labels, "label_pixels", calls)
    counted(monkeypatch, segmentation, "working_scores", calls)
    counted(monkeypatch, links, "dense_flow", calls)
    source, extractor = Wandering(FRAMES), ColourExtractor(batch_size=1)
    at_third: list[dict[str, int]] = []
    done = 0
    with OverlayVideo(tmp_path / "out.mp4", like=source.info) as sink:
        for masks in segment(source, extractor, model):
            sink.write(masks)
            done += len(masks)
            if done % (FRAMES // 3) == 0:
                at_third.append(dict(calls))
    assert done == FRAMES
    assert source.read == calls["label_pixels"] == FRAMES  # each once
    assert extractor.frames == calls["working_scores"] == FRAMES // 2 + 1  # every second, and the last
    assert calls["dense_flow"] == 2 * (FRAMES - 1)  # there and back, between two that follow each other
    # A few frames are under way at any moment; their number does not change.
    for name in calls:
        second, third = (at_third[k][name] - at_third[k - 1][name] for k in (1, 2))
        assert abs(third - second) < 30


def test_a_long_clip_leaves_nothing_of_its_frames_in_memory() -> None:
    """In a process of its own: what other tests have left behind, an allocator gives back when it likes."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("only Linux tells what a process holds now")
    said = subprocess.run(
        [sys.executable, str(SOAK), "--frames", "2000"], capture_output=True, text=True, check=True, timeout=600
    )
    done, *_, resident = zip(*(map(float, line.split()) for line in said.stdout.splitlines()[1:]), strict=True)
    assert done == tuple(range(200, 2001, 200))
    # The first fifth has filled what is filled once. 1,600 more frames may leave 3 MiB: 2 kB each.
    assert max(resident[-3:]) - resident[1] < 3, resident


def scene(size: tuple[int, int], load_size: int = 448) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of three parts, and a frame with the same picture in it whatever its size: a disc of three sectors."""
    height, width = size
    grid = Grid.fit(size, load_size, 14, 14)
    y, x = torch.meshgrid(torch.linspace(-1, 1, grid.rows), torch.linspace(-1, 1, grid.columns), indexing="ij")
    whole = torch.sigmoid((0.6 - torch.hypot(y, x)) * 20)
    sector = torch.stack([torch.cos(torch.atan2(y, x) - 2.1 * k) * 4 for k in range(3)]).softmax(0)
    probabilities = torch.cat([1 - whole[None], whole * sector])[None]
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    frame = torch.full((*size, 3), 90, dtype=torch.uint8)
    frame[torch.hypot(y, x) < 0.6] = torch.tensor([200, 120, 60], dtype=torch.uint8)
    return working_scores(probabilities, grid, size), frame[None]


def test_a_frame_of_4k_has_as_many_cells_as_one_of_1080p(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is worked out pixel by pixel are the same cells, whose pixels are four times as many; the rest is equal."""
    unclear: list[int] = []
    fine = full_size._fine

    def counting(functions: Any, cells: torch.Tensor, frame: Any, cell: int) -> Any:
        unclear.append(int(cells.sum()))
        return fine(functions, cells, frame, cell)

    monkeypatch.setattr(full_size, "_fine", counting)
    found = []
    for size in ((1080, 1920), (2160, 3840)):
        scores, frame = scene(size)
        assert scores.shape[2:] == (120, 214)
        found.append(label_pixels(scores, frame)[0])
    small, large = found
    assert unclear[0] > 300
    assert abs(unclear[1] - unclear[0]) < 0.02 * unclear[0]
    assert (large[::2, ::2] == small).float().mean() > 0.998
    assert small.unique().tolist() == [0, 1, 2, 3]


def test_labels_of_a_4k_frame_take_little_memory_beside_it() -> None:
    """The frame has 25 MB, its labels 8. Beside both, working pictures and pixels of a chunk: 64 MiB at most."""
    scores, frame = scene((2160, 3840))
    label_pixels(*scene((1080, 1920)))
    settings = RefineSettings()
    label_pixels(scores, frame, settings)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("only Linux forgets a process's peak memory")
    before = kilobytes("VmRSS")
    labels = label_pixels(scores, frame, settings)
    assert labels.shape == (1, 2160, 3840)
    assert kilobytes("VmHWM") - before < (64 << 10) + labels.numel() // 1024


def kilobytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

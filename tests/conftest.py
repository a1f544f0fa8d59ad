"""What several test files share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from media import SIZES, picture_files
from tiny import tiny_options
from videoparts.pipelines.commands.demo import demo_clip

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.vit.extractor import ViTExtractor


@pytest.fixture(scope="session", autouse=True)
def cache_of_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Converted weights go to a folder of this run, and not to the user's cache."""
    patch = pytest.MonkeyPatch()
    if "VIDEOPARTS_CACHE" not in os.environ:
        patch.setenv("VIDEOPARTS_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and our child processes would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors gain nothing from threads, and on a busy machine threads that wait for one another cost much."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def extractor(cache_of_weights: None) -> ViTExtractor:
    """The real DINOv2 ViT-S/14 at its defaults, in fp32."""
    return ViTExtractor(ExtractorSettings(), ComputeSettings(device="cpu", precision="fp32", offline=True))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, to open a page with."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium here to open the page with")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"], headless=True)
        yield running
        running.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of generated pictures of several shapes."""
    return picture_files(tmp_path / "pictures", SIZES)


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Options that make a command take a tiny model."""
    return tiny_options(tmp_path)


@pytest.fixture(scope="session")
def photograph() -> npt.NDArray[np.uint8]:
    """A frame with an animal in it, (360, 640, 3): from Big Buck Bunny, (c) Blender Foundation, CC BY 3.0."""
    with av.open(str(demo_clip())) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i == 60:
                return np.ascontiguousarray(frame.to_ndarray(format="rgb24")[::2, ::2])
    raise AssertionError("the demo's clip is too short")


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 24 frames of the demo's clip at 320 x 180, with presentation times of variable rate."""
    path = tmp_path_factory.mktemp("clip") / "bunny.mp4"
    with av.open(str(demo_clip())) as source, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        time_ms = 0
        for i, frame in zip(range(24), source.decode(video=0), strict=False):
            small = frame.reformat(320, 180, "yuv420p")
            small.pts, small.time_base = time_ms, Fraction(1, 1000)
            out.mux(stream.encode(small))
            time_ms += 40 if i % 3 else 73
        out.mux(stream.encode())
    return path


@pytest.fixture
def small_disk(tmp_path):
    """Makes disks of a given number of bytes."""
    mounted = []

    def make(size):
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True)
        if done.returncode:
            pytest.skip(f"cannot mount a small disk here: {done.stderr.decode().strip()}")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)

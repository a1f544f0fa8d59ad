from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from videoparts.pipelines.batches.work import failure_of

from videoparts.out_of_memory import out_of_memory

TOO_MUCH = 1 << 50


@pytest.mark.parametrize(
    "ask",
    [
        lambda: torch.empty(TOO_MUCH),
        lambda: np.empty(TOO_MUCH),
        lambda: bytearray(TOO_MUCH),
        lambda: cv2.resize(np.zeros((2, 2), np.uint8), (1 << 21, 1 << 21)),
    ],
    ids=["torch", "numpy", "python", "opencv"],
)
def test_each_library_is_understood(ask: Callable[[], object]) -> None:
    with pytest.raises(Exception) as said:  # noqa: PT011 - which one is what is asked
        ask()
    assert out_of_memory(said.value) == "memory ran out"


def test_a_gpu_is_told_from_the_machine() -> None:
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")) == (
        "the GPU's memory ran out"
    )


def test_other_errors_are_left_alone() -> None:
    assert out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    assert out_of_memory(cv2.error("unknown")) is None


def test_a_batch_says_so_in_a_line() -> None:
    failure = failure_of(torch.OutOfMemoryError("CUDA out of memory."))
    assert failure.text == "the GPU's memory ran out; take fewer --jobs or a smaller --load-size"
    assert not failure.trace


def test_a_command_says_so_in_a_line_and_leaves_nothing(short_clip: Path, tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))

    out = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "videoparts.pipelines.main", "overlay", str(short_clip), "-o", str(out)]
    options = ["--load-size", "99999", "--device", "cpu", "--offline"]
    done = subprocess.run([*command, *options], preexec_fn=limited, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "videoparts: memory ran out; take a smaller --batch-size or --load-size"
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())

"""A machine with more cores of the same kind gives the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import COMMAND, QUICK, files
from threadpoolctl import threadpool_limits

from videoparts.config import ComputeSettings, ExtractorSettings, FitSettings
from videoparts.fit import fit_parts
from videoparts.parts.model import PartModel
from videoparts.sinks.formats import FORMATS
from videoparts.sources import open_source
from videoparts.vit.extractor import ViTExtractor

ON_CORES = (
    "import os, sys; os.sched_setaffinity(0, map(int, sys.argv[1].split(','))); os.execv(sys.argv[2], sys.argv[2:])"
)


@pytest.fixture
def small() -> ViTExtractor:
    return ViTExtractor(ExtractorSettings(load_size=112), ComputeSettings(device="cpu", offline=True))


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    yield
    torch.set_num_threads(1)


def fitted(clip: Path, extractor: ViTExtractor, threads: int, folder: Path) -> bytes:
    torch.set_num_threads(threads)
    with threadpool_limits(threads, user_api="blas"):
        model: PartModel = fit_parts(open_source(clip), extractor, FitSettings(frames=12))
    model.save(path := folder / f"{threads}.safetensors")
    return path.read_bytes()


def test_a_part_model_does_not_depend_on_the_threads(short_clip: Path, small: ViTExtractor, tmp_path: Path) -> None:
    assert len({fitted(short_clip, small, threads, tmp_path) for threads in (1, 2, 3)}) == 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_features_of_a_frame_do_not_depend_on_the_threads(photograph: np.ndarray, precision: str) -> None:
    # With 16 cores and more, a frame has several.
    compute = ComputeSettings(device="cpu", precision=precision, offline=True)  # type: ignore[arg-type]
    extractor = ViTExtractor(ExtractorSettings(load_size=224), compute)
    torch.set_num_threads(1)
    one = extractor.extract(photograph[None], attention=True, tokens=True)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        again = extractor.extract(photograph[None], attention=True, tokens=True)
        for name in ("descriptors", "attention", "tokens"):
            assert torch.equal(getattr(again, name), getattr(one, name)), (threads, name)


def test_all_formats_and_the_page_are_the_same_on_one_core(short_clip: Path, tmp_path: Path) -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot bind a process to a core")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        pytest.skip("this machine has one core only")
    made = []
    for some in (cores[:1], cores):
        out = tmp_path / f"{len(some)}"
        masks = [*COMMAND, "masks", str(short_clip), "-o", str(out), "--formats", ",".join(FORMATS), *QUICK]
        subprocess.run([sys.executable, "-c", ON_CORES, ",".join(map(str, some)), *masks], check=True)
        made.append(files(out))
    one, all_of_them = made
    assert one.keys() == all_of_them.keys()
    assert [name for name in one if one[name] != all_of_them[name]] == []

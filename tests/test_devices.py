from __future__ import annotations

import numpy as np
import pytest
import torch

from videoparts.devices import cores_each, on_device, resolve_device
from videoparts.errors import SettingsError

CPU = torch.device("cpu")


def test_auto_takes_cuda_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, wanted in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda t=there: t)
        assert resolve_device("auto").type == wanted
    assert resolve_device("cpu") == CPU


@pytest.mark.parametrize(
    ("name", "message"), [("gpu", "unknown"), ("cuda:x", "unknown"), ("mps", "not supported"), ("cuda:3", "has 2 CUDA")]
)
def test_a_device_that_is_not_there_is_named(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SettingsError, match=f"^--device {name}: .*{message}"):
        resolve_device(name)


@pytest.mark.parametrize(
    ("threads", "wanted"), [(1, (1, 1)), (2, (2, 1)), (8, (8, 1)), (15, (8, 1)), (16, (8, 2)), (40, (8, 5))]
)
def test_each_frame_has_its_share_of_the_cores(
    threads: int, wanted: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert cores_each() == wanted


def test_nothing_is_copied_to_a_cpu() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    frames = on_device(pixels, CPU)
    assert np.array_equal(frames.numpy(), pixels)
    pixels[0, 0, 0, 0] = 9
    assert frames[0, 0, 0, 0] == 9
    assert on_device(frames, CPU) is frames


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_copies_to_cuda_are_what_they_were() -> None:
    device, generator = torch.device("cuda"), np.random.default_rng(0)
    given = [generator.integers(0, 256, (4, 270, 480, 3), dtype=np.uint8) for _ in range(20)]
    there = [on_device(pixels, device) for pixels in given]  # none is waited for before the last is on its way
    assert all(np.array_equal(copy.cpu().numpy(), pixels) for copy, pixels in zip(there, given, strict=True))

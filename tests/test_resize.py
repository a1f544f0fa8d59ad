from __future__ import annotations

import pytest
import torch

from videoparts import resize as module
from videoparts.resize import resize, unit_range

FRAMES = torch.randint(0, 256, (5, 40, 60, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(20, 31), (40, 60), (77, 90)])
@pytest.mark.parametrize("at_once", [1, 40 * 60 * 3 * 2, 1 << 24])
def test_off_the_cpu_frames_are_resized_a_few_at_a_time(
    size: tuple[int, int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device that only knows shapes; the numbers are those of `_resized`, as on a CPU."""
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    made = resize(FRAMES.to("meta"), size, "bicubic")
    assert made.shape == (5, 3, *size)
    assert made.dtype == torch.float32


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_bytes_are_resized_as_floats_are(mode: str) -> None:
    size = (20, 31)
    ours = unit_range(resize(FRAMES, size, mode))  # type: ignore[arg-type]
    floats = module._resized(FRAMES.permute(0, 3, 1, 2).float() / 255, size, mode).clamp(0, 1)
    assert (ours - floats).abs().max() < 4 / 255  # of noise: bytes are rounded after each axis

from __future__ import annotations

import numpy as np
import pytest
import torch

from videoparts import devices
from videoparts.config import ComputeSettings
from videoparts.devices import (
    cores_each,
    cpu_computes_bf16,
    multiplies_8_bits,
    on_device,
    precision_name,
    resolve_device,
    resolve_precision,
)
from videoparts.errors import SettingsError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("name", "device", "native_bf16", "wanted"),
    [
        ("auto", CPU, True, torch.bfloat16),
        ("auto", CPU, False, torch.float32),
        ("auto", CUDA, False, torch.float16),
        ("fp32", CPU, True, torch.float32),
        ("bf16", CPU, False, torch.bfloat16),
        ("quick", CPU, True, torch.bfloat16),
        ("quick", CUDA, True, torch.float16),
        ("int8", CPU, True, torch.bfloat16),
        ("int8", CPU, False, torch.float32),
        ("fp32", CUDA, False, torch.float32),
        ("fp16", CUDA, False, torch.float16),
        ("bf16", CUDA, False, torch.bfloat16),
    ],
)
def test_precision(
    name: str, device: torch.device, native_bf16: bool, wanted: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cpu_computes_bf16", lambda: native_bf16)
    assert resolve_precision(name, device) == wanted  # type: ignore[arg-type]


def test_names_of_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_computes_bf16", lambda: True)
    monkeypatch.setattr(devices, "can_round", lambda: True)
    assert precision_name(ComputeSettings(), CPU) == "bfloat16"
    assert precision_name(ComputeSettings(), CUDA) == "float16"
    assert precision_name(ComputeSettings(precision="fp32"), CPU) == "float32"
    assert precision_name(ComputeSettings(precision="int8"), CPU) == "int8"
    assert precision_name(ComputeSettings(precision="quick"), CPU) == "int8"
    assert precision_name(ComputeSettings(precision="quick"), CUDA) == "float16"


@pytest.mark.parametrize(("can_round", "bf16"), [(False, True), (True, False)])
def test_8_bits_where_the_processor_has_no_instructions(
    can_round: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "can_round", lambda: can_round)
    monkeypatch.setattr(devices, "cpu_computes_bf16", lambda: bf16)
    assert not multiplies_8_bits(ComputeSettings(precision="quick"), CPU)
    assert multiplies_8_bits(ComputeSettings(precision="quick", runtime="openvino"), CPU)
    assert multiplies_8_bits(ComputeSettings(precision="int8", runtime="openvino"), CPU)
    with pytest.raises(SettingsError, match="--precision int8: torch has none for this processor; add --runtime"):
        multiplies_8_bits(ComputeSettings(precision="int8"), CPU)


def test_8_bits_are_of_a_cpu() -> None:
    with pytest.raises(SettingsError, match="--precision int8 runs on a CPU, not on cuda; take auto"):
        multiplies_8_bits(ComputeSettings(precision="int8"), CUDA)


def test_fp16_is_never_computed_on_a_cpu() -> None:
    with pytest.raises(SettingsError, match="--precision fp16"):
        resolve_precision("fp16", CPU)
    with pytest.raises(SettingsError, match="--precision fp16"):
        precision_name(ComputeSettings(precision="fp16"), CPU)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({"architecture": "x86_64", "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"architecture": "x86_64", "avx512_bf16": True}, True),
        ({"architecture": "x86_64", "amx_bf16": True}, True),
        ({"architecture": "aarch64", "neon": True, "bf16": True}, True),
        ({"architecture": "aarch64", "neon": True}, False),
    ],
)
def test_native_bf16_is_read_from_the_instructions(
    found: dict[str, object], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert cpu_computes_bf16() is wanted


def test_native_bf16_is_found_with_an_older_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for supported in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda s=supported: s, raising=False)
        assert cpu_computes_bf16() is supported
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert cpu_computes_bf16() is False


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

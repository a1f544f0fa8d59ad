from __future__ import annotations

import pytest
import torch

from videoparts.config import ComputeSettings
from videoparts.errors import SettingsError
from videoparts.vit import precision
from videoparts.vit.precision import (
    cpu_computes_bf16,
    multiplies_8_bits,
    precision_name,
    resolve_precision,
)

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
    monkeypatch.setattr(precision, "cpu_computes_bf16", lambda: native_bf16)
    assert resolve_precision(name, device) == wanted  # type: ignore[arg-type]


def test_names_of_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_computes_bf16", lambda: True)
    monkeypatch.setattr(precision, "can_round", lambda: True)
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
    monkeypatch.setattr(precision, "can_round", lambda: can_round)
    monkeypatch.setattr(precision, "cpu_computes_bf16", lambda: bf16)
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

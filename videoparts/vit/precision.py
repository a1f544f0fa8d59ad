"""The precision in which a ViT computes: the one that is asked for, or the quickest that the device computes itself."""

from __future__ import annotations

import torch

from ..config import ComputeSettings, Precision
from ..errors import SettingsError
from .rounded_linear import can_round

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def resolve_precision(name: Precision, device: torch.device) -> torch.dtype:
    """The type the ViT computes in. Half precision is taken only where the device computes it natively: bf16 that
    a CPU emulates is slower than fp32, and fp16 on any CPU is 10 to 20 times slower. Where numbers of 8 bits are
    multiplied, all else is as with auto.

    Raises:
        SettingsError: fp16 is asked for on a CPU.
    """
    if name not in ("auto", "quick", "int8"):
        if name == "fp16" and device.type == "cpu":
            raise SettingsError("--precision fp16 is 10 to 20 times slower on a CPU; take auto, bf16 or fp32")
        return _DTYPES[name]
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if cpu_computes_bf16() else torch.float32


def multiplies_8_bits(compute: ComputeSettings, device: torch.device) -> bool:
    """Whether linear layers multiply numbers of 8 bits: with int8, and with quick where that is quicker.

    Raises:
        SettingsError: int8 is asked for where there is no such product.
    """
    if compute.precision not in ("quick", "int8"):
        return False
    possible = device.type == "cpu" and (compute.runtime == "openvino" or (can_round() and cpu_computes_bf16()))
    if compute.precision == "int8" and not possible:
        if device.type != "cpu":
            raise SettingsError(f"--precision int8 runs on a CPU, not on {device}; take auto")
        raise SettingsError("--precision int8: torch has none for this processor; add --runtime openvino, or take auto")
    return possible


def precision_name(compute: ComputeSettings, device: torch.device) -> str:
    """What to call the precision that a ViT computes in: float32, float16, bfloat16, or int8.

    Raises:
        SettingsError: as `resolve_precision` and `multiplies_8_bits` do.
    """
    dtype = resolve_precision(compute.precision, device)
    return "int8" if multiplies_8_bits(compute, device) else str(dtype).removeprefix("torch.")


def cpu_computes_bf16() -> bool:
    """Whether this processor has instructions for bf16 products (AVX-512 BF16, AMX or Arm's BF16)."""
    probe = getattr(torch.cpu, "get_capabilities", None)
    if probe is not None:
        found = probe()
        return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch before 2.10
    return bool(probe and probe())

"""Which device computes, and in which precision."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import torch

from .config import ComputeSettings, Precision
from .errors import SettingsError
from .frames import Pixels
from .rounded_linear import can_round
from .stream import ordered

T = TypeVar("T")
R = TypeVar("R")

_MOST_WORKERS = 8  # frames at a time: each takes some memory
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def resolve_device(name: str) -> torch.device:
    """The device of a name such as ``auto``, ``cpu``, ``cuda`` or ``cuda:1``; ``auto`` takes CUDA where it is.

    Raises:
        SettingsError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingsError(f"--device {name}: unknown; take auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise SettingsError(f"--device {name}: not supported; take auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices; take cpu")
    return device


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


def on_device(pixels: Pixels | torch.Tensor, device: torch.device) -> torch.Tensor:
    """Pixels as a tensor on a device.

    A copy to CUDA goes by way of page-locked memory, of which torch keeps some at hand, and nobody waits for it: what
    the device is asked next comes after it, and meanwhile this thread goes on to the next frames. On a CPU, nothing is
    copied.
    """
    frames = torch.as_tensor(pixels)
    if device.type == "cuda" and frames.device.type == "cpu":
        frames = frames.pin_memory()
    return frames.to(device, non_blocking=True)


def cores_each() -> tuple[int, int]:
    """How many frames are worked on at a time on a CPU, and torch's threads for each of them."""
    threads = torch.get_num_threads()
    workers = min(threads, _MOST_WORKERS)
    return workers, threads // workers


def on_all_cores(function: Callable[[T], R], items: Iterable[T], device: torch.device) -> Generator[R, None, None]:
    """``map(function, items)``, in order, with all of a CPU's cores: `ordered` on as many threads, each with its share
    of torch's threads.

    Two frames on a core each are done sooner than two frames one after the other on both cores: there, each core waits
    for the other after every operation, and for decoding and encoding, which want cores too. Measured on two cores, the
    ViT alone takes 12 % less time so. A GPU is given one batch at a time.

    The features and masks of a frame do not depend on its number of threads; sums over a clip do: see `one_thread`.
    """
    threads = torch.get_num_threads()
    workers, each = cores_each() if device.type == "cpu" else (1, threads)
    try:
        # torch keeps this setting by thread.
        yield from ordered(function, items, workers, lambda: torch.set_num_threads(each))
    finally:
        if workers > 1:
            torch.set_num_threads(threads)  # threads begun later take the last one set

"""Which device computes, and with how many of its cores."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import torch

from .errors import SettingsError
from .frames import Pixels
from .stream import ordered

T = TypeVar("T")
R = TypeVar("R")

MOST_AT_A_TIME = 8  # frames that are worked on, with however many cores: each takes some memory


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


def on_device(pixels: Pixels | torch.Tensor, device: torch.device) -> torch.Tensor:
    """Pixels as a tensor on a device.

    A copy to CUDA goes by way of page-locked memory, of which torch keeps some at hand, and nobody waits for it: what
    the device is asked next comes after it, and meanwhile this thread goes on to the next frames. On a CPU, nothing is
    copied.
    """
    frames = torch.as_tensor(pixels)
    if device.type == "cuda" and frames.device.type == "cpu":
        with torch.cuda.device(device):  # else it is made known to the first GPU, which may be another's
            frames = frames.contiguous().pin_memory()
    return frames.to(device, non_blocking=True)


def copied_to(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A copy on a device, in one piece and where torch places what it makes itself.

    The last bits of a product depend on how its factors lie in memory, and what was read from a file lies otherwise
    than what has been worked out.
    """
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=device).copy_(tensor)


def cores_each(most: int = MOST_AT_A_TIME) -> tuple[int, int]:
    """How many things are worked on at a time on a CPU, ``most`` at most, and torch's threads for each of them."""
    threads = torch.get_num_threads()
    workers = min(threads, most, MOST_AT_A_TIME)
    return workers, threads // workers


def on_all_cores(
    function: Callable[[T], R], items: Iterable[T], device: torch.device, most: int = MOST_AT_A_TIME
) -> Generator[R, None, None]:
    """``map(function, items)``, in order, with all of a CPU's cores: `ordered` on as many threads, each with its share
    of torch's threads.

    Two frames on a core each are done sooner than two frames one after the other on both cores: there, each core waits
    for the other after every operation, and for decoding and encoding, which want cores too. Measured on two cores, the
    ViT alone takes 12 % less time so. A GPU is given one batch at a time. ``most`` is for items that take much memory.

    The features and masks of a frame do not depend on its number of threads; sums over a clip do: see `one_thread`.
    """
    threads = torch.get_num_threads()
    workers, each = cores_each(most) if device.type == "cpu" else (1, threads)
    try:
        # torch keeps this setting by thread.
        yield from ordered(function, items, workers, lambda: torch.set_num_threads(each))
    finally:
        if workers > 1:
            torch.set_num_threads(threads)  # threads begun later take the last one set

"""What a piece of work takes: time on the clock, time of the cores, memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from videoparts.freed_memory import give_back

from .figures import Figure

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # what Linux wants to be told for that, see proc(5)


@dataclass(frozen=True)
class Spent:
    """Seconds."""

    wall: float
    cpu: float  # of all cores together, a decoder's process included

    def less(self, other: Spent) -> Spent:
        """What this took more than another."""
        return Spent(self.wall - other.wall, self.cpu - other.cpu)

    def per(self, frames: float) -> Spent:
        """The share of each of so many frames."""
        return Spent(self.wall / frames, self.cpu / frames)


def spend(work: Callable[[], object], device: torch.device) -> Spent:
    """Do ``work``, and tell what it took. A GPU has done all of its part before a clock is read."""
    _wait_for(device)
    cpu, wall = cpu_seconds(), time.perf_counter()
    work()
    _wait_for(device)
    return Spent(time.perf_counter() - wall, cpu_seconds() - cpu)


def walls(spent: Sequence[Spent]) -> Figure:
    """Milliseconds on the clock of each."""
    return Figure(tuple(1000 * one.wall for one in spent))


def cpus(spent: Sequence[Spent]) -> Figure:
    """Milliseconds of cores of each."""
    return Figure(tuple(1000 * one.cpu for one in spent))


def cpu_seconds() -> float:
    """Time of cores that this process and its children have taken, those that have ended and, on Linux, those at work:
    decord decodes in a process of its own."""
    total = time.process_time()
    with suppress(ImportError):
        import resource

        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        total += ended.ru_utime + ended.ru_stime
    with suppress(OSError):
        for task in (_PROCESS / "task").iterdir():
            with suppress(OSError):  # the thread has ended
                total += sum(map(_seconds_of, (task / "children").read_text().split()))
    return total


def _seconds_of(process: str) -> float:
    try:
        # The name in brackets may hold anything; user and system time are the 14th and 15th field.
        fields = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_while(work: Callable[[], object], device: torch.device) -> tuple[int, int] | None:
    """Do ``work``, and tell how many bytes were held before it and how many at most.

    Of a GPU: bytes of tensors there. Of a CPU: resident bytes of this process, without a decoder's own; None where the
    system does not tell, or not for a part of a process's life (macOS, Windows).
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        _wait_for(device)
        return before, torch.cuda.max_memory_allocated(device)
    give_back()
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        work()
        return None
    resident = _status("VmRSS")
    work()
    return resident, _status("VmHWM")


def _status(field: str) -> int:
    for line in (_PROCESS / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

"""What does the tasks of a batch: this machine's processes, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar

from .events import Event
from .work import Task

if TYPE_CHECKING:
    from .options import BatchOptions


_Engine = TypeVar("_Engine", bound="Engine")


class Engine(Protocol):
    """Used in a ``with``; what it has begun ends with it, and leaves nothing half-written."""

    jobs: int  # clips that are done at a time

    def __enter__(self: _Engine) -> _Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Do tasks; tell what happens, as it happens. Each ends with one of `LAST`, whatever becomes of it."""
        ...


def engine_of(batch: BatchOptions) -> Engine:
    """The engine that a command asks for.

    Raises:
        DependencyError: it is not installed.
    """
    if batch.engine == "ray":
        from .ray_engine import RayEngine

        return RayEngine(batch)
    from .processes import Processes

    devices = _devices(batch.compute.device)
    return Processes(batch, batch.jobs or max(1, len(devices)), devices)


def _devices(name: str) -> list[str]:
    """The GPUs, where there are several to choose from."""
    if name not in ("auto", "cuda"):
        return []
    import torch

    count = torch.cuda.device_count()
    return [f"cuda:{k}" for k in range(count)] if count > 1 else []

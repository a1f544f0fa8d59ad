"""The local engine: one process a GPU, or a share of the cores each."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from ..before_torch import settle
from .events import LAST, Event
from .work import Task, Worker

if TYPE_CHECKING:
    from .options import BatchOptions

_ATTEMPTS = 2  # of a task whose process died
_PATIENCE = 10.0  # seconds that a process has to leave nothing half-written

# Not forked: threads and GPUs of the parent would come along in a state that nobody knows.
_CONTEXT = multiprocessing.get_context("spawn")


class Processes:
    """Does tasks in processes of its own, which come with the first task and end with the ``with``.

    A process that dies takes its task with it: the task is begun again by a new one, once.

    Args:
        batch: the command.
        jobs: how many processes.
        devices: what they compute with, in turn; empty: as the command says.
    """

    def __init__(self, batch: BatchOptions, jobs: int, devices: Sequence[str] = ()) -> None:
        self.jobs = jobs
        each = [devices[k % len(devices)] if devices else None for k in range(jobs)]
        self._waiting: deque[tuple[Task, int]] = deque()  # each with which attempt it is
        self._lanes = [_Lane(batch, *about) for about in zip(_shares(jobs), each, strict=True)]

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in self._lanes:
            lane.ask_to_end()
        for lane in self._lanes:
            lane.end()

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Do tasks, as many at a time as there are processes; tell what happens, as it happens."""
        for task in tasks:
            self.add(task)
        while self.busy:
            yield from self.events()

    def prepare(self) -> None:
        """Start the processes, with nothing to do yet: they load their libraries while others are at work."""
        for lane in self._lanes:
            lane.start()

    def add(self, task: Task) -> None:
        """Have a task done; `events` tell how it goes."""
        self._waiting.append((task, 1))

    @property
    def busy(self) -> bool:
        """Whether there are tasks that have not ended."""
        return bool(self._waiting) or any(lane.task is not None for lane in self._lanes)

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """What happens next, or nothing after ``timeout`` seconds; None: wait for it."""
        for lane in self._lanes:
            if lane.task is None and self._waiting:
                lane.begin(*self._waiting.popleft())
        busy = [lane for lane in self._lanes if lane.task is not None]
        ready = set(wait([lane.connection for lane in busy], timeout))
        for lane in busy:
            if lane.connection not in ready:
                continue
            task, attempt = lane.task, lane.attempt
            assert task is not None
            event = lane.receive()
            if event is not None:
                yield event
            elif attempt < _ATTEMPTS:
                yield Event("note", task.name, text=f"its process {lane.death()}; begun again")
                self._waiting.appendleft((task, attempt + 1))
            else:
                why = f"its process {lane.death()}, twice; if memory ran out, take fewer --jobs"
                yield Event("failed", task.name, text=why)


class _Lane:
    """One process after the other."""

    def __init__(self, batch: BatchOptions, cores: Sequence[int], device: str | None) -> None:
        self._about = batch, cores, device
        self._process: SpawnProcess | None = None
        self._code: int | None = None
        self.connection: Connection
        self.task: Task | None = None
        self.attempt = 0

    def start(self) -> None:
        """Start a process, if there is none."""
        if self._process is None:
            self.connection, theirs = _CONTEXT.Pipe()
            self._process = _CONTEXT.Process(target=_work, args=(theirs, *self._about), name="videoparts-batch")
            with without_interrupt():
                self._process.start()
            theirs.close()  # so that its end is seen here

    def begin(self, task: Task, attempt: int) -> None:
        """Give the process a task."""
        self.task, self.attempt = task, attempt
        self.start()
        with contextlib.suppress(OSError):  # it has died: seen at the next `receive`
            self.connection.send(task)

    def receive(self) -> Event | None:
        """The next event; None: the process has died."""
        try:
            event: Event = self.connection.recv()
        except (EOFError, OSError):
            assert self._process is not None
            self._process.join()
            self._code = self._process.exitcode
            self.connection.close()
            self._process = self.task = None
            return None
        if event.kind in LAST:
            self.task = None
        return event

    def death(self) -> str:
        """How the last process ended, in words."""
        if self._code is not None and self._code < 0:
            return f"was killed by signal {-self._code} ({signal.strsignal(-self._code) or 'unknown'})"
        return f"ended with status {self._code}"

    def ask_to_end(self) -> None:
        """Let the process go home; one at work is interrupted."""
        if self._process is None:
            return
        if self.task is not None and self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
        self.connection.close()

    def end(self) -> None:
        """Wait for its end, and see to it."""
        if self._process is not None:
            if self.task is not None:  # else nothing can be half-written
                self._process.join(_PATIENCE)
            self._process.kill()
            self._process.join()
            self._process = None


def _shares(jobs: int) -> list[list[int]]:
    """The cores of each process. More processes than cores share them all; empty: cores cannot be chosen here."""
    if not hasattr(os, "sched_getaffinity"):
        return [[] for _ in range(jobs)]
    cores = sorted(os.sched_getaffinity(0))
    return [cores[k::jobs] or cores for k in range(jobs)]


@contextlib.contextmanager
def without_interrupt() -> Iterator[None]:
    """What is started meanwhile does not see the Ctrl-C that a terminal sends to all processes: this one decides."""
    if os.name != "posix":  # Windows has nothing of the kind
        yield
        return
    resource_tracker.ensure_running()  # which the first start would do, and let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, batch: BatchOptions, cores: Sequence[int], device: str | None) -> None:
    """The life of a process: tasks in, events out, until the other side hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side sees to it: one of two signals would be too many
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_leave_with_parent, name="videoparts-watch", daemon=True).start()
    settle()
    if cores:
        os.sched_setaffinity(0, cores)
        import torch

        torch.set_num_threads(len(cores))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        importlib.import_module("videoparts.pipelines.chain")  # what every task needs, before there is one
        worker = Worker(batch, device)
        while True:
            worker.do(connection.recv(), connection.send)
    os._exit(0)  # threads may be inside native code, which Python cannot end in good order


def _stop(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: what is cleaned up is not to be interrupted
    raise KeyboardInterrupt


def _leave_with_parent() -> None:
    """A batch that was killed must not go on writing: what is begun again would meet its locks."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)

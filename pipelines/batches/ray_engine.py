"""The engine on a Ray cluster: extractors are actors, long clips are done in pieces, results are written where we are.

Every node must find the inputs and the weights under the paths that this machine knows; the output folder is this
machine's alone. A worker that dies is replaced, and what it was at is done again: nothing hangs on who does it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from videoparts.errors import DependencyError
from videoparts.stream import prefetch

from .events import Event
from .processes import Processes
from .work import Failure, Task, failure_of

if TYPE_CHECKING:
    from .cluster import Call
    from .options import BatchOptions
    from .ray_jobs import Job

    _Begun = tuple[Job, list[Event], Failure | None]

_ATTEMPTS = 2  # of what a worker has died at
_GLANCE = 0.1  # seconds between two looks at what is written here, while the cluster works


class RayEngine:
    """Does tasks on a Ray cluster; see `videoparts.pipelines.batches.engine.Engine`.

    Args:
        batch: the command.
        piece: frames of a piece; None: the usual.
        cores: see `Cluster`.
        decode_apart: see `Cluster`.

    Raises:
        DependencyError: Ray is not installed.
    """

    jobs = 1

    def __init__(
        self,
        batch: BatchOptions,
        *,
        piece: int | None = None,
        cores: int | None = None,
        decode_apart: bool | None = None,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise DependencyError("--engine ray needs ray; install it: pip install 'videoparts[ray]'")
        from .cluster import Cluster

        self._batch = batch
        self._piece = piece
        self._cluster = Cluster(batch, cores=cores, decode_apart=decode_apart)
        # What a clip's folder holds is written by this machine's processes, its masks being there.
        self._writing = Processes(batch, max(1, (os.cpu_count() or 1) // 2))
        self._jobs: list[Job] = []  # at work, in order
        self._more = False  # whether others may follow
        self._stack = ExitStack()

    def __enter__(self) -> RayEngine:
        with ExitStack() as stack:
            stack.enter_context(self._writing)
            self._writing.prepare()  # both take seconds to start, and mostly wait
            stack.enter_context(self._cluster)
            self.jobs = self._cluster.jobs
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Do tasks; see `Engine.run`."""
        self._more = True
        with closing(prefetch(map(self._begun, tasks), depth=1)) as begun:
            try:
                while True:
                    yield from self._give_work(begun)
                    labelling = self._more or bool(self._jobs)
                    if not labelling and not self._writing.busy:
                        return
                    if labelling:
                        yield from self._ended()
                    if self._writing.busy:
                        for event in self._writing.events(0 if labelling else None):
                            if event.kind != "begun":  # it has, long ago
                                yield event
            finally:
                for job in self._jobs:
                    job.close()
                self._jobs = []

    def _begun(self, task: Task) -> _Begun:
        """A job that has begun. Runs ahead, in a thread of its own: a long file takes a while to be looked at."""
        from .ray_jobs import Labelling, Single

        label = task.kind == "label"
        job = Labelling(self._batch, task, self._piece) if label else Single(self._batch, task)
        try:
            return job, job.begin(), None
        except Exception as error:
            return job, [], failure_of(error)

    def _give_work(self, begun: Generator[_Begun, None, None]) -> Iterator[Event]:
        """Let no actor be idle, as long as there is something to do."""
        while self._cluster.has_room:
            job = next((job for job in self._jobs if job.calls), None)
            if job is not None:
                self._begin(job)
                continue
            following = next(begun, None)
            if following is None:
                self._more = False
                return
            job, told, failure = following
            yield Event("begun", job.task.name)
            yield from told
            self._jobs.append(job)
            if failure is not None:
                yield self._failed(job, failure)
            else:
                self._see_whether_over(job)

    def _begin(self, job: Job) -> None:
        call = job.calls.popleft()
        job.out.add(call)
        self._cluster.begin(call)

    def _ended(self) -> Iterator[Event]:
        """The next call that ends, if one does soon."""
        ended = self._cluster.ended(_GLANCE)
        if ended is None:
            if self._cluster.is_waiting_long():
                yield Event("note", text="the cluster has no worker for us yet: waiting for one")
            return
        call, answer = ended
        job = next((job for job in self._jobs if call in job.out), None)
        if job is None:
            return  # it has failed meanwhile
        job.out.remove(call)
        if answer is None:
            yield self._died(job, call)
            return
        yield from answer.notes
        if answer.failure is not None:
            yield self._failed(job, answer.failure)
            return
        try:
            told = job.take(call, answer.value)
        except Exception as error:
            yield self._failed(job, failure_of(error))
            return
        yield from told
        if call.piece is None and job.calls:
            self._begin(job)  # by the actor that has fitted: it has the features of some frames
        self._see_whether_over(job)

    def _see_whether_over(self, job: Job) -> None:
        """What follows where a job has no more calls."""
        if job.calls or job.out:
            return
        self._jobs.remove(job)
        job.close()
        if job.task.kind == "label":
            self._writing.add(replace(job.task, kind="write"))

    def _died(self, job: Job, call: Call) -> Event:
        """A worker has died: its call is begun again, or its job has failed."""
        what = f" at {call.piece}" if call.piece is not None else ""
        if call.attempt < _ATTEMPTS:
            job.calls.appendleft(replace(call, attempt=call.attempt + 1))
            return Event("note", job.task.name, text=f"its worker died{what}; begun again")
        why = f"its worker died{what}, twice; if memory ran out, take fewer --jobs or a smaller --load-size"
        return self._failed(job, Failure(why))

    def _failed(self, job: Job, failure: Failure) -> Event:
        self._jobs.remove(job)
        job.close()
        sys.stderr.write(failure.trace)
        return Event(failure.kind, job.task.name, text=failure.text)

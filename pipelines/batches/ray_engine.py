"""The engine on a Ray cluster: extractors are actors, long clips are done in pieces, results are written where we are.

Every node must find the inputs and the weights under the paths that this machine knows; the output folder is this
machine's alone. A worker that dies is replaced by Ray, and what it was at is done again: nothing hangs on who does it.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from videoparts.errors import DependencyError, SourceError, VideoPartsError
from videoparts.lock import only_run_in
from videoparts.runs import HOME, Run, run_key
from videoparts.sources import open_source

from ..chain import Chain, given_model
from ..masks import Masks
from ..terminal import Terminal
from .clip import Clip
from .events import Event, Tell
from .pieces import keep_pieces, pieces_of
from .remote import Answer, Extracting, finish
from .work import SHARED, Task, masks_of

if TYPE_CHECKING:
    from ..batch import Batch

_CORES = 4  # of an actor, where there are no GPUs
_RETRIES = 2  # of work whose worker has died


class RayEngine:
    """Does tasks on a Ray cluster; see `videoparts.pipelines.batches.engine.Engine`.

    Args:
        batch: the command.
        piece: frames of a piece; None: the usual.

    Raises:
        DependencyError: Ray is not installed.
    """

    jobs = 1

    def __init__(self, batch: Batch, *, piece: int | None = None) -> None:
        if importlib.util.find_spec("ray") is None:
            raise DependencyError("--engine ray needs ray; install it: pip install 'videoparts[ray]'")
        self._batch = batch
        self._piece = piece
        self._idle: queue.Queue[Any] = queue.Queue()
        self._stop = threading.Event()

    def __enter__(self) -> RayEngine:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if self._batch.address is None:
                ray.init(include_dashboard=False, _node_ip_address="127.0.0.1", **options)
            else:
                ray.init(address=self._batch.address, **options)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            first = str(error).splitlines()[0]
            raise SourceError(f"--address {self._batch.address}: no Ray cluster there ({first})") from error
        self._ray = ray
        there = ray.cluster_resources()
        gpus, cores = int(there.get("GPU", 0)), max(1, int(there.get("CPU", 1)))
        self.jobs = self._batch.jobs or gpus or max(1, cores // _CORES)
        each = {"num_gpus": 1, "num_cpus": 1} if gpus else {"num_cpus": max(1, cores // self.jobs)}
        actor = ray.remote(max_restarts=-1, max_task_retries=_RETRIES, **each)(Extracting)
        for _ in range(self.jobs):
            # Where there are GPUs, frames are decoded by whatever cores are free in the cluster.
            self._idle.put(actor.remote(self._batch, int(each["num_cpus"]), decode_apart=bool(gpus)))
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._finish = ray.remote(num_cpus=0, max_retries=_RETRIES, scheduling_strategy=here)(finish)
        self._calls = ThreadPoolExecutor(self.jobs, "videoparts-ray")
        self._finishing = threading.Semaphore(max(1, (os.cpu_count() or 1) // 2))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._ray.shutdown()

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Do tasks; see `Engine.run`."""
        told: queue.Queue[Event] = queue.Queue()
        left = 0
        with ThreadPoolExecutor(self.jobs + 1, "videoparts-clip") as clips:
            for task in tasks:
                clips.submit(self._do, task, told.put)
                left += 1
            try:
                while left:
                    event = told.get()
                    left -= event.kind in ("done", "failed")
                    yield event
            finally:
                clips.shutdown(wait=False, cancel_futures=True)

    def _do(self, task: Task, tell: Tell) -> None:
        tell(Event("begun", task.name))
        try:
            if task.kind == "measure":
                tell(Event("measured", task.name, seconds=self._call("measure", task.clips[0])))
                tell(Event("done", task.name))
            elif task.kind == "fit":
                self._call("fit", task.clips).save(self._batch.output / SHARED)
                tell(Event("done", task.name))
            else:
                self._label(task.clips[0], tell)
        except VideoPartsError as error:
            tell(Event("failed", task.name, text=" ".join(str(error).split())))
        except Exception as error:  # of Ray, such as a worker that dies again and again
            first = (str(error).splitlines() or [""])[0]
            tell(Event("failed", task.name, text=f"{type(error).__name__}: {first}"))

    def _label(self, clip: Clip, tell: Tell) -> None:
        command = masks_of(self._batch, clip)
        with only_run_in(command.output / HOME):
            self._label_pieces(clip, command, tell)
        with self._finishing:
            events: list[Event] = self._ray.get(self._finish.remote(self._batch, clip))
        for event in events:
            if event.kind in ("note", "done", "failed"):
                tell(event)

    def _label_pieces(self, clip: Clip, command: Masks, tell: Tell) -> None:
        given = given_model(command)
        run = Run(command.output, run_key(command.settings(given)))
        if given is None and run.model() is None:
            tell(Event("stage", clip.name, "fit"))
            self._call("fit", (clip,)).save(run.model_path)
        source = open_source(clip.path, replace(command.source, decoder="pyav"))
        _, finest = command.models(Chain(command, Terminal(quiet=True)), source, given, run)
        info = source.info
        pieces = pieces_of(info.frames, (info.height, info.width), run.masks().frames, self._piece)
        tell(Event("stage", clip.name, "label", info.frames))
        calls = {self._calls.submit(self._call, "piece", command, finest, piece): piece for piece in pieces}
        for call in as_completed(calls):
            keep_pieces(run.folder, call.result())
            piece = calls[call]
            if piece.stop is not None:
                tell(Event("advanced", clip.name, "label", piece.stop - piece.first))

    def _call(self, method: str, *arguments: Any) -> Any:
        """Have an idle actor do something; wait for it.

        Raises:
            VideoPartsError: what the actor says is wrong.
        """
        actor = self._idle.get()
        try:
            answer: Answer = self._ray.get(getattr(actor, method).remote(*arguments))
        finally:
            self._idle.put(actor)
        if answer.error is not None:
            raise answer.error
        return answer.value

"""A Ray cluster, and the actors in it that label. The only file of this side that knows Ray."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from videoparts import __version__
from videoparts.errors import SettingsError

from .guardian import guarded
from .processes import without_interrupt
from .remote import Answer, Extracting

if TYPE_CHECKING:
    from .options import BatchOptions
    from .pieces import Piece

_CORES = 4  # of an actor, where there are no GPUs
_STARTS = 3  # in a row that may fail, before it is taken that none will do
_PATIENCE = 5.0  # seconds that a cluster has to answer
_LONG = 30.0  # seconds without any worker, after which the user is told
_LONGEST = 16  # characters of the folder for temporary ones: deep below it lie sockets, whose paths are at most 107

# Before Ray is imported: nothing is told to anyone, nothing is said here but by us, and a cluster that cannot be used
# is given up soon.
_ANY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_NUM_REDIS_GET_RETRIES": "1",
}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # all of it listens on 127.0.0.1, whatever the system,
_SECRET = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(32).hex()}  # and to those who know a secret


@dataclass(frozen=True, eq=False)
class Call:
    """Something that an actor is to do."""

    method: str  # of `Extracting`
    arguments: tuple[Any, ...]
    piece: Piece | None = None  # of the clip, where it is about one
    attempt: int = 1


class Cluster:
    """Actors that label, each a GPU or a share of the cores. To be entered; ends with what it has begun.

    Args:
        batch: the command.
        cores: that the cluster of this machine has; None: those there are.
        decode_apart: whether frames are decoded by other workers than those that label; None: if those have GPUs, and
            the cluster has cores for it.

    Raises:
        SettingsError: when entered: there is no cluster at that address, or one with another version of something.
    """

    jobs: int  # actors

    def __init__(self, batch: BatchOptions, *, cores: int | None = None, decode_apart: bool | None = None) -> None:
        self._batch = batch
        self._cores = cores
        self._decode_apart = decode_apart
        self._idle: deque[Any] = deque()  # actors
        self._busy: dict[Any, tuple[Any, Call | None]] = {}  # actors and what they are at, by what it gives
        self._failed_starts = 0
        self._last_seen = time.monotonic()
        self._open = ExitStack()

    def __enter__(self) -> Cluster:
        with ExitStack() as stack:
            self._ray = stack.enter_context(connected(self._batch.address, self._cores or 0, self._batch.jobs or 1))
            there = self._ray.cluster_resources()
            gpus = 0 if self._batch.compute.device == "cpu" else int(there.get("GPU", 0))
            cores = max(1, int(there.get("CPU", 1)))
            self.jobs = min(self._batch.jobs or gpus or max(1, cores // _CORES), gpus or cores)
            apart = bool(gpus) if self._decode_apart is None else self._decode_apart
            threads = 1 if gpus else max(1, cores // self.jobs // (1 + apart))
            # One with a GPU takes no core for itself: else those that decode for it might wait for one for ever.
            share = {"num_gpus": 1, "num_cpus": 0} if gpus else {"num_cpus": threads}
            self._decode_apart = apart and (bool(gpus) or cores > threads * self.jobs)
            self._actor = self._ray.remote(**share)(Extracting)
            self._arguments = _for_nodes(self._batch), threads
            for _ in range(self.jobs):
                self._start()
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def has_room(self) -> bool:
        """Whether an actor has nothing to do."""
        return bool(self._idle)

    @property
    def is_busy(self) -> bool:
        """Whether an actor is at work."""
        return any(call is not None for _, call in self._busy.values())

    def begin(self, call: Call) -> None:
        """Have the actor that was done last do something."""
        actor = self._idle.pop()
        self._busy[getattr(actor, call.method).remote(*call.arguments)] = actor, call

    def ended(self, timeout: float) -> tuple[Call, Answer | None] | None:
        """A call that has ended; its answer is None if its worker has died. None: none has within that time.

        Raises:
            SettingsError: no worker can be started.
        """
        ready, _ = self._ray.wait([*self._busy], num_returns=1, timeout=timeout)
        if not ready:
            return None
        actor, call = self._busy.pop(ready[0])
        answer: Answer | None = None
        try:
            given = self._ray.get(ready[0])
        except self._ray.exceptions.RayActorError as error:
            if call is None:
                self._failed_starts += 1
                if self._failed_starts >= _STARTS:
                    raise SettingsError(f"--engine ray: no worker can be started: {_first(error)}") from error
            self._start()
        except self._ray.exceptions.RayError:  # of one that decodes for it
            self._idle.append(actor)
        else:
            self._idle.append(actor)
            self._last_seen, self._failed_starts = time.monotonic(), 0
            if call is None and given != __version__:
                raise SettingsError(f"--engine ray: videoparts is {given} in the cluster and {__version__} here")
            answer = given
        return None if call is None else (call, answer)

    def is_waiting_long(self) -> bool:
        """Whether no actor has been started for long; said once."""
        if self._idle or self.is_busy or time.monotonic() < self._last_seen + _LONG:
            return False
        self._last_seen = float("inf")
        return True

    def _start(self) -> None:
        """One more actor. It is given something to do when it has told that it lives."""
        actor = self._actor.remote(*self._arguments, decode_apart=self._decode_apart)
        self._busy[actor.version.remote()] = actor, None


@contextmanager
def connected(address: str | None, cores: int, jobs: int) -> Iterator[Any]:
    """Ray, connected to a cluster. It says nothing of its own.

    Args:
        address: of the cluster; None: it is started here, and ends with the ``with``.
        cores: that such a one has; 0: those there are.
        jobs: that must find room in it.

    Raises:
        SettingsError: there is none, or it has other versions of Python and Ray.
    """
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    # Ray has its own ideas about what SIGTERM does; ours is to end in good order.
    terminate = signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack:
        if address is None:
            _set(**_ANY, **_LOOPBACK, **_SECRET)
            cores = cores or _cores()
            options |= {"num_cpus": max(cores, jobs), "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
            options |= {"_temp_dir": str(folder := _folder())}
            stack.enter_context(guarded(folder))
        else:
            _set(**_ANY, **(_LOOPBACK if _knock(address) else {}))
            options |= {"address": address}
        import ray

        try:
            with without_interrupt():  # a Ctrl-C is for this process, which ends the others
                ray.init(**options)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            where = "--engine ray" if address is None else f"--address {address}"
            raise SettingsError(f"{where}: no cluster can be used there: {_first(error)}") from error
        finally:
            signal.signal(signal.SIGTERM, terminate)
        stack.callback(ray.shutdown)
        yield ray


def _set(**variables: str) -> None:
    """Set environment variables that the user has not set."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _knock(address: str) -> bool:
    """See whether anyone is there: Ray would try for long, and not in silence.

    Returns:
        Whether it is a cluster of this machine alone.

    Raises:
        SettingsError: nobody is there.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host:
        return False  # "auto" and the like
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
    except (OSError, ValueError, OverflowError) as error:
        raise SettingsError(f"--address {address}: nobody is there ({error}); start a cluster with ray start") from None
    return host in ("127.0.0.1", "localhost")


def _folder() -> Path:
    """A new folder for what Ray keeps of a local cluster."""
    parent = tempfile.gettempdir()
    if len(parent) > _LONGEST and Path("/tmp").is_dir():
        parent = "/tmp"
    return Path(tempfile.mkdtemp(prefix="videoparts-ray-", dir=parent))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _for_nodes(batch: BatchOptions) -> BatchOptions:
    """The command as it is understood in another folder."""
    weights = batch.compute.weights
    return batch if weights is None else replace(batch, compute=replace(batch.compute, weights=weights.absolute()))


def _first(error: Exception) -> str:
    """The first line of a message."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)

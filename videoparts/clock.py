"""Where the time of a run goes: busy seconds a stage, added up from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from .stream import close

T = TypeVar("T")


class StageClock:
    """Adds up how long each named stage was at work. Stages of different threads overlap, so that the sum may
    exceed the wall time.

    >>> clock = StageClock()
    >>> with clock.stage("decode"):
    ...     pass
    >>> list(clock.seconds)
    ['decode']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time spent inside the ``with`` to ``name``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._add(name, time.perf_counter() - start)

    def timed(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """``items``, with the time that each takes to come counted to ``name``."""
        iterator = iter(items)
        try:
            while True:
                with self.stage(name):
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                yield item
        finally:
            close(iterator)

    def _add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

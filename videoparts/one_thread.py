"""Sums that do not depend on the number of a machine's cores. The only file that knows threadpoolctl."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

from .stream import beside, ordered

T = TypeVar("T")
R = TypeVar("R")

_MOST_WORKERS = 8  # each takes some memory
_inside = threading.RLock()
_cores = 1  # torch's threads, where who is inside came from


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch and the linear algebra of numpy work on one thread.

    On several, each adds up a share, and how the shares are cut changes the rounding: from there on, clusters, a probe
    and parts are others. Nor would threads be of use: for products of our size they mostly wait for one another. On two
    cores, finding the object takes 2.4 times the CPU time with two threads, and on a busy machine longer too.

    What limits numpy limits it in the whole process: one thread at a time is let in. It may enter twice. What can be
    done beside something else goes to `each_on_one_thread`.
    """
    global _cores
    threads = torch.get_num_threads()
    with _inside, threadpool_limits(1, user_api="blas"):
        before = _cores
        _cores = max(before, threads)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            _cores = before
            torch.set_num_threads(threads)


def each_on_one_thread(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """``function`` of every item, several at a time: each on one thread, so that the cores are used and the results are
    the same. Inside `one_thread` only; ``function`` must not enter it again."""
    workers = max(1, min(_cores, len(items), _MOST_WORKERS))
    return list(ordered(function, items, workers, lambda: torch.set_num_threads(1)))


@contextmanager
def meanwhile(function: Callable[[], R]) -> Iterator[Future[R]]:
    """``function`` at work on one thread beside the block, whose end waits for it. Inside `one_thread` only;
    ``function`` must not enter it again."""
    with beside(function, lambda: torch.set_num_threads(1)) as result:
        yield result

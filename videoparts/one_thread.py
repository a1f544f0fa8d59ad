"""Sums that do not depend on the number of a machine's cores. The only file that knows threadpoolctl."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

_inside = threading.RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch and the linear algebra of numpy work on one thread.

    On several, each adds up a share, and how the shares are cut changes the rounding: from there on, clusters, a probe
    and parts are others. Nor would threads be of use: for products of our size they mostly wait for one another. On two
    cores, finding the object takes 2.4 times the CPU time with two threads, and on a busy machine longer too.

    What limits numpy limits it in the whole process: one thread at a time is let in. It may enter twice.
    """
    threads = torch.get_num_threads()
    with _inside, threadpool_limits(1, user_api="blas"):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

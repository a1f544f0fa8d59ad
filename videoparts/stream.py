"""All concurrency of the library: a bounded background thread between two stages, several frames at a time, and one
call beside others."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE = 2.0  # seconds that a closed stage may take to end


def close(items: Iterable[object]) -> None:
    """Close a generator. What cannot be closed, such as a list, is left alone.

    A generator is closed by the thread that draws it: from another it fails while an item is being made.
    """
    closes = getattr(items, "close", None)
    if closes is not None:
        closes()


def mapped(function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """``map(function, items)``; closing it closes ``items``."""
    try:
        yield from map(function, items)
    finally:
        close(items)


def prefetch(items: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """Draw ``items`` in a background thread, at most ``depth`` ahead of the consumer.

    The contract:

    - order is kept, every item comes once;
    - an exception in ``items`` is raised here, after the items before it;
    - closing this generator (or leaving its loop) stops the thread after the item it is at and closes ``items`` in
      that thread; it waits for that, but no longer than two seconds, so that Ctrl-C ends a run whose item takes long;
    - nothing runs before the first item is asked for.

    Args:
        items: drawn and closed in the background thread only.
        depth: items that may wait, at least 1. One more may be in the making.

    Raises:
        ValueError: ``depth`` is less than 1.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    return _prefetch(items, depth)


def _prefetch(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    waiting: queue.Queue[tuple[T] | None] = queue.Queue(depth)
    stop = threading.Event()
    failure: list[BaseException] = []

    def offer(item: tuple[T] | None) -> bool:
        # A bounded put that never waits for a consumer that has gone.
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def draw() -> None:
        iterator: Iterator[T] | None = None
        try:
            iterator = iter(items)
            for item in iterator:
                if not offer((item,)):
                    break
        except BaseException as error:  # handed to the consumer, whatever it is
            failure.append(error)
        finally:
            try:
                if iterator is not None:
                    close(iterator)
            except BaseException as error:
                failure.append(error)
            offer(None)

    thread = threading.Thread(target=draw, name="videoparts-prefetch", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            yield item[0]
    finally:
        stop.set()
        thread.join(_PATIENCE)
    if failure:
        raise failure[0]


def ordered(
    function: Callable[[T], R], items: Iterable[T], workers: int, start: Callable[[], None] | None = None
) -> Generator[R, None, None]:
    """``map(function, items)`` in ``workers`` threads, results in the order of the items.

    The contract:

    - ``items`` are drawn in the consumer's thread, at most ``workers`` ahead of the result that it waits for;
    - an exception of ``function`` is raised in its item's place, one of ``items`` after the results before it;
    - closing this generator lets the calls at work end, and starts no other.

    Args:
        function: called in several threads at once.
        items: drawn as needed; closing them is the caller's.
        workers: threads, at least 1. With 1, everything runs in the consumer's thread.
        start: called once in each thread; not with 1 worker.
    """
    if workers == 1:
        for item in items:
            yield function(item)
        return
    waiting: deque[Future[R]] = deque()
    iterator = iter(items)
    failure: BaseException | None = None
    pool = ThreadPoolExecutor(workers, "videoparts-worker", start)
    try:
        while True:
            try:
                item = next(iterator)
            except StopIteration:
                break
            except BaseException as error:  # raised below, after the results before it
                failure = error
                break
            waiting.append(pool.submit(function, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failure is not None:
        raise failure


@contextmanager
def beside(function: Callable[[], R], start: Callable[[], None] | None = None) -> Iterator[Future[R]]:
    """Call ``function`` in a thread of its own, beside the block. The block's end waits for it.

    Args:
        function: what it raises is raised by ``result()`` of what the block is given.
        start: called first in that thread.
    """
    with ThreadPoolExecutor(1, "videoparts-beside", start) as pool:
        yield pool.submit(function)

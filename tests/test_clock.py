from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from videoparts.clock import StageClock


def test_stages_add_up() -> None:
    clock = StageClock()
    for _ in range(2):
        with clock.stage("a"):
            time.sleep(0.02)
    with clock.stage("b"):
        pass
    assert clock.seconds["a"] >= 0.04
    assert clock.seconds["b"] < clock.seconds["a"]


def test_a_stage_that_raises_is_counted() -> None:
    clock = StageClock()

    def work() -> None:
        with clock.stage("a"):
            time.sleep(0.02)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert clock.seconds["a"] >= 0.02


def test_timed_counts_the_making_of_items_and_not_their_use() -> None:
    def items() -> Iterator[int]:
        for i in range(3):
            time.sleep(0.01)
            yield i

    clock = StageClock()
    found = []
    for item in clock.timed("a", items()):
        time.sleep(0.1)
        found.append(item)
    assert found == [0, 1, 2]
    assert 0.03 <= clock.seconds["a"] < 0.3  # which their use takes


def test_timed_closes_what_it_draws_from() -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            closed.append(True)

    timed = StageClock().timed("a", items())
    next(timed)
    timed.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_timed_passes_errors_on() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        list(StageClock().timed("a", items()))


class SlowDict(dict[str, float]):
    """Lets other threads in between reading and writing, where a lock does not keep them out."""

    def get(self, *args: Any) -> Any:
        found = super().get(*args)
        time.sleep(0.001)
        return found


def test_threads_may_share_a_clock() -> None:
    clock = StageClock()
    clock.seconds = SlowDict()

    def work() -> None:
        for _ in range(10):
            clock._add("a", 1.0)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert clock.seconds["a"] == 40

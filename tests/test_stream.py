from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from videoparts.stream import beside, ordered, prefetch

NAME = "videoparts-prefetch"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


class Counter:
    """Counts from 0 and takes notes: how far it is, and in which thread it was drawn and closed."""

    def __init__(self, stop: int, error: BaseException | None = None) -> None:
        self.stop, self.error = stop, error
        self.drawn = 0
        self.closed_in: list[threading.Thread] = []
        self.drawn_in: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[int]:
        try:
            for i in range(self.stop):
                self.drawn += 1
                self.drawn_in.add(threading.current_thread())
                yield i
            if self.error is not None:
                raise self.error
        finally:
            self.closed_in.append(threading.current_thread())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert threads() == []


def settled(counter: Counter) -> int:
    """How many items were drawn, once no more are."""
    before = -1
    while before != counter.drawn:
        before = counter.drawn
        time.sleep(0.15)
    return before


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_order_is_kept_and_every_item_comes_once(count: int, depth: int) -> None:
    counter = Counter(count)
    assert list(prefetch(counter, depth)) == list(range(count))
    assert len(counter.closed_in) == 1


def test_items_are_drawn_in_one_other_thread() -> None:
    counter = Counter(5)
    assert list(prefetch(counter)) == [0, 1, 2, 3, 4]
    assert {thread.name for thread in counter.drawn_in} == {NAME}
    assert set(counter.closed_in) == counter.drawn_in


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_comes_after_the_items_before_it(error: BaseException) -> None:
    stream = prefetch(Counter(3, error), depth=8)
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(type(error)) as caught:
        next(stream)
    assert caught.value is error
    with pytest.raises(StopIteration):
        next(stream)


def test_an_exception_before_the_first_item_comes_too() -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise OSError("cannot be opened")

    result: list[BaseException] = []

    def draw() -> None:
        try:
            list(prefetch(Broken()))
        except OSError as error:
            result.append(error)

    consumer = threading.Thread(target=draw, daemon=True)  # a hang must fail here, not hang the tests
    consumer.start()
    consumer.join(5)
    assert not consumer.is_alive()
    assert str(result[0]) == "cannot be opened"


def test_an_exception_while_closing_comes_after_all_items() -> None:
    def items() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise OSError("cannot be closed")

    stream = prefetch(items())
    assert next(stream) == 1
    with pytest.raises(OSError, match="cannot be closed"):
        next(stream)


@pytest.mark.parametrize("depth", [1, 3])
def test_it_runs_ahead_no_further_than_its_depth(depth: int) -> None:
    counter = Counter(100)
    stream = prefetch(counter, depth)
    for taken in (1, 2, 3):
        next(stream)
        assert settled(counter) == taken + depth + 1  # waiting, and one in the making
    stream.close()


def test_nothing_runs_before_the_first_item_is_asked_for() -> None:
    counter = Counter(3)
    stream = prefetch(counter)
    assert settled(counter) == 0
    assert threads() == []
    stream.close()
    assert counter.closed_in == []


def test_closing_early_closes_the_items_in_their_thread_and_ends_it() -> None:
    counter = Counter(1000)
    items = iter(counter)  # held here, so that nothing but a call closes it
    stream = prefetch(items)
    next(stream)
    (thread,) = threads()
    stream.close()
    assert not thread.is_alive()
    assert counter.closed_in == [thread]
    assert counter.drawn < 10


def test_leaving_the_loop_by_an_exception_does_the_same() -> None:
    counter = Counter(1000)

    def consume() -> None:
        for item in prefetch(counter):
            if item == 2:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert len(counter.closed_in) == 1


def test_closing_waits_for_the_item_in_the_making() -> None:
    done = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        time.sleep(0.2)
        done.set()
        yield 1

    stream = prefetch(items())
    next(stream)
    stream.close()
    assert done.is_set()


def test_closing_the_last_of_two_stages_ends_both() -> None:
    counter = Counter(1000)

    def doubled() -> Iterator[int]:
        for item in prefetch(counter):
            yield 2 * item

    last = prefetch(doubled())
    assert [next(last), next(last)] == [0, 2]
    assert len(threads()) == 2
    last.close()
    assert threads() == []
    assert len(counter.closed_in) == 1


def test_the_next_item_is_made_while_one_is_in_use() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        made.set()
        yield 1

    stream = prefetch(items())
    assert next(stream) == 0
    assert made.wait(5)
    stream.close()


@pytest.mark.parametrize("depth", [0, -1])
def test_a_depth_below_one_is_refused_at_once(depth: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        prefetch([1], depth)


def slowly(i: int) -> int:
    time.sleep(0.02 * (3 - i % 4))
    if i == 99:
        raise KeyError(i)
    return i * i


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_ordered_is_map_in_order(workers: int) -> None:
    assert list(ordered(slowly, range(12), workers)) == [i * i for i in range(12)]


def test_ordered_works_on_several_at_once() -> None:
    meeting = threading.Barrier(3, timeout=5)
    assert len(list(ordered(lambda _: meeting.wait(), range(6), 3))) == 6


@pytest.mark.parametrize("workers", [1, 3])
def test_ordered_raises_in_the_place_of_the_item(workers: int) -> None:
    results = ordered(slowly, [1, 2, 99, 3], workers)
    assert [next(results), next(results)] == [1, 4]
    with pytest.raises(KeyError):
        next(results)


@pytest.mark.parametrize("workers", [1, 3])
def test_ordered_gives_what_came_before_an_error_of_the_items(workers: int) -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("no more")

    results = ordered(slowly, items(), workers)
    assert [next(results), next(results)] == [1, 4]
    with pytest.raises(LookupError):
        next(results)


def test_ordered_draws_only_a_little_ahead() -> None:
    counter = Counter(100)
    results = ordered(lambda i: i, counter, 3)
    next(results)
    assert counter.drawn <= 4
    results.close()


def test_ordered_leaves_no_thread_when_it_is_closed() -> None:
    before = threading.active_count()
    results = ordered(slowly, range(100), 4)
    next(results)
    results.close()
    assert threading.active_count() == before


def test_ordered_starts_each_thread_once() -> None:
    started: list[str] = []
    list(ordered(slowly, range(8), 2, lambda: started.append(threading.current_thread().name)))
    assert len(started) == len(set(started)) <= 2


def test_the_end_of_the_block_waits_for_what_is_beside_it() -> None:
    before = threading.active_count()
    with beside(lambda: slowly(1)) as result:
        pass
    assert result.done()
    assert threading.active_count() == before


def test_an_error_of_what_is_beside_the_block_comes_with_its_result() -> None:
    with beside(lambda: 1 // 0) as result:
        pass
    with pytest.raises(ZeroDivisionError):
        result.result()


def test_an_error_of_the_block_comes_out_once_what_is_beside_it_has_ended() -> None:
    ended = threading.Event()
    with pytest.raises(RuntimeError, match="of the block"), beside(lambda: (slowly(1), ended.set())):
        raise RuntimeError("of the block")
    assert ended.is_set()

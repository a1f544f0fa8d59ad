"""Linear algebra on one thread, whatever the machine has."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from videoparts.one_thread import each_on_one_thread, meanwhile, one_thread


@pytest.fixture(autouse=True)
def several() -> Iterator[None]:
    """Two threads each, on a machine with one core too."""
    torch.set_num_threads(2)
    with threadpool_limits(2, user_api="blas"):
        yield
    torch.set_num_threads(1)


def threads_of_numpy() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_torch_and_numpy_have_one_thread_inside_and_all_of_theirs_after() -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
        with one_thread():
            pass
        assert torch.get_num_threads() == 1
        assert threads_of_numpy() == {1}
    assert torch.get_num_threads() == 2
    assert threads_of_numpy() == {2}


def test_an_error_ends_it() -> None:
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert torch.get_num_threads() == 2
    assert threads_of_numpy() == {2}


def test_another_thread_waits_until_this_one_has_left() -> None:
    entered = threading.Event()

    def enter() -> None:
        with one_thread():
            entered.set()

    other = threading.Thread(target=enter)
    with one_thread():
        other.start()
        assert not entered.wait(0.2)
        assert threads_of_numpy() == {1}
    assert entered.wait(60)
    other.join()


def test_what_is_done_beside_something_else_has_one_thread_each_and_keeps_its_order() -> None:
    together = threading.Barrier(2, timeout=60)

    def look(item: int) -> tuple[int, int, int]:
        together.wait()  # passes only where two are at work
        return item, torch.get_num_threads(), threading.get_ident()

    with one_thread():
        seen = each_on_one_thread(look, range(6))
        assert torch.get_num_threads() == 1
        with one_thread():
            assert [item for item, _, _ in each_on_one_thread(look, range(4))] == [0, 1, 2, 3]
    assert [item for item, _, _ in seen] == list(range(6))
    assert {threads for _, threads, _ in seen} == {1}
    assert threading.get_ident() not in {ident for _, _, ident in seen}
    assert torch.get_num_threads() == 2


def test_on_one_core_it_is_done_here() -> None:
    torch.set_num_threads(1)
    with one_thread():
        assert each_on_one_thread(lambda _: threading.get_ident(), range(3)) == [threading.get_ident()] * 3


def test_an_error_of_one_of_several_comes_out() -> None:
    with one_thread(), pytest.raises(ZeroDivisionError):
        each_on_one_thread(lambda item: 1 // (item - 2), range(5))
    assert torch.get_num_threads() == 2


def test_what_is_done_meanwhile_has_one_thread_of_its_own() -> None:
    met = threading.Barrier(2, timeout=60)

    def look() -> tuple[int, int]:
        met.wait()  # passes only while the block is at work
        return torch.get_num_threads(), threading.get_ident()

    with one_thread(), meanwhile(look) as seen:
        met.wait()
    threads, ident = seen.result()
    assert threads == 1
    assert ident != threading.get_ident()
    assert torch.get_num_threads() == 2

"""Memory that is free, and that the C library would rather keep."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Return freed memory to the system, where the C library can.

    Threads that come and go leave theirs in pieces, so that a process grows though it holds no more than before.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

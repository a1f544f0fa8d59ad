"""The standard streams of a command: closed by its caller, as daemons and ``2>&-`` do, or leading to where
nothing can be written."""

from __future__ import annotations

import os
import sys


def require_standard_streams() -> None:
    """Let the streams that are closed lead nowhere.

    Python has None in their place, which cannot be written to. And the next file that is opened would get the number of
    a closed one: FFmpeg, which writes its warnings to number 2, would write them into a video.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            _lead_nowhere(number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def discard_output() -> None:
    """Let standard output lead nowhere: what is still to be written to it would fail again as Python ends."""
    _lead_nowhere(1)


def _lead_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)

"""Decord in a process of its own: ``python -m videoparts.sources.decord_worker``.

Started and spoken to by `decord_reader`. Decord can hang where no exception and no signal handler reaches it, so
that only ending its process stops it; and it decodes ahead without bound, so that only stopping its process slows it.

One JSON object a line comes in on standard input::

    {"open": path, "margin": bytes, "patience": seconds}    first
    {"frames": [...], "key": k, "seek": bool}               then, any number of times: frames at increasing positions

Answers go out on standard output as a letter, a length (8 bytes, little endian), and so many bytes: ``O`` with JSON
(frames, height, width), ``F`` with the RGB bytes of one frame, ``E`` with a message, after which the process ends.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from bisect import bisect_right
from pathlib import Path
from typing import Any, BinaryIO

from ..freed_memory import give_back

HEADER = struct.Struct("<cQ")
_STATM = Path("/proc/self/statm")
# After throwing away what decord has decoded ahead, at least this many frames pass before it is done again, so that
# a file whose frames are larger than the margin still gets on.
_FRAMES_BETWEEN_FLUSHES = 32


class Decord:
    """Random access that decord gets right, over its reader that does not."""

    def __init__(self, path: str, margin: int) -> None:
        import decord

        decord.logging.set_level(decord.logging.FATAL)
        # Decord would repeat the frame before for one that it cannot decode; with this it fails instead.
        self.reader: Any = decord.VideoReader(path, num_threads=0, fault_tol=1)
        self.intervals: list[int] = self.reader.get_key_indices()
        self.at = 0  # position of the frame that next() gives
        self.since_flush = 0
        self.first: Any = self.reader.next().asnumpy()
        self.at = 1
        self.ceiling = (_resident() or 0) + max(margin, 24 * int(self.first.nbytes))

    def prepare(self, key: int, seek: bool, wanted: int) -> None:
        """Go to key frame ``key`` on the way to ``wanted`` if asked, or if decord holds too many frames."""
        if not (seek or (self.since_flush >= _FRAMES_BETWEEN_FLUSHES and self._holds_too_much())):
            return
        self.reader.seek(0)  # clears decord's queues
        give_back()
        self.reader.seek_accurate(key)
        self.at = key
        self.since_flush = 0
        if wanted > key:
            # Decord has the key frame in hand now, and would give it again if it were sought past.
            self.reader.next()
            self.at += 1

    def _holds_too_much(self) -> bool:
        resident = _resident()
        # What cannot be measured is taken for too much.
        return resident is None or resident > self.ceiling

    def frame(self, wanted: int) -> Any:
        """(H, W, 3) uint8 of the frame at ``wanted``, which must not lie behind."""
        while self.at < wanted:
            if bisect_right(self.intervals, wanted) == bisect_right(self.intervals, self.at):
                self.reader.seek_accurate(wanted)  # within an interval it only passes over frames
                self.at = wanted
            else:
                # Across a key frame it would seek, and land on a wrong frame where groups of pictures are open.
                self.reader.next()
                self.at += 1
        frame = self.reader.next().asnumpy()
        self.at += 1
        self.since_flush += 1
        return frame


def _resident() -> int | None:
    """Bytes of memory in use; None where the system has no /proc."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _send(out: int, letter: bytes, body: bytes | memoryview) -> None:
    for view in (memoryview(HEADER.pack(letter, len(body))), memoryview(body)):
        sent = 0
        while sent < len(view):
            sent += os.write(out, view[sent:])


def _serve(commands: BinaryIO, out: int) -> None:
    opening = json.loads(commands.readline())
    # The system ends this process when a command takes too long, even if the parent is gone by then.
    patience = float(opening["patience"])
    signal.setitimer(signal.ITIMER_REAL, patience)
    decord = Decord(opening["open"], int(opening["margin"]))
    height, width = decord.first.shape[:2]
    facts = {"frames": len(decord.reader), "height": height, "width": width}
    signal.setitimer(signal.ITIMER_REAL, 0)
    _send(out, b"O", json.dumps(facts).encode())
    while True:
        line = commands.readline()
        if not line:
            return
        signal.setitimer(signal.ITIMER_REAL, patience)
        command = json.loads(line)
        # The first frame was decoded to open the file; it need not be decoded again.
        fresh = decord.at == 1 and decord.since_flush == 0 and not command["seek"]
        wanted = command["frames"]
        if fresh and wanted[0] == 0:
            if len(wanted) == 1:
                signal.setitimer(signal.ITIMER_REAL, 0)
            _send(out, b"F", memoryview(decord.first).cast("B"))
            wanted = wanted[1:]
            decord.since_flush += 1
        if wanted:
            decord.prepare(command["key"], command["seek"], wanted[0])
        for position in wanted:
            frame = memoryview(decord.frame(position)).cast("B")
            # Before the last answer, not after it: who has it may stop this process at once, for a long time.
            if position == wanted[-1]:
                signal.setitimer(signal.ITIMER_REAL, 0)
            _send(out, b"F", frame)


def main() -> None:
    """Serve until standard input ends."""
    # A group of its own keeps Ctrl-C of the terminal away, and lets the system end this process (SIGHUP) when it is
    # stopped and its parent dies.
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # What a library prints must not mix with the frames.
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        _serve(sys.stdin.buffer, out)
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        _send(out, b"E", lines[0].encode())
    sys.stdout.flush()
    # Decord's threads may never end; the process shall.
    os._exit(0)


if __name__ == "__main__":
    main()

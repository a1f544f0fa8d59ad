"""Decord as a source. It works in another process, because it can hang and knows no bound to its memory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..active_area import ActiveArea
from ..errors import DecoderHangError, SourceError
from ..files.ffmpeg_name import ffmpeg_name
from ..frames import Pixels, VideoInfo
from .decord_worker import HEADER
from .index import VideoIndex
from .reading import VideoFile

WORKER = (sys.executable, "-m", "videoparts.sources.decord_worker")
"""The command of the worker. Tests put another in its place."""

# Bytes by which the worker may grow while it decodes ahead, and bytes of frames asked for at once.
_MARGIN = 320 << 20
_REQUEST = 64 << 20
# A seek costs decord two restarts of its threads.
_WORTH_A_SEEK = 16
_SLICE = 0.5


class DecordError(SourceError):
    """Decord fails on a file.

    Args:
        path: the file.
        what: what happens, with its cause.
        reason: the same for a note that PyAV takes over.
    """

    def __init__(self, path: Path, what: str, reason: str) -> None:
        super().__init__(f"{path}: {what}; try --decoder pyav")
        self.reason = reason


def unavailable() -> str | None:
    """Why decord cannot be used on this machine; None if it can."""
    if os.name != "posix":
        return "its memory can only be bounded on Linux and macOS"
    if find_spec("decord") is None:
        return "it is not installed"
    return None


class DecordWorker:
    """A child process that decodes one file with decord. Stopped (SIGSTOP) whenever it is not asked for frames.

    Args:
        path: the video.
        timeout: seconds without any answer after which the worker counts as hung.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        root = str(Path(__file__).parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._path, self._timeout = path, timeout
        self._child = subprocess.Popen(
            WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._commands, self._answers = self._child.stdin, self._child.stdout
        self._size = (0, 0)
        with contextlib.suppress(ImportError, AttributeError, OSError):
            import fcntl

            fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, 1 << 20)
        self._command({"open": ffmpeg_name(path), "margin": _MARGIN, "patience": 2 * timeout + 5})

    def opened(self) -> tuple[int, int, int]:
        """Frames, height, width, as decord sees them. Waits until the file is open.

        Raises:
            SourceError: decord cannot open it.
            DecoderHangError: it does not answer.
        """
        facts = json.loads(bytes(self._answer(b"O")))
        self._size = (facts["height"], facts["width"])
        self._pause()
        return facts["frames"], *self._size

    def frames(self, positions: Sequence[int], key: int, seek: bool) -> Iterator[Pixels]:
        """Frames at increasing positions, each (H, W, 3) uint8; from key frame ``key`` on if ``seek``.

        Raises:
            SourceError, DecoderHangError: as above.
        """
        self._child.send_signal(signal.SIGCONT)
        self._command({"frames": list(positions), "key": key, "seek": seek})
        answers = [self._answer(b"F") for _ in positions]
        self._pause()
        height, width = self._size
        for answer in answers:
            if len(answer) != height * width * 3:  # seen of frames of 16 x 16
                what = "decord gives frames of another size than it says"
                raise DecordError(self._path, what, what)
            yield np.frombuffer(answer, np.uint8).reshape(height, width, 3)

    def close(self) -> None:
        """End the process. Returns when it has ended."""
        self._child.kill()
        self._child.wait()
        with contextlib.suppress(OSError):
            self._commands.close()
        self._answers.close()

    def _pause(self) -> None:
        self._child.send_signal(signal.SIGSTOP)

    def _command(self, command: dict[str, object]) -> None:
        # A worker that has ended is found out when its answer is read.
        with contextlib.suppress(BrokenPipeError):
            self._commands.write(json.dumps(command).encode() + b"\n")
            self._commands.flush()

    def _answer(self, wanted: bytes) -> memoryview:
        letter, length = HEADER.unpack(bytes(self._read(HEADER.size)))
        body = self._read(length)
        if letter != wanted:
            # Decord's messages begin with a time and a line of its source.
            why = re.sub(r"^\[[\d:]+\] \S+:\d+: ", "", bytes(body).decode(errors="replace"))
            raise DecordError(self._path, f"decord failed ({why})", "decord cannot open it")
        return body

    def _read(self, length: int) -> memoryview:
        body, got = np.empty(length, np.uint8).data, 0  # a bytearray would be filled with zeros first
        while got < length:
            self._wait()
            read = os.readv(self._answers.fileno(), [body[got:]])
            if read == 0:
                raise DecordError(self._path, "decord's process ended unexpectedly", "decord crashed on it")
            got += read
        return body

    def _wait(self) -> None:
        # In slices, each counted as it ends: a laptop that slept or a job that was suspended is no hang.
        poll = select.poll()
        poll.register(self._answers.fileno(), select.POLLIN | select.POLLHUP)
        left = self._timeout
        while not poll.poll(1000 * min(left, _SLICE)):
            left -= _SLICE
            if left <= 0:
                raise DecoderHangError(
                    f"{self._path}: decord gave no frame within {self._timeout:g} seconds; try --decoder pyav"
                )


class DecordVideo(VideoFile):
    """Decodes with decord. Memory: the worker's margin, and one request of frames.

    Args:
        reference: the same file in another reader.
        timeout: seconds without any answer after which the worker counts as hung.
    """

    decoder = "decord"

    def __init__(self, reference: VideoFile, timeout: float) -> None:
        super().__init__(reference.path, reference.info, reference.index, reference.selected)
        self._notes |= reference._notes
        self._reference, self._timeout = reference, timeout

    def find_area(self) -> ActiveArea | None:
        """See `VideoFile.find_area`. Found by the other reader: for one frame, decord's process would be begun."""
        return self._reference.find_area()

    def decode(self, positions: Sequence[int], size: int) -> Generator[tuple[int, Pixels], None, None]:
        """See `VideoFile.decode`."""
        worker = DecordWorker(self.path, self._timeout)
        try:
            worker.opened()
            for position, frame in walk(worker, self.index, positions, self._request(size)):
                yield position, mirrored(frame, self.info)
        finally:
            worker.close()

    def _request(self, size: int) -> int:
        return max(1, min(size, _REQUEST // (3 * self.info.height * self.info.width)))


def mirrored(frame: Pixels, info: VideoInfo) -> Pixels:
    """A frame of decord as players show it: decord turns it, by an angle in which the mirror is not counted."""
    if not info.mirrored:
        return frame
    return frame[:, ::-1] if info.rotation in (90, 270) else frame[::-1]


def walk(
    worker: DecordWorker, index: VideoIndex, positions: Sequence[int], request: int
) -> Iterator[tuple[int, Pixels]]:
    """Frames at increasing positions from an open worker, ``request`` frames asked for at once."""
    at = 0
    start = 0
    while start < len(positions):
        key = index.clean_key_before(positions[start])
        seek = key - at > _WORTH_A_SEEK
        stop = start + 1
        while stop < min(start + request, len(positions)):
            before, position = positions[stop - 1], positions[stop]
            if index.clean_key_before(position) - before > _WORTH_A_SEEK:
                break  # a seek of its own
            stop += 1
        wanted = positions[start:stop]
        yield from zip(wanted, worker.frames(wanted, key, seek), strict=True)
        at, start = wanted[-1] + 1, stop

"""What a person sees while a command runs: progress bars, notes, and a table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from videoparts.clock import StageClock
from videoparts.counted import counted


class Terminal:
    """Writes for people to stderr; nothing of it is for programs to read.

    Args:
        quiet: only errors are said.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._start = time.perf_counter()
        self._said: set[str] = set()

    @contextmanager
    def bar(self, stage: str, total: int | None, unit: str = "frame") -> Iterator[Callable[[int], None]]:
        """A progress bar with rate and time left; silent where stderr is not a terminal. Gives what advances it."""
        silent = self._quiet or not sys.stderr.isatty()
        with tqdm(total=total, desc=stage, unit=unit, disable=silent, dynamic_ncols=True) as bar:
            yield bar.update

    def note(self, *lines: str) -> None:
        """Say lines that the user should know, each once."""
        for line in lines:
            if not self._quiet and line not in self._said:
                self._said.add(line)
                tqdm.write(f"note: {line}", file=sys.stderr)

    def kept(self, frames: int) -> None:
        """Say how many frames are labelled already."""
        self.note(f"{frames} frames are labelled already, by an earlier run")

    def say(self, *lines: str) -> None:
        """Say lines."""
        if not self._quiet:
            for line in lines:
                tqdm.write(line, file=sys.stderr)

    def insist(self, *lines: str) -> None:
        """Say lines that are errors, even if quiet."""
        for line in lines:
            tqdm.write(" ".join(line.split()), file=sys.stderr)

    def times(self, clock: StageClock, count: int, unit: str = "frame") -> None:
        """A table of where the time went, the rate and the peak of memory."""
        wall = time.perf_counter() - self._start
        busy = sum(clock.seconds.values())
        rows = [f"  {name:<10}{seconds:8.1f} s {seconds / busy:6.0%}" for name, seconds in clock.seconds.items()]
        self.say("stage         busy     share   (stages overlap: their sum may exceed the wall time)", *rows)
        memory = f", peak memory {peak / 2**20:.0f} MiB" if (peak := peak_memory()) else ""
        self.say(f"{counted(count, unit)} in {wall:.1f} s, {count / wall:.2f} {unit}s a second{memory}")


def peak_memory() -> int | None:
    """The most bytes that this process has held, without a decoder's own process; None where that is not told."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

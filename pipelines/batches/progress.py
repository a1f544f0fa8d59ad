"""What is seen of a batch while it runs: a bar a clip and one for all, lines, or JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Protocol

from tqdm import tqdm

from ..standard_streams import discard_output
from .events import Event

_NAME = 24  # characters of a clip's name beside its bar


class Progress(Protocol):
    """Is told everything that happens."""

    def show(self, event: Event) -> None:
        """One thing that has happened."""
        ...

    def close(self) -> None:
        """Take away what was there for the time of the run."""
        ...


class Nothing:
    """Nothing is seen."""

    def show(self, event: Event) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class JsonLines:
    """A JSON object a line on standard output, for programs."""

    def show(self, event: Event) -> None:
        """Write the event with those of its fields that say something."""
        self.write({name: value for name, value in asdict(event).items() if value not in ("", None)})

    def write(self, about: Mapping[str, object]) -> None:
        """Write any object. Where the reader has gone, as in ``| head -1``, nothing is written any more."""
        try:
            print(json.dumps(about), flush=True)
        except BrokenPipeError:
            discard_output()

    def close(self) -> None:
        """Nothing is there only for the time of the run."""


class Lines:
    """A line a clip that has ended, on standard error; on a terminal, bars of those at work too.

    Args:
        clips: how many there are to do.
        frames: how many they have, where that is known; it is the length of the bar of all.
    """

    def __init__(self, clips: int, frames: int | None) -> None:
        self._clips, self._ended = clips, 0
        self._bars: dict[str, tqdm[None]] = {}
        self._silent = not sys.stderr.isatty()
        self._whole = tqdm(
            total=frames, desc="all", unit="frame", disable=self._silent, dynamic_ncols=True, position=0, leave=False
        )

    def show(self, event: Event) -> None:
        """See the class."""
        name = event.clip or "all clips"
        if event.kind == "stage":
            self._close(event.clip)
            label = f"{event.stage} {_short(name)}"
            self._bars[event.clip] = tqdm(
                total=event.frames,
                desc=label,
                unit="frame",
                disable=self._silent,
                dynamic_ncols=True,
                position=self._free_position(),
                leave=False,
            )
        elif event.kind == "advanced":
            frames = event.frames or 0
            if event.clip in self._bars:
                self._bars[event.clip].update(frames)
            if event.stage == "label":
                self._whole.update(frames)
        elif event.kind == "note":
            self.say(f"note: {name}: {event.text}")
        elif event.kind in ("done", "failed"):
            self._close(event.clip)
            if event.clip:
                self._ended += 1
                self._whole.set_postfix_str(f"{self._ended} of {self._clips} clips", refresh=False)
            which = f"[{self._ended}/{self._clips}] " if event.clip else ""
            self.say(f"{which}{name}: {'done' if event.kind == 'done' else 'FAILED: ' + event.text}")

    def say(self, *lines: str) -> None:
        """Say lines above the bars."""
        for line in lines:
            tqdm.write(line.replace("\n", " "), file=sys.stderr)

    def close(self) -> None:
        """Take the bars away."""
        for name in list(self._bars):
            self._close(name)
        self._whole.close()

    def _free_position(self) -> int:
        taken = {bar.pos for bar in self._bars.values()}  # tqdm counts them downwards
        return next(k for k in range(1, len(taken) + 2) if -k not in taken)

    def _close(self, name: str) -> None:
        bar = self._bars.pop(name, None)
        if bar is not None:
            bar.close()


def _short(name: str) -> str:
    """As much of a name's end as fits beside a bar."""
    return name if len(name) <= _NAME else "…" + name[1 - _NAME :]

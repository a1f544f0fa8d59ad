"""``videoparts status``: how far a batch has come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from videoparts.errors import OutputError


@dataclass(frozen=True, kw_only=True)
class Status:
    """Say which clips of a batch are done, which have failed and why, and whether it is running now.

    The exit status is that of the batch: 1 where a clip has failed, also while others wait; 0 where none has.
    """

    output: tyro.conf.Positional[Path]
    """The folder that videoparts batch writes into."""
    json: bool = False
    """Say it as one JSON object, for programs."""

    def run(self) -> None:
        """Run the command."""
        from videoparts.files.lock import HOME, is_held

        from ..batches.begun import frames_begun
        from ..batches.journal import Journal
        from ..batches.plan import saved_clips
        from ..batches.run import failed_of

        journal = Journal(self.output)
        if journal.settings is None:
            raise OutputError(f"{self.output}: no batch is there; begin one: videoparts batch CLIPS -o {self.output}")
        running = is_held(self.output / HOME)
        planned = saved_clips(self.output)
        # A clip that has failed and was then taken away is no failure of the batch any more.
        entries = {
            name: entry for name, entry in journal.entries.items() if name in planned or entry.is_there(self.output)
        }
        clips = dict.fromkeys(entries) | planned
        done = {name: entry.frames for name, entry in entries.items() if entry.status == "done"}
        failed = {name: entry.error for name, entry in entries.items() if entry.status == "failed"}
        begun = {
            name: frames
            for name in clips
            if name not in entries and (frames := frames_begun(self.output, name, journal.settings))
        }
        waiting = [name for name in clips if name not in entries and name not in begun]
        if self.json:
            print(json.dumps({"running": running, "done": done, "failed": failed, "begun": begun, "waiting": waiting}))
        else:
            print(
                f"{len(done)} of {len(clips)} clips done ({sum(done.values())} frames), {len(failed)} failed, "
                f"{len(begun)} begun, {len(waiting)} waiting; {'running' if running else 'not running'}"
            )
            for name, frames in begun.items():
                print(f"  begun: {name}: {frames} of {clips[name] or 'an unknown number of'} frames")
            for name, error in failed.items():
                print(f"  failed: {name}: {error}")
        if failed:
            raise failed_of(len(failed), len(clips))

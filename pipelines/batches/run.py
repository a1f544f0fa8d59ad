"""One run of a batch: look at the inputs, do what is left to do, write down each clip's end, show the result."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videoparts import __version__
from videoparts.counted import counted
from videoparts.errors import ClipsFailedError, FitError, OutputError, SettingsError, SourceError
from videoparts.files.atomic import ensure_not_input, is_disk_full
from videoparts.files.transaction import refuse_foreign
from videoparts.sources.source_hash import source_sha256

from ..run_settings import NO_MATTER
from ..terminal import Terminal
from .engine import Engine
from .events import LAST, Event
from .inputs import find_clips
from .journal import Entry, Journal, Settings, differences, settings_key
from .plan import Plan, Planned, plan_of, save_clips
from .progress import JsonLines, Lines, Nothing, Progress
from .summary import CSV, PAGE, Row, write_summary
from .work import SHARED, Task

if TYPE_CHECKING:
    from .options import BatchOptions

_SUMMARY_EVERY = 10.0  # seconds between two looks that can be taken at a running batch, at least
_SUMMARY_SHARE = 0.05  # of the time that making them may take: of ten thousand clips, each takes half a minute


class BatchRun:
    """One run of a batch.

    Args:
        batch: the command.

    Raises:
        SettingsError: the output folder was begun with other settings.
        OutputError: its journal cannot be read.
    """

    def __init__(self, batch: BatchOptions) -> None:
        self._batch = batch
        self._terminal = Terminal(batch.quiet or batch.progress == "json")
        self._json = JsonLines() if batch.progress == "json" else None
        self._settings = settings_of(batch)
        self._journal = Journal(batch.output)
        self._ended_now: set[str] = set()  # clips that this run has brought to their end
        self._next_summary = 0.0  # when it may be written again
        before = self._journal.settings
        if before is not None and before != self._settings and not batch.redo:
            raise SettingsError(
                f"{batch.output} was begun with other settings: {'; '.join(differences(before, self._settings))}; give "
                "--redo to do every clip again, or choose another folder"
            )

    def plan(self, engine: Engine) -> Plan:
        """Find out what is to be done, and say it."""
        batch = self._batch
        given = self._journal.entries
        if batch.retry_failed and not given:
            raise SettingsError(f"--retry-failed: no batch has begun in {batch.output} yet; leave it out")
        taken = {entry.input: entry.clip for entry in given.values()}
        found = find_clips(batch.inputs, batch.output, listed=sys.stdin.buffer.read, taken=taken)
        with self._terminal.bar("look", len(found.clips), unit="clip") as advance:
            plan = plan_of(
                found.clips,
                found.skipped,
                {} if batch.redo else given,
                batch.output,
                batch.source,
                retry_failed=batch.retry_failed,
                advance=advance,
            )
        seconds = self._estimate(plan, engine)
        self._terminal.say(*plan.lines())
        if seconds is not None:
            each = f", {engine.jobs} at a time" if engine.jobs > 1 else ""
            self._terminal.say(f"about {_duration(seconds)}{each}: a frame of one clip was tried")
        if self._json is not None:
            self._json.write(plan.about() | {"seconds": seconds})
        if not found.clips:
            raise SourceError("there is no clip among the inputs: give video files and folders of frames")
        return plan

    def go(self, engine: Engine) -> None:
        """Plan, and do what is planned."""
        plan, batch = self.plan(engine), self._batch
        before = self._journal.settings
        self._refuse_foreign(before)
        if before != self._settings or batch.redo:
            if before is not None and before.get("shared_parts"):
                (batch.output / SHARED).unlink(missing_ok=True)  # of other settings
            self._journal.begin(self._settings, anew=batch.redo)
        else:
            self._journal.begin(self._settings)
        save_clips(batch.output, plan)
        for one in plan.of("done"):
            assert one.entry is not None
            if one.entry != self._journal.entries.get(one.clip.name):
                self._journal.add(one.entry)  # the same content, written again
        todo = plan.of("to do")
        progress = self._progress(plan)
        try:
            for one in plan.of("bad"):
                self._ended(plan, one, Event("failed", one.clip.name, text=one.error), progress)
            if todo and batch.shared_parts:
                self._fit(plan, engine, progress)
            planned = {one.clip.name: one for one in todo}
            for event in engine.run([Task("label", (one.clip,)) for one in todo]):
                _go_on(event)
                if event.kind in LAST:
                    self._ended(plan, planned[event.clip], event, progress)
                else:
                    progress.show(event)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped; {self._rest(todo)}") from None
        except OutputError as error:
            if not (isinstance(error, _FullError) or is_disk_full(error)):
                raise
            with suppress(OutputError):
                self._write_summary(plan)
            raise OutputError(f"{error}; {self._rest(todo)} once there is room") from error
        finally:
            progress.close()
        self._journal.sort([one.clip.name for one in plan.clips])
        self._write_summary(plan)
        self._tell_end(plan)

    def _refuse_foreign(self, before: Settings | None) -> None:
        """Leave alone what no batch has made, and the part model that is given, should it be that of a batch here."""
        shared, output = self._batch.output / SHARED, self._batch.output
        if self._batch.model_file is not None:
            ensure_not_input(shared, [self._batch.model_file])
        ours = [] if before is None else [PAGE, CSV]
        if before is not None and before.get("shared_parts"):
            ours.append(SHARED)
        wanted = [output / PAGE, output / CSV, *([shared] if self._batch.shared_parts else [])]
        refuse_foreign(output, wanted, ours)

    def _estimate(self, plan: Plan, engine: Engine) -> float | None:
        """About how many seconds the plan takes, from a few frames of its first clip."""
        todo = plan.of("to do")
        if not todo:
            return None
        events = [*engine.run([Task("measure", (todo[0].clip,))])]
        frame = next((event.seconds for event in events if event.seconds is not None), None)
        if frame is None:
            return None
        sampled = 0 if self._batch.model_file is not None else self._batch.fit.frames
        return plan.seconds(frame, todo[0], engine.jobs, keys=self._batch.refine.keys, sampled=sampled)

    def _fit(self, plan: Plan, engine: Engine, progress: Progress) -> None:
        """One part model of all clips, unless an earlier run has kept it."""
        path = self._batch.output / SHARED
        if path.exists():
            self._terminal.say(f"the parts are those of {path}, learned by an earlier run; --redo learns them anew")
            return
        for event in engine.run([Task("fit", tuple(one.clip for one in plan.of("to do", "done")))]):
            _go_on(event)
            progress.show(event)
            if event.kind == "failed":
                raise FitError(f"no part model of all clips: {event.text}")

    def _rest(self, todo: Sequence[Planned]) -> str:
        """What is left of what was to be done, and how many clips have failed before that."""
        entries = self._journal.entries
        failed = {name for name in self._ended_now if entries[name].status == "failed"}
        over = self._ended_now - failed if self._batch.retry_failed else self._ended_now  # who failed is taken again
        left = sum(one.clip.name not in over for one in todo)
        command = "the same command without --redo" if self._batch.redo else "the same command"
        first = f"{counted(len(failed), 'clip')} failed; " if failed else ""
        return f"{first}{command} goes on with {left} of {len(todo)} clips"

    def _ended(self, plan: Plan, one: Planned, event: Event, progress: Progress) -> None:
        """Write down how a clip has ended."""
        if event.kind == "failed":  # whoever has found that out, and be it that its process died
            with suppress(SourceError):
                event = replace(event, sha256=source_sha256(one.clip.path))
        self._journal.add(
            Entry(
                clip=one.clip.name,
                input=str(one.clip.path),
                stamp=one.stamp,
                sha256=event.sha256,
                settings=settings_key(self._settings),
                status="done" if event.kind == "done" else "failed",
                frames=event.frames or 0,
                error=event.text if event.kind == "failed" else "",
            )
        )
        self._ended_now.add(one.clip.name)  # once it is written down: else the next run does it again
        progress.show(event)
        if time.monotonic() > self._next_summary:
            self._write_summary(plan)

    def _write_summary(self, plan: Plan) -> None:
        start = time.monotonic()
        rows = []
        for one in plan.clips:
            entry = self._journal.entries.get(one.clip.name)
            status = "waiting" if entry is None else entry.status
            rows.append(Row(one.clip.name, one.clip.path, status, "" if entry is None else entry.error))
        rows += self._earlier({one.clip.name for one in plan.clips})
        write_summary(self._batch.output, rows, parts_shared=self._batch.shared_parts or bool(self._batch.model_file))
        end = time.monotonic()
        self._next_summary = end + max(_SUMMARY_EVERY, (end - start) / _SUMMARY_SHARE)

    def _earlier(self, planned: Collection[str]) -> list[Row]:
        """What this output folder has of other inputs, given to earlier runs: their clips belong to it too."""
        return [
            Row(entry.clip, Path(entry.input), entry.status, entry.error)
            for entry in self._journal.entries.values()
            if entry.clip not in planned and entry.is_there(self._batch.output)
        ]

    def _progress(self, plan: Plan) -> Progress:
        if self._json is not None:
            return self._json
        return Nothing() if self._batch.quiet else Lines(len(plan.of("to do", "bad")), plan.frames)

    def _tell_end(self, plan: Plan) -> None:
        entries = self._journal.entries
        named = [entries[one.clip.name] for one in plan.clips if one.clip.name in entries]
        failed = [entry for entry in named if entry.status == "failed"]
        if self._json is not None:
            self._json.write({"kind": "end", "done": len(named) - len(failed), "failed": [e.clip for e in failed]})
        for entry in failed if self._json is None else ():
            print(f"failed: {entry.clip}: {entry.error}", file=sys.stderr)  # an error: said even if quiet
        self._terminal.say(f"{len(named) - len(failed)} of {len(plan.clips)} clips are in {self._batch.output}")
        self._terminal.say(f"look at {self._batch.output / 'index.html'}")
        if failed:
            raise failed_of(len(failed), len(plan.clips))


def failed_of(failed: int, clips: int) -> ClipsFailedError:
    """What is said last where clips of a batch have failed."""
    return ClipsFailedError(
        f"{failed} of {clips} clips failed; once that is put right, --retry-failed takes them again"
    )


class _FullError(OutputError):
    """A worker's disk is full: every other clip would end in the same way."""


def _go_on(event: Event) -> None:
    if event.kind == "full":
        raise _FullError(event.text)


def settings_of(batch: BatchOptions) -> dict[str, Any]:
    """All that the results depend on, by option, as JSON has it."""
    flat: dict[str, Any] = {"videoparts version": __version__}
    for field in dataclasses.fields(batch):
        value = getattr(batch, field.name)
        if dataclasses.is_dataclass(value):
            flat |= asdict(value)  # type: ignore[arg-type]  # an instance, not a class
        else:
            flat[field.name] = value
    for name in (*_OF_THE_RUN, *NO_MATTER):
        del flat[name]
    files = ("model_file", "weights")
    for name in files:
        flat[name] = None if flat[name] is None else source_sha256(flat[name])
    return {name: list(value) if isinstance(value, tuple) else value for name, value in flat.items()}


_OF_THE_RUN = (
    *("inputs", "output", "jobs", "engine", "address", "dry_run", "redo", "retry_failed", "progress", "quiet"),
    *("preset", "save_model"),  # the preset is in what it sets
)


def _duration(seconds: float) -> str:
    """Roughly, in the unit that people would use."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.1f} {name}" if seconds < 10 * unit else f"{seconds / unit:.0f} {name}"
    return f"{max(1, round(seconds))} s"

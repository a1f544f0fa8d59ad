"""What the tasks of a batch are on a Ray cluster: calls of its actors, and what is done here with what they give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from videoparts.files.atomic import ensure_not_input
from videoparts.files.transaction import transaction
from videoparts.sources import open_source

from ..chain import Chain, given_model
from ..run_settings import run_of
from ..terminal import Terminal
from .cluster import Call
from .events import Event
from .pieces import LabelledPiece, Piece, fit_together, keep_piece, pieces_of
from .work import SHARED, Task, masks_of

if TYPE_CHECKING:
    from .options import BatchOptions


class Job(ABC):
    """A task at work. It is over when no call waits and none is out.

    Args:
        batch: the command.
        task: what is asked for.
    """

    def __init__(self, batch: BatchOptions, task: Task) -> None:
        self.task = task
        self.calls: deque[Call] = deque()  # that wait
        self.out: set[Call] = set()  # that an actor is at
        self._batch = batch
        self._held = ExitStack()

    @abstractmethod
    def begin(self) -> list[Event]:
        """Find out what is to be called; tell what there is to tell.

        Raises:
            VideoPartsError: it cannot be done.
        """

    @abstractmethod
    def take(self, call: Call, value: Any) -> list[Event]:
        """Do what is to be done with what a call has given.

        Raises:
            VideoPartsError: it cannot be done.
        """

    def close(self) -> None:
        """Let go of what is held."""
        self._held.close()


class Single(Job):
    """One call: a measurement, or the fit of all clips."""

    def begin(self) -> list[Event]:
        """See `Job.begin`."""
        fit = self.task.kind == "fit"
        self.calls.append(Call("fit_all" if fit else "measure", (self.task.clips if fit else self.task.clips[0],)))
        return [Event("stage", self.task.name, "fit")] if fit else []

    def take(self, call: Call, value: Any) -> list[Event]:
        """See `Job.take`."""
        done = Event("done", self.task.name)
        if self.task.kind == "measure":
            return [Event("measured", self.task.name, seconds=value), done]
        value.save(self._batch.output / SHARED)
        return [done]


class Labelling(Job):
    """The masks of one clip, put where the command that writes its formats finds them.

    Args:
        batch: the command.
        task: what is asked for.
        length: frames of a piece; None: the usual.
    """

    def __init__(self, batch: BatchOptions, task: Task, length: int | None = None) -> None:
        super().__init__(batch, task)
        self._length = length
        self._clip = task.clips[0]
        self._command = masks_of(batch, self._clip)
        self._short = False

    def begin(self) -> list[Event]:
        """See `Job.begin`."""
        command = self._command
        self._given = given_model(command)
        # What decodes is found out by those who decode; what there is to decode, PyAV tells at once.
        self._source = open_source(command.input, replace(command.source, decoder="pyav"))
        ensure_not_input(command.output, [command.input])
        with ExitStack() as held:
            held.enter_context(transaction(command.output))
            command.check(self._source, self._given)
            self._run = run_of(command.output, command.settings(self._given))
            if self._given is None and self._run.model() is None:
                self.calls.append(Call("fit", (command, self._clip.name)))
                told = [Event("stage", self._clip.name, "fit")]
            else:
                told = self._cut()
            self._held = held.pop_all()
        return told

    def take(self, call: Call, value: Any) -> list[Event]:
        """See `Job.take`."""
        if call.piece is None:
            value.save(self._run.model_path)
            return self._cut()
        labelled: LabelledPiece = value
        keep_piece(self._run.folder, labelled)
        self._short |= labelled.is_short(call.piece)
        if self._short and not self.calls and not self.out:
            self._short = False
            store = self._run.masks()
            if not fit_together(store, self._source):
                store.clear()
                self._add(Piece(0, None))
                return [Event("note", self._clip.name, text="frames are missing: it is labelled again, as a whole")]
        return [Event("advanced", self._clip.name, "label", labelled.frames)]

    def _cut(self) -> list[Event]:
        """The calls that label, the part model being there."""
        chain = Chain(self._command, Terminal(quiet=True))  # it needs no extractor
        _, self._finest = self._command.models(chain, self._source, self._given, self._run)
        for piece in pieces_of(self._source, self._run.masks(), self._length):
            self._add(piece)
        frames = self._source.info.frames
        told = [Event("stage", self._clip.name, "label", frames)]
        left = sum((one.piece.stop or 0) - one.piece.first for one in self.calls if one.piece is not None)
        if frames is not None and left < frames:
            told.append(Event("advanced", self._clip.name, "label", frames - left))
        return told

    def _add(self, piece: Piece) -> None:
        self.calls.append(Call("label", (self._command, self._finest, piece), piece))

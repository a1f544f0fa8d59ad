"""What one worker of a batch does. The model is loaded once, whatever the number of clips."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from videoparts.clock import StageClock
from videoparts.errors import SourceError, VideoPartsError
from videoparts.files.atomic import is_disk_full
from videoparts.out_of_memory import out_of_memory
from videoparts.sources.in_turn import InTurn

from ..commands.masks import Masks
from ..terminal import Terminal
from .clip import Clip
from .contact import write_contact
from .events import Event, Kind, Tell

if TYPE_CHECKING:
    from videoparts.parts.model import PartModel
    from videoparts.results.manifest import Manifest
    from videoparts.sources.base import Source
    from videoparts.vit.extractor import ViTExtractor

    from ..chain import Chain
    from ..options import PartOptions
    from .options import BatchOptions

SHARED = "parts.safetensors"  # the part model of all clips, in the output folder
_PROBED = 4  # frames whose time is taken


@dataclass(frozen=True)
class Task:
    """What a worker is asked for."""

    # "write": "label", where others have labelled and the masks are there
    kind: Literal["label", "write", "fit", "measure"]
    clips: tuple[Clip, ...]  # one, but for a fit

    @property
    def name(self) -> str:
        """Of its events."""
        return "" if self.kind == "fit" else self.clips[0].name


@dataclass(frozen=True)
class Failure:
    """Why a clip failed."""

    text: str  # one line
    trace: str = ""  # of a mistake of ours, for all to see
    kind: Kind = "failed"  # or "full", see `Event`


def failure_of(error: Exception) -> Failure:
    """What is to be said of an error."""
    kind: Kind = "full" if is_disk_full(error) else "failed"
    if isinstance(error, VideoPartsError):
        return Failure(" ".join(str(error).split()), kind=kind)
    if (memory := out_of_memory(error)) is not None:
        return Failure(f"{memory}; take fewer --jobs or a smaller --load-size")
    why = f"a mistake in videoparts, told of above: {type(error).__name__}: {error}"
    return Failure(" ".join(why.split()), "".join(traceback.format_exception(error)), kind)


class Worker:
    """Does the tasks of a batch, one after the other.

    Args:
        batch: the command.
        device: what computes; None: as the command says.
    """

    def __init__(self, batch: BatchOptions, device: str | None = None) -> None:
        self._batch = batch
        self._device = device
        self._extractor: ViTExtractor | None = None

    def do(self, task: Task, tell: Tell) -> None:
        """Do a task, and tell how it goes, whatever is wrong with its clips."""
        tell(Event("begun", task.name))
        done = Event("done", task.name)
        try:
            if task.kind == "fit":
                chain = self.chain(self._batch, Told(task.name, tell))
                self.fitted(task.clips, chain).save(self._batch.output / SHARED)
            elif task.kind == "measure":
                tell(Event("measured", task.name, seconds=self.seconds(task.clips[0])))
            else:
                told = Told if task.kind == "label" else _ToldOfWriting
                manifest = self._label(task.clips[0], told(task.name, tell))
                done = replace(done, frames=len(manifest.frames), sha256=manifest.source.sha256)
        except Exception as error:  # the other clips go on
            failure = failure_of(error)
            sys.stderr.write(failure.trace)
            tell(Event(failure.kind, task.name, text=failure.text))
        else:
            tell(done)

    def chain(self, options: PartOptions, terminal: Terminal) -> Chain:
        """A run of a command with this worker's extractor."""
        from ..chain import Chain

        return Chain(options, terminal, load=self._load)

    def fitted(self, clips: Sequence[Clip], chain: Chain) -> PartModel:
        """A part model of clips. Those that cannot be decoded are left out, unless all are.

        Raises:
            VideoPartsError: no object was found, and the like.
        """
        paths = [clip.path for clip in clips]
        opened: list[Path] = []

        def open_one(path: Path) -> Source:
            opened.append(path)
            return chain.open(path)

        while True:
            try:
                return chain.fit(InTurn(paths, open_one), chain.extractor())
            except SourceError as error:  # its clip will fail for itself, the others go on without it
                if len(paths) == 1:
                    raise
                chain.terminal.note(f"left out of the fit: {error}")
                paths.remove(opened[-1])

    def seconds(self, clip: Clip) -> float:
        """How long the ViT takes for a frame of a clip, with all of this worker's cores."""
        from videoparts.devices import on_all_cores

        chain = self.chain(self._batch, Terminal(quiet=True))
        extractor = chain.extractor()
        with closing(chain.open(clip.path).sample(_PROBED, 1)) as sampled:
            frames = [batch.pixels for batch in sampled]
        list(on_all_cores(extractor.extract, frames[:1], extractor.device))  # the first takes longer
        start = perf_counter()
        list(on_all_cores(lambda pixels: extractor.extract(pixels, tokens=True), frames, extractor.device))
        return (perf_counter() - start) / len(frames)

    def _label(self, clip: Clip, told: Told) -> Manifest:
        """All that ``videoparts masks`` does for one clip, and its picture for the contact sheet."""
        command = masks_of(self._batch, clip)
        chain = self.chain(command, told)
        source = chain.open(clip.path)
        manifest = command.write(chain, source)
        write_contact(command.output, source)
        return manifest

    def _load(self) -> ViTExtractor:
        if self._extractor is None:
            from videoparts.vit.extractor import ViTExtractor

            compute = self._batch.compute
            compute = compute if self._device is None else replace(compute, device=self._device)
            self._extractor = ViTExtractor(self._batch.extractor, compute)
        return self._extractor


def masks_of(batch: BatchOptions, clip: Clip) -> Masks:
    """The command ``videoparts masks`` that one clip of a batch is."""
    shared = {field.name: getattr(batch, field.name) for field in fields(Masks) if hasattr(batch, field.name)}
    command = Masks(**(shared | {"input": clip.path, "output": batch.output / clip.name, "quiet": True}))
    if not batch.shared_parts:
        return command
    # What the options say of a fit was for that of all clips together.
    return replace(command, model_file=batch.output / SHARED, fit=replace(batch.usual().fit, parts=batch.fit.parts))


class Told(Terminal):
    """Tells what a person would see, instead of showing it."""

    def __init__(self, clip: str, tell: Tell) -> None:
        super().__init__(quiet=True)
        self._clip = clip
        self._tell = tell

    @contextmanager
    def bar(self, stage: str, total: int | None, unit: str = "frame") -> Iterator[Callable[[int], None]]:
        """A stage and how far it has come."""
        self._tell(Event("stage", self._clip, stage, total))
        yield lambda frames: self._tell(Event("advanced", self._clip, stage, frames))

    def note(self, *lines: str) -> None:
        """Tell lines, each once."""
        for line in lines:
            if line not in self._said:
                self._said.add(line)
                self._tell(Event("note", self._clip, text=line))

    def say(self, *lines: str) -> None:
        """What each clip's own report says is in its manifest."""

    def times(self, clock: StageClock, count: int, unit: str = "frame") -> None:
        """Times of one clip are of no interest among many."""


class _ToldOfWriting(Told):
    """The same, of what others have labelled."""

    @contextmanager
    def bar(self, stage: str, total: int | None, unit: str = "frame") -> Iterator[Callable[[int], None]]:
        """A stage and how far it has come."""
        with super().bar("write", total, unit) as advance:
            yield advance

    def kept(self, frames: int) -> None:
        """That is so always."""

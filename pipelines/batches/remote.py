"""What runs on the nodes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videoparts.config import SourceSettings
from videoparts.errors import VideoPartsError
from videoparts.frames import FrameBatch, VideoInfo
from videoparts.sources import open_source

from ..terminal import Terminal
from .clip import Clip
from .events import Event, Tell
from .work import Task, Worker

if TYPE_CHECKING:
    from videoparts.parts import PartModel
    from videoparts.sources.around import Neighbourhood
    from videoparts.sources.base import Source

    from ..batch import Batch
    from ..masks import Masks
    from .pieces import Piece

_AHEAD = 4  # batches that wait decoded, at most


@dataclass(frozen=True)
class Answer:
    """What an actor gives: a value and lines that the user should read, or what is wrong with the input."""

    value: Any = None
    notes: tuple[str, ...] = ()
    error: VideoPartsError | None = None


class Extracting:
    """An actor: it has an extractor, loaded once, and does whatever needs one.

    Args:
        batch: the command.
        threads: how many cores it has.
        decode_apart: whether frames are decoded elsewhere in the cluster.
    """

    def __init__(self, batch: Batch, threads: int, *, decode_apart: bool) -> None:
        import torch

        torch.set_num_threads(threads)
        self._worker = Worker(batch)
        self._decode_apart = decode_apart

    def measure(self, clip: Clip) -> Answer:
        """Seconds that the ViT takes for a frame of a clip."""
        return self._answer(lambda _: self._worker.seconds(clip))

    def fit(self, clips: tuple[Clip, ...]) -> Answer:
        """A part model of clips."""
        return self._answer(lambda tell: self._worker.fitted(clips, tell))

    def piece(self, command: Masks, model: PartModel, piece: Piece) -> Answer:
        """The files that a mask store keeps of some frames."""
        from .pieces import label_piece

        def work(_: Tell) -> dict[str, bytes]:
            chain = self._worker.chain(command, Terminal(quiet=True))
            source: Source = chain.open(command.input)
            if self._decode_apart:
                source = Apart(source, command.source)
            return label_piece(chain, source, command, model, piece)

        return self._answer(work)

    def _answer(self, work: Callable[[Tell], Any]) -> Answer:
        notes: list[str] = []

        def tell(event: Event) -> None:
            if event.kind == "note":
                notes.append(event.text)

        try:
            return Answer(work(tell), tuple(notes))
        except VideoPartsError as error:
            return Answer(error=error)


def finish(batch: Batch, clip: Clip) -> list[Event]:
    """Write all that a clip's folder holds, its masks being there. Runs on the machine that has the output folder."""
    events: list[Event] = []
    Worker(batch).do(Task("label", (clip,)), events.append)
    return events


class Apart:
    """A source whose frames are decoded by another worker of the cluster, a few batches ahead."""

    def __init__(self, source: Source, settings: SourceSettings, part: tuple[int, int | None] = (0, None)) -> None:
        self._source = source
        self._settings = settings
        self._part = part

    @property
    def info(self) -> VideoInfo:
        """Of the source."""
        return self._source.info

    @property
    def decoder(self) -> str:
        """Of the source."""
        return self._source.decoder

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the source, as far as they are known here."""
        return self._source.notes

    @property
    def selected(self) -> range:
        """Of the source."""
        return self._source.selected

    def batches(self, size: int) -> Iterator[FrameBatch]:
        """`Source.batches`."""
        import ray

        decode = ray.remote(num_cpus=1, num_returns="streaming", _generator_backpressure_num_objects=_AHEAD)(_decoded)
        for reference in decode.remote(self._source.info.path, self._settings, *self._part, size):
            batch = ray.get(reference)
            yield replace(batch, pixels=np.array(batch.pixels))  # what Ray shares cannot be written to

    def part(self, first: int, stop: int | None = None) -> Apart:
        """`Source.part`."""
        begin = self._part[0] + first
        ends = [end for end in (self._part[1], None if stop is None else self._part[0] + stop) if end is not None]
        return Apart(self._source.part(first, stop), self._settings, (begin, min(ends, default=None)))

    def frame(self, index: int) -> FrameBatch:
        """`Source.frame`, decoded here."""
        return self._source.frame(index)

    def sample(self, count: int, size: int) -> Iterator[FrameBatch]:
        """`Source.sample`, decoded here: a few frames."""
        return self._source.sample(count, size)

    def sample_around(self, count: int, at: float | None = None, *, beside: bool = True) -> Iterator[Neighbourhood]:
        """`Source.sample_around`, decoded here: a few frames."""
        return self._source.sample_around(count, at, beside=beside)


def _decoded(
    path: Path, settings: SourceSettings, first: int, stop: int | None, size: int
) -> Generator[FrameBatch, None, None]:
    with closing(open_source(path, settings).part(first, stop).batches(size)) as batches:  # type: ignore[type-var]
        yield from batches

"""What runs on the nodes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videoparts import __version__
from videoparts.active_area import ActiveArea
from videoparts.config import SourceSettings
from videoparts.errors import SourceError, VideoPartsError
from videoparts.frames import FrameBatch, VideoInfo
from videoparts.sources import open_source

from ..before_torch import settle
from ..terminal import Terminal
from .clip import Clip
from .events import Event, Tell
from .work import Failure, Told, Worker, failure_of

if TYPE_CHECKING:
    from videoparts.parts.model import PartModel
    from videoparts.sources.around import Neighbourhood
    from videoparts.sources.base import Source

    from ..chain import Chain
    from ..commands.masks import Masks
    from .options import BatchOptions
    from .pieces import LabelledPiece, Piece

_AHEAD = 128 << 20  # bytes of frames that wait decoded for one extractor, at most


@dataclass(frozen=True)
class Answer:
    """What an actor gives: a value, or why there is none. What is wrong with an input is no exception for Ray."""

    value: Any = None
    notes: tuple[Event, ...] = ()  # that the user should read
    failure: Failure | None = None


class Extracting:
    """An actor: it has an extractor, loaded once, and does whatever needs one.

    Args:
        batch: the command.
        threads: how many cores it has.
        decode_apart: whether frames are decoded elsewhere in the cluster.
    """

    def __init__(self, batch: BatchOptions, threads: int, *, decode_apart: bool) -> None:
        settle()
        import torch

        torch.set_num_threads(threads)
        self._worker = Worker(batch)
        self._decode_apart = decode_apart
        # Of the clip that was fitted last: the features of its sampled frames are there when it is labelled.
        self._fitted: tuple[Path, Chain, Source] | None = None

    def version(self) -> str:
        """Which videoparts this is: the first thing that is asked."""
        return __version__

    def measure(self, clip: Clip) -> Answer:
        """Seconds that the ViT takes for a frame of a clip."""
        return _answer(lambda _: self._worker.seconds(clip))

    def fit_all(self, options: BatchOptions, clips: Sequence[Clip]) -> Answer:
        """A part model of many clips."""
        return _answer(lambda tell: self._worker.fitted(clips, self._worker.chain(options, Told("", tell))))

    def fit(self, command: Masks, name: str) -> Answer:
        """A part model of one clip."""

        def work(tell: Tell) -> PartModel:
            chain = self._worker.chain(command, Told(name, tell))
            source = chain.open(command.input)
            model = chain.fit([source], chain.extractor())
            self._fitted = command.input, chain, source
            return model

        return _answer(work)

    def label(self, command: Masks, model: PartModel, piece: Piece) -> Answer:
        """A `LabelledPiece`."""
        from .pieces import label_piece

        def work(_: Tell) -> LabelledPiece:
            if self._fitted is None or self._fitted[0] != command.input:
                self._fitted = None
                chain = self._worker.chain(command, Terminal(quiet=True))
                source: Source | None = None
            else:
                _path, chain, source = self._fitted
            if self._decode_apart:
                source = Apart(open_source(command.input, replace(command.source, decoder="pyav")), command.source)
            return label_piece(chain, source or chain.open(command.input), command, model, piece)

        return _answer(work)


def _answer(work: Callable[[Tell], Any]) -> Answer:
    from ray.exceptions import RayError

    notes: list[Event] = []

    def tell(event: Event) -> None:
        if event.kind == "note":
            notes.append(event)

    try:
        return Answer(work(tell), tuple(notes))
    except RayError:  # the worker that decodes has died: told to the other side as if it were this one
        raise
    except Exception as error:
        return Answer(notes=tuple(notes), failure=failure_of(error))


class Apart:
    """A source whose frames are decoded by another worker of the cluster, a few batches ahead.

    Args:
        source: tells what there is to decode; a few frames are decoded here.
        settings: with which the other worker opens it.
        part: which of its selected frames.
    """

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

    @property
    def active_area(self) -> ActiveArea | None:
        """Of the source."""
        return self._source.active_area

    def batches(self, size: int) -> Generator[FrameBatch, None, None]:
        """`Source.batches`."""
        import ray

        info = self.info
        ahead = max(2, _AHEAD // (size * info.height * info.width * 3))
        decode = ray.remote(num_cpus=1, num_returns="streaming", _generator_backpressure_num_objects=ahead)(_decoded)
        stream = decode.remote(info.path, self._settings, *self._part, size)
        try:
            for reference in stream:
                batch: FrameBatch | str = ray.get(reference)
                if isinstance(batch, str):
                    raise SourceError(batch)
                yield replace(batch, pixels=np.array(batch.pixels))  # what Ray shares cannot be written to
        finally:
            ray.cancel(stream)  # where its end was not waited for

    def part(self, first: int, stop: int | None = None) -> Apart:
        """`Source.part`."""
        begin = self._part[0] + first
        ends = [end for end in (self._part[1], None if stop is None else self._part[0] + stop) if end is not None]
        return Apart(self._source.part(first, stop), self._settings, (begin, min(ends, default=None)))

    def frame(self, index: int) -> FrameBatch:
        """`Source.frame`, decoded here."""
        return self._source.frame(index)

    def sample(self, count: int, size: int) -> Generator[FrameBatch, None, None]:
        """`Source.sample`, decoded here."""
        return self._source.sample(count, size)

    def sample_around(
        self, count: int, at: float | None = None, *, beside: bool = True, among: int = 1
    ) -> Generator[Neighbourhood, None, None]:
        """`Source.sample_around`, decoded here."""
        return self._source.sample_around(count, at, beside=beside, among=among)


def _decoded(
    path: Path, settings: SourceSettings, first: int, stop: int | None, size: int
) -> Generator[FrameBatch | str, None, None]:
    """The batches of some of a clip's frames; last, what is wrong with it."""
    try:
        source = open_source(path, settings).part(first, stop)
        with closing(source.batches(size)) as batches:
            yield from batches
    except VideoPartsError as error:
        yield str(error)

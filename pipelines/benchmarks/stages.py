"""The stages of the chain one by one, each on the same frames and arranged as `segment` arranges it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar

import torch

from videoparts.config import OverlaySettings, RefineSettings
from videoparts.devices import on_all_cores, on_device
from videoparts.features import Features
from videoparts.flow.carrying import carried
from videoparts.flow.keyframes import at_a_time, interval
from videoparts.flow.linked import linked
from videoparts.flow.links import Links
from videoparts.flow.scored import Scored
from videoparts.flow.window import windowed
from videoparts.frames import FrameBatch, Pixels
from videoparts.painting.overlay import paint
from videoparts.painting.palette import palette
from videoparts.parts.model import PartModel
from videoparts.pixel_labels import PixelLabels
from videoparts.refine.pixels import working_scores
from videoparts.resize import resize
from videoparts.sinks.encoding.content import RGB
from videoparts.sinks.encoding.encoder import Encoding
from videoparts.sinks.encoding.video_file import VideoFile
from videoparts.sources.base import Source
from videoparts.vit.extractor import ViTExtractor

from .spending import Spent, spend

T = TypeVar("T")
R = TypeVar("R")

_DECODED = 128  # frames of the clip, at most: single ones are too soon done to be measured
_DESCRIBED = 4  # batches whose features are held; scoring takes them in turn
_FLOAT = 4  # bytes


class Stages:
    """What each stage is given is made at birth; then each can be run any number of times.

    Args:
        clip: the whole clip, for the decoder.
        part: the frames that are worked on.
        extractor: describes them.
        parts: labels them.
        refine: how.
        folder: where encoded files come and go.
    """

    def __init__(
        self,
        clip: Source,
        part: Source,
        extractor: ViTExtractor,
        parts: PartModel,
        refine: RefineSettings,
        folder: Path,
    ) -> None:
        self._clip, self._part, self._extractor = clip, part, extractor
        self._parts, self._refine, self._folder = parts.on(extractor.device), refine, folder
        self._device = extractor.device
        area = part.active_area
        batches = part.batches(extractor.batch_size)
        self._batches = list(batches if area is None else map(area.cropped, batches))
        self._every = interval(refine.keys, part.info, extractor.device)
        self.frames = sum(map(len, self._batches))
        self.grid = extractor.grid(self._batches[0].size)

        self._features: list[Features] = []
        self._chances: list[torch.Tensor] = []
        for features in self._on_cores(self._described, self._batches):
            self._chances.append(parts.probabilities(features))
            self._features += [features] if len(self._features) < _DESCRIBED else []
        self._linked: list[tuple[FrameBatch, Links]] = [(batch, ()) for batch in self._batches]
        if self._windowing or self._carrying:
            self._linked = list(self._link())
        placed = list(self._on_cores(self._placed, range(len(self._batches))))
        self._scored = [Scored(*item, scores) for item, scores in zip(self._linked, placed, strict=True)]
        self._place_of = {
            int(index): scores[i : i + 1]
            for batch, scores in zip(self._batches, placed, strict=True)
            for i, index in enumerate(batch.index)
        }
        if self._carrying:
            self._scored = list(self._carry())
        self._labels_of = PixelLabels(self._device, refine)
        self._coloured = list(self._on_cores(self._labels_of.coloured, self._scored))
        self._steady = list(self._average())
        self._labels = list(self._on_cores(self._labelled, self._steady))
        self._painted = list(self._paint())

    @property
    def names(self) -> tuple[str, ...]:
        """Those that the settings ask for, in the order of the chain."""
        between = {"link": self._windowing or self._carrying, "carry": self._carrying, "window": self._windowing}
        order = ("decode", "link", "resize", "extract", "score", "carry", "window", "upsample", "paint", "encode")
        return tuple(name for name in order if between.get(name, True))

    def run(self, name: str) -> Spent:
        """Run one stage; gives what a frame took."""
        if name == "decode":
            return self._decode()
        work: Mapping[str, Callable[[], Iterable[object]]] = {
            "link": self._link,
            "resize": lambda: self._on_cores(self._resized, self._batches),
            "extract": lambda: self._on_cores(self._described, self._batches),
            "score": lambda: self._on_cores(
                self._parts.probabilities, islice(cycle(self._features), len(self._batches))
            ),
            "carry": self._carry,
            "window": self._average,
            "upsample": self._upsample,
            "paint": self._paint,
            "encode": self._encode,
        }
        return spend(lambda: _drain(work[name]()), self._device).per(self.frames)

    @property
    def bytes_moved(self) -> Mapping[str, int]:
        """What each stage but the ViT has to read and write at least, for a frame: pixels, features and scores, each
        once."""
        height, width = self._batches[0].size
        frame, labels = 3 * height * width, height * width
        features = self._features[0]
        assert features.tokens is not None
        described = (features.descriptors[0].numel() + features.tokens[0].numel()) * _FLOAT
        chances, scores = self._chances[0][0].numel() * _FLOAT, self._scored[0].scores[0].numel() * _FLOAT
        return {
            "decode": frame,
            "link": frame,
            "resize": frame + 3 * self.grid.height * self.grid.width,
            "score": described + chances,
            "carry": 2 * scores,
            "window": 2 * scores,
            "upsample": chances + 2 * scores + frame + labels,
            "paint": 2 * frame + labels,
            "encode": frame,
        }

    @property
    def _carrying(self) -> bool:
        return self._every > 1

    @property
    def _windowing(self) -> bool:
        return self._refine.window > 1

    def _decode(self) -> Spent:
        """From the second batch on: the decoder starts once a clip."""
        batches = self._clip.part(0, _DECODED).batches(self._extractor.batch_size)
        counted: list[int] = []
        start = spend(lambda: counted.append(len(next(batches))), self._device)
        rest = spend(lambda: counted.extend(map(len, batches)), self._device)
        return rest.per(sum(counted[1:])) if counted[1:] else start.per(counted[0])

    def _link(self) -> Iterator[tuple[FrameBatch, Links]]:
        return linked(self._batches, lambda batch: batch)

    def _carry(self) -> Iterator[Scored]:
        return carried(
            self._linked,
            self._every,
            self._refine.tolerance,
            self._part.selected.index,
            lambda frame: self._place_of[int(frame.index[0])],
            most=at_a_time(self._every, self._part.info),
        )

    def _average(self) -> Iterator[Scored]:
        return windowed(self._coloured, self._refine.window)

    def _upsample(self) -> Iterator[object]:
        """To the working picture, whose colours are counted, before scores are averaged, and to pixels after it."""
        yield from self._on_cores(self._placed, range(len(self._batches)))
        yield from self._on_cores(self._labels_of.coloured, self._scored)
        yield from self._on_cores(self._labelled, self._steady)

    def _paint(self) -> Iterator[tuple[FrameBatch, Pixels]]:
        colours, look = palette(), OverlaySettings()
        for steady, labels in zip(self._steady, self._labels, strict=True):
            for i in range(len(labels)):
                frame = steady.frames[i : i + 1]
                yield frame, paint(frame.pixels, labels[i : i + 1], colours, look.alpha, look.outline)[0]

    def _encode(self) -> Iterator[object]:
        info = self._part.info
        path, size = self._folder / "encoded.mp4", self._batches[0].size
        video: VideoFile[Pixels] = VideoFile(path, info, size, RGB(), Encoding(), audio=False)
        video.start()
        try:
            for frame, picture in self._painted:
                video.write(picture, int(frame.pts[0]), int(frame.index[0]))
                yield None
        except BaseException:
            video.abort()
            raise
        video.finish()

    def _there(self, batch: FrameBatch) -> torch.Tensor:
        """Its pixels, on the extractor's device."""
        return on_device(batch.pixels, self._device)

    def _resized(self, batch: FrameBatch) -> torch.Tensor:
        return resize(self._there(batch), (self.grid.height, self.grid.width), "bicubic")

    def _described(self, batch: FrameBatch) -> Features:
        return self._extractor.extract(self._there(batch), tokens=True)

    def _placed(self, number: int) -> torch.Tensor:
        return working_scores(self._chances[number], self.grid, self._batches[number].size)

    def _labelled(self, steady: Scored) -> Pixels:
        return self._labels_of.cleaned(self._labels_of.full_size(steady)).labels

    def _on_cores(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        @torch.inference_mode()
        def do(item: T) -> R:
            return function(item)

        return on_all_cores(do, items, self._device)


def _drain(items: Iterable[object]) -> None:
    for _ in items:
        pass

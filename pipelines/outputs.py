"""An output folder: formats, the page, the report and the manifest, from masks as they stream by."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from videoparts.atomic import remove
from videoparts.clock import StageClock
from videoparts.edited import edited, smoothed
from videoparts.edits import Edition
from videoparts.frames import VideoInfo
from videoparts.joints import Joint
from videoparts.manifest import Manifest, ManifestModel, ManifestSource, versions
from videoparts.masks import PartMasks
from videoparts.report import MaskReport
from videoparts.sinks.formats import Format, FormatSink
from videoparts.sinks.viewer import Viewer

from .result import Entry

_MOST_THREADS = 4
PAGE = "viewer"  # the name under which the manifest has the page


class Outputs:
    """Writes all that an output folder holds but the manifest, which comes last: see `finish`.

    Args:
        folder: the output folder.
        like: the source's info.
        edition: which parts are shown, and how.
        formats: what to write.
        page: whether to write the page.
        clip: where the page's copy of the clip is kept, for the next page.
        clock: counts the time of "write".
    """

    def __init__(
        self,
        folder: Path,
        like: VideoInfo,
        edition: Edition,
        formats: Sequence[Format],
        *,
        page: bool = True,
        clip: Path | None = None,
        clock: StageClock | None = None,
    ) -> None:
        self.folder = folder
        self._edition = edition
        self._clock = clock or StageClock()
        self._sinks: dict[str, FormatSink] = {one.name: one.open(folder, like, edition.parts) for one in formats}
        if page:
            self._sinks[PAGE] = Viewer(folder, like, edition.parts, clip=clip)
        self._mattes = bool(edition.window) or any(one.mattes for one in formats)
        self.report = MaskReport(edition.parts)
        self._open = ExitStack()

    @property
    def names(self) -> frozenset[str]:
        """The formats that are written, the page among them."""
        return frozenset(self._sinks)

    @property
    def paths(self) -> dict[str, tuple[str, ...]]:
        """The files and folders of each format, relative to the folder."""
        return {
            name: tuple(path.relative_to(self.folder).as_posix() for path in sink.outputs)
            for name, sink in self._sinks.items()
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read; complete when the ``with`` has ended."""
        return tuple(line for sink in self._sinks.values() for line in sink.notes)

    def __enter__(self) -> Outputs:
        with ExitStack() as stack:
            for sink in self._sinks.values():
                stack.enter_context(sink)  # type: ignore[arg-type]  # a sink is its own context
            self._pool = stack.enter_context(ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._clock.stage("write"):
            self._open.__exit__(kind, error, trace)

    def write_all(self, entries: Iterable[Entry], advance: Callable[[int], None]) -> None:
        """Write every frame.

        Args:
            entries: masks as they were found, at the finest level of the edition, with their joints.
            advance: called with the number of frames that each step has added.
        """
        pending: list[Sequence[Joint]] = []

        def shown() -> Iterable[PartMasks]:
            for masks, joints in entries:
                pending.append(joints)
                with self._clock.stage("write"):
                    one = edited(masks, self._edition, mattes=self._mattes)
                yield one

        for masks in smoothed(shown(), self._edition):
            with self._clock.stage("write"):
                self._write(masks, pending.pop(0))
            advance(len(masks))

    def finish(
        self,
        source: ManifestSource,
        settings: Mapping[str, Any],
        model: ManifestModel,
        before: Manifest | None,
        more: Mapping[str, tuple[str, ...]],
        edits: int = 0,
    ) -> Manifest:
        """Write the manifest, once all else is there, and remove what an earlier one names and this one does not.

        Args:
            source: what the frames came from.
            settings: what the masks were made with.
            model: that they were made with.
            before: the manifest that was there.
            more: other outputs, by their name.
            edits: how many were applied.
        """
        manifest = Manifest(
            source=source,
            frames=self.report.frames,
            settings=dict(settings),
            part_model=model,
            parts=self._edition.parts,
            tracks=self.report.tracks,
            formats={**self.paths, **more},
            versions=versions(),
            report=self.report.finish(),
            edits=edits,
        )
        manifest.save(self.folder)
        kept = {path for paths in manifest.formats.values() for path in paths}
        for path in () if before is None else (path for paths in before.formats.values() for path in paths):
            if path not in kept:
                remove(self.folder / path)
                with suppress(OSError):  # the folder of a format whose files have all gone
                    (self.folder / path).parent.rmdir()
        return manifest

    def _write(self, masks: PartMasks, joints: Sequence[Joint]) -> None:
        """Into all sinks at once: each takes its frames in order."""
        work = [self._pool.submit(sink.write, masks) for sink in self._sinks.values()]
        if self._edition.window:  # labels are others than those that were counted
            self.report.write(masks)
        else:
            self.report.write(masks, joints, np.array(self._edition.numbers, dtype=np.uint8))
        for one in work:
            one.result()

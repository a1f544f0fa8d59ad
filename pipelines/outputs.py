"""An output folder: formats, the page, the report and the manifest, from masks as they stream by."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from videoparts.clock import StageClock
from videoparts.editing.edited import edited, smoothed
from videoparts.editing.edits import FILE as EDITS
from videoparts.editing.edits import Edit, Edition, save_edits
from videoparts.files.transaction import Transaction, refuse_foreign
from videoparts.frames import VideoInfo
from videoparts.masks import Part, PartMasks
from videoparts.reports.joints import Joint
from videoparts.reports.report import MaskReport
from videoparts.results.manifest import FILE as MANIFEST
from videoparts.results.manifest import Manifest, ManifestModel, ManifestSource, versions
from videoparts.sinks.formats import Format, FormatSink
from videoparts.sinks.images.label_images import LabelImages
from videoparts.sinks.pages.viewer import Viewer

from .result import Entry

_MOST_THREADS = 4
PAGE = "viewer"  # the names under which the manifest has the page,
LEVELS = "levels"  # and the folders of labels of other levels


def check_outputs(
    folder: Path,
    like: VideoInfo,
    parts: Sequence[Part],
    formats: Sequence[Format],
    *,
    page: bool,
    levels: Sequence[int] = (),
    before: Manifest | None,
) -> None:
    """Find what cannot be written before hours of work: sinks look at their targets at birth, and touch nothing.

    Args:
        folder: the output folder.
        like: the source's info.
        parts: those that are shown.
        formats: what is to be written.
        page: whether the page is.
        levels: of which labels are.
        before: the manifest that is there.

    Raises:
        OutputError: a target cannot be written, or is there and no earlier run made it.
        SettingsError: a format cannot be written so.
    """
    sinks: list[FormatSink] = [one.open(folder, like, parts) for one in formats]
    sinks += [_level(folder, like, level) for level in levels]
    if page:
        sinks.append(Viewer(folder, like, parts))
    refuse_foreign(folder, [path for sink in sinks for path in sink.outputs], _named(before))


class Outputs:
    """Writes all that an output folder holds; it appears at the end, see `finish`.

    Args:
        new: what is made of the output folder.
        like: the source's info.
        edition: which parts are shown, and how.
        formats: what to write.
        before: the manifest that is there.
        page: whether to write the page.
        levels: numbers of parts of which the labels are written too, see `level_sinks`.
        clip: where the page's copy of the clip is kept, for the next page.
        clock: counts the time of "write".

    Raises:
        OutputError, SettingsError: see `check_outputs`.
    """

    def __init__(
        self,
        new: Transaction,
        like: VideoInfo,
        edition: Edition,
        formats: Sequence[Format],
        before: Manifest | None,
        *,
        page: bool = True,
        levels: Sequence[int] = (),
        clip: Path | None = None,
        clock: StageClock | None = None,
    ) -> None:
        self._new = new
        self._before = before
        self._edition = edition
        self._clock = clock or StageClock()
        self._check = partial(
            check_outputs, new.folder, like, edition.parts, formats, page=page, levels=levels, before=before
        )
        self._check()
        self._sinks: dict[str, FormatSink] = {one.name: one.open(new.path, like, edition.parts) for one in formats}
        if page:
            self._sinks[PAGE] = Viewer(new.path, like, edition.parts, clip=clip)
        self.level_sinks = {level: _level(new.path, like, level) for level in levels}
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
        made = {name: sink.outputs for name, sink in self._sinks.items()}
        if self.level_sinks:
            made[LEVELS] = tuple(path for sink in self.level_sinks.values() for path in sink.outputs)
        return {
            name: tuple(path.relative_to(self._new.path).as_posix() for path in paths) for name, paths in made.items()
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read; complete when the ``with`` has ended."""
        return tuple(self._new.told(line) for sink in self._sinks.values() for line in sink.notes)

    def __enter__(self) -> Outputs:
        with ExitStack() as stack:
            for sink in (*self.level_sinks.values(), *self._sinks.values()):
                stack.enter_context(sink)
            self._pool = stack.enter_context(ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._clock.stage("write"):
            self._open.__exit__(kind, error, trace)

    def write_all(self, entries: Generator[Entry, None, None], advance: Callable[[int], None]) -> None:
        """Write every frame.

        Args:
            entries: masks as they were found, at the finest level of the edition, with their joints. Closed here.
            advance: called with the number of frames that each step has added.
        """
        pending: list[Sequence[Joint]] = []

        def shown() -> Iterator[PartMasks]:
            with closing(entries):
                for masks, joints in entries:
                    pending.append(joints)
                    with self._clock.stage("write"):
                        one = edited(masks, self._edition, mattes=self._mattes)
                    yield one

        with closing(smoothed(shown(), self._edition)) as steady:
            for masks in steady:
                with self._clock.stage("write"):
                    self._write(masks, pending.pop(0))
                advance(len(masks))

    def finish(
        self,
        source: ManifestSource,
        settings: Mapping[str, Any],
        model: ManifestModel,
        *,
        more: Mapping[str, tuple[str, ...]] | None = None,
        removed: Sequence[str] = (),
        edits: Sequence[Edit] | None = None,
    ) -> Manifest:
        """Write the manifest; then all appears, and what an earlier manifest names and this one does not vanishes.

        Args:
            source: what the frames came from.
            settings: what the masks were made with.
            model: that they were made with.
            more: outputs that are there already and stay, by their name.
            removed: what vanishes too, relative to the folder.
            edits: those that were applied, to be kept with the masks; None: what is kept stays.

        Raises:
            OutputError: see `Transaction.commit`; also, something came into the folder that no run has made.
        """
        manifest = Manifest(
            source=source,
            frames=self.report.frames,
            settings=dict(settings),
            part_model=model,
            parts=self._edition.parts,
            tracks=self.report.tracks,
            formats={**self.paths, **(more or {})},
            versions=versions(),
            report=self.report.finish(),
            edits=len(edits or ()),
        )
        moved = [path for paths in self.paths.values() for path in paths]
        if edits is not None:
            save_edits(self._new.path / EDITS, edits, model.sha256)
            moved.append(EDITS)
        manifest.save(self._new.path)
        self._check()  # hours may have passed
        self._new.commit([*moved, MANIFEST], [*sorted(_named(self._before) - _named(manifest)), *removed])
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


def _level(folder: Path, like: VideoInfo, level: int) -> LabelImages:
    return LabelImages(folder / LEVELS, name=str(level), inputs=[like.path])


def _named(manifest: Manifest | None) -> frozenset[str]:
    """All files and folders that a manifest names."""
    return frozenset(path for paths in manifest.formats.values() for path in paths) if manifest else frozenset()

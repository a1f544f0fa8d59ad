"""What is in an output folder already."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videoparts.active_area import ActiveArea
from videoparts.config import RefineSettings, SourceSettings
from videoparts.editing.edited import edited, smoothed
from videoparts.editing.edits import FILE as EDITS
from videoparts.editing.edits import Edit, Edition, load_edits
from videoparts.errors import OutputError, SettingsError, SourceError
from videoparts.files.json_objects import object_of
from videoparts.files.lock import HOME
from videoparts.files.transaction import Transaction, transaction
from videoparts.frames import FrameBatch
from videoparts.masks import Part, PartMasks
from videoparts.reports.joints import Joint
from videoparts.results.manifest import FILE as MANIFEST
from videoparts.results.manifest import Manifest
from videoparts.results.mask_store import KeptFrame, MaskStore
from videoparts.results.runs import Run
from videoparts.sources import open_source
from videoparts.sources.base import Source
from videoparts.sources.source_hash import source_sha256

if TYPE_CHECKING:
    from videoparts.parts.model import PartModel

Entry = tuple[PartMasks, list[Joint]]
"""Masks of one frame or a few, as they were found, and their joints."""


def manifest_of(output: Path) -> Manifest | None:
    """The manifest in an output folder that is to be written into, None where there is none.

    Raises:
        OutputError: it cannot be read, so that nobody knows what there is an earlier run's.
    """
    path = output / MANIFEST
    if not path.exists():
        return None
    try:
        return Manifest.load(output)
    except SourceError as error:
        raise OutputError(
            f"{path}: not a manifest that can be read: empty {output} or choose another folder"
        ) from error


def refuse_edited(output: Path) -> None:
    """Leave a folder alone whose masks were edited: a new run would throw the edits away.

    Raises:
        OutputError: there are edits.
    """
    path = output / EDITS
    if path.exists() and (edits := load_edits(path)[0]):
        raise OutputError(
            f"{output} holds {len(edits)} edit{'s' * (len(edits) > 1)} of the masks that are there: write other "
            f"formats with videoparts edit {output} --formats ..., remove {path} to begin anew, or choose another "
            f"folder, where videoparts edit --edits {path} applies the same"
        )


@dataclass(frozen=True)
class Result:
    """An output folder with masks: what they were made of, and what edits have made of them."""

    folder: Path
    manifest: Manifest
    run: Run
    source_settings: SourceSettings  # which frames of the source have masks
    refine: RefineSettings  # how they were labelled
    first: Edition  # before any edit
    edits: tuple[Edit, ...]

    @property
    def edition(self) -> Edition:
        """What is in the folder now."""
        return self.first.after(self.edits, self.coarser)

    def coarser(self, fine: int, coarse: int) -> tuple[int, ...]:
        """`PartTree.coarser` of the part model, which is loaded when a part is divided, and not before."""
        return self.model.tree.coarser(fine, coarse)

    @cached_property
    def model(self) -> PartModel:
        """The part model, at the finest level that was labelled."""
        model = self.run.model()
        assert model is not None
        return model.finer(self.first.levels[0])

    def source(self, path: Path | None = None) -> Source:
        """Open what the masks were made of.

        Args:
            path: where it is now; None: where it was.

        Raises:
            SourceError: it is not there, or another, or cannot be read.
        """
        known = self.manifest.source
        if path is None and not Path(known.path).exists():
            raise SourceError(
                f"{known.path}: the clip that the masks were made of is not there; say where it is with --input"
            )
        path = path or Path(known.path)
        if source_sha256(path) != known.sha256:
            raise SourceError(f"{path}: the masks in {self.folder} were made of another clip, {known.name}; give that")
        return open_source(path, self.source_settings)

    def shown(self, source: Source, *, mattes: bool) -> Generator[PartMasks, None, None]:
        """The masks of every frame as they are in the folder now, with the source's pixels."""
        edition = self.edition

        def found() -> Iterator[PartMasks]:
            with closing(kept_entries(self.run.finer(edition.levels), source)) as entries:
                for masks, _ in entries:
                    yield edited(masks, edition, mattes=mattes or bool(edition.window))

        yield from smoothed(found(), edition)


def opened_result(folder: Path) -> Result:
    """Open an output folder.

    Raises:
        SourceError: it has no manifest, a broken one, or one that videoparts masks has not written.
        OutputError: what edits start from is not there any more.
        SettingsError: its edits cannot be read.
    """
    manifest = Manifest.load(folder)
    settings, again = manifest.settings, _again(folder)
    try:
        run = Run(folder, _key(settings["run"]))
        source = {name: value for name, value in settings["source"].items() if name != "sha256"}
        source_settings = object_of(SourceSettings, source)
        refine = object_of(RefineSettings, settings["refine"])
        first = edition_of(settings["found"])
    except (LookupError, TypeError, ValueError, AttributeError, SettingsError) as error:
        raise SourceError(f"{folder / MANIFEST}: its settings are not those of videoparts masks; {again}") from error
    kept = run.masks().frames
    if not kept or not run.model_path.exists():
        raise OutputError(f"{folder}: what edits start from, {run.folder}, is not there; {again}")
    if kept != len(manifest.frames):
        raise OutputError(f"{folder}: of {len(manifest.frames)} frames {kept} are kept in {run.folder}; {again}")
    edits = load_edits(folder / EDITS)[0] if (folder / EDITS).exists() else []
    return Result(folder, manifest, run, source_settings, refine, first, tuple(edits))


def _again(folder: Path) -> str:
    """What to do where a folder cannot be edited: masks do not replace those that were."""
    edits = folder / EDITS
    elsewhere = f", into another folder, and there videoparts edit --edits {edits}" if edits.exists() else ""
    return f"run videoparts masks again{elsewhere}"


def _key(given: str) -> str:
    if not re.fullmatch("[0-9a-f]+", given):
        raise ValueError(f"no key of a run: {given!r}")
    return given


@contextmanager
def held_result(folder: Path) -> Iterator[tuple[Result, Transaction]]:
    """Open an output folder to change it; see `transaction`.

    Raises:
        SourceError, OutputError, SettingsError: see `opened_result`; another run holds it, or it cannot be written.
    """
    if not (folder / HOME).is_dir():
        opened_result(folder)  # says that there is nothing to change, and makes no folder
    with transaction(folder) as made:
        yield opened_result(folder), made


def found_by(model: PartModel, finest: PartModel) -> dict[str, Any]:
    """What a manifest says of the parts that a run has found, as JSON has it.

    Args:
        model: the parts.
        finest: the same model at the level that was labelled.
    """
    looks = zip(model.names, model.colours, strict=True)
    return {
        "parts": [{"number": k, "name": name, "colour": colour} for k, (name, colour) in enumerate(looks, start=1)],
        "hidden": sorted(model.hidden),
        "within": model.tree.coarser(len(finest), len(model)),
    }


@dataclass(frozen=True)
class _Labels:
    """What the labels of a run mean."""

    hidden: tuple[int, ...]  # numbers of parts
    within: tuple[int, ...]  # for each label, from 1 on, the part that it belongs to


def edition_of(found: Mapping[str, Any]) -> Edition:
    """The parts that `found_by` told of, before any edit.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: it is nothing that `found_by` gave.
    """
    parts = [object_of(Part, one) for one in found["parts"]]
    labels = object_of(_Labels, {name: value for name, value in found.items() if name != "parts"})
    numbers, names = {part.number for part in parts}, {part.name for part in parts}
    if len(numbers) < len(parts) or len(names) < len(parts) or set(labels.within) != numbers:
        raise ValueError(f"labels of {sorted(set(labels.within))} are not those of the parts {sorted(numbers)}")
    if not numbers - set(labels.hidden):
        raise ValueError("no part is shown")
    return Edition.of(parts, frozenset(labels.hidden), labels.within)


def kept_entries(store: MaskStore, source: Source, *, chances: bool = False) -> Generator[Entry, None, None]:
    """The frames that a store holds, one at a time, with the source's pixels.

    Raises:
        SourceError: the source gives other frames than those that were labelled.
    """
    kept = store.read(chances=chances)
    first = next(kept, None)
    if first is None:
        return
    area = source.active_area
    with closing(source.batches(1)) as batches:
        for batch, one in zip(batches, chain([first], kept), strict=False):
            if (int(batch.index[0]), int(batch.pts[0])) != (one.index, one.pts):
                raise SourceError(
                    f"{source.info.path}: gives other frames than before; run the command in a new folder"
                )
            yield _masks(batch, one, area), [one.joint]


def entries_without_pixels(store: MaskStore, manifest: Manifest) -> Generator[Entry, None, None]:
    """The same from the store and the manifest alone; all pixels are black."""
    source = manifest.source
    for one, frame in zip(store.read(), manifest.frames, strict=True):
        if one.labels.shape != (source.height, source.width) or (one.index, one.pts) != (frame.index, frame.pts):
            raise OutputError(
                f"{store.folder}: holds other frames than {MANIFEST} says; run videoparts masks again, into another "
                f"folder if {EDITS} is there"
            )
        black = np.broadcast_to(np.uint8(0), (1, *one.labels.shape, 3))
        index, pts = np.array([one.index], np.int64), np.array([one.pts], np.int64)
        names = (frame.stem,) if source.kind == "frames" else None
        yield _masks(FrameBatch(black, index, pts, source.time_base, names), one), [one.joint]


def _masks(batch: FrameBatch, one: KeptFrame, area: ActiveArea | None = None) -> PartMasks:
    chances = None if one.chances is None else one.chances[None]
    return PartMasks(batch, one.labels[None], one.matte[None], chances=chances, active_area=area)

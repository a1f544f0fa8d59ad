"""What is in an output folder already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videoparts.config import SourceSettings
from videoparts.edited import edited, smoothed
from videoparts.edits import FILE as EDITS
from videoparts.edits import Edit, Edition, load_edits
from videoparts.errors import OutputError, SourceError
from videoparts.frames import FrameBatch
from videoparts.joints import Joint
from videoparts.manifest import FILE as MANIFEST
from videoparts.manifest import Manifest
from videoparts.mask_store import KeptFrame, MaskStore
from videoparts.masks import Part, PartMasks
from videoparts.runs import Run
from videoparts.source_hash import source_sha256
from videoparts.sources import open_source
from videoparts.sources.base import Source

if TYPE_CHECKING:
    from videoparts.parts import PartModel

Entry = tuple[PartMasks, list[Joint]]
"""Masks of one frame or a few, as they were found, and their joints."""


def manifest_of(output: Path) -> Manifest | None:
    """The manifest in an output folder, None where there is none."""
    return Manifest.load(output) if (output / MANIFEST).exists() else None


def refuse_edited(output: Path) -> None:
    """Leave a folder alone whose masks were edited: a new run would throw the edits away.

    Raises:
        OutputError: there are edits.
    """
    path = output / EDITS
    if path.exists() and (edits := load_edits(path)[0]):
        raise OutputError(
            f"{output} holds {len(edits)} edits of the masks that are there: write other formats with videoparts edit "
            f"{output} --formats ..., remove {path} to begin anew, or choose another folder"
        )


@dataclass(frozen=True)
class Result:
    """An output folder with masks: what they were made of, and what edits have made of them."""

    folder: Path
    manifest: Manifest
    run: Run
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

    @property
    def source_settings(self) -> SourceSettings:
        """Which frames of the source have masks."""
        given = self.manifest.settings["source"]
        return SourceSettings(**{name: value for name, value in given.items() if name != "sha256"})

    def source(self, path: Path | None = None) -> Source:
        """Open what the masks were made of.

        Args:
            path: where it is now; None: where it was.

        Raises:
            SourceError: it is not there, or another, or cannot be read.
        """
        known = self.manifest.source
        path = path or Path(known.path)
        if not path.exists():
            raise SourceError(f"{path}: the clip that the masks were made of is not there; say where it is")
        if source_sha256(path) != known.sha256:
            raise SourceError(f"{path}: the masks in {self.folder} were made of another clip, {known.name}; give that")
        return open_source(path, self.source_settings)

    def shown(self, source: Source, *, mattes: bool) -> Iterator[PartMasks]:
        """The masks of every frame as they are in the folder now, with the source's pixels."""
        edition = self.edition
        with closing(kept_entries(self.run.finer(edition.levels), source)) as entries:
            found = (edited(masks, edition, mattes=mattes or bool(edition.window)) for masks, _ in entries)
            yield from smoothed(found, edition)


def opened_result(folder: Path) -> Result:
    """Open an output folder.

    Raises:
        SourceError: it has no manifest, or a broken one.
        OutputError: what edits start from is not there any more.
        SettingsError: its edits cannot be read.
    """
    manifest = Manifest.load(folder)
    run = Run(folder, str(manifest.settings.get("run")))
    kept = run.masks().frames
    if not kept or not run.model_path.exists():
        raise OutputError(f"{folder}: what edits start from, {run.folder}, is not there; run videoparts masks again")
    if kept != len(manifest.frames):
        raise OutputError(
            f"{folder}: of {len(manifest.frames)} frames {kept} are kept in {run.folder}; run videoparts masks again, "
            f"into another folder if there are edits, and there videoparts edit --edits {folder / EDITS}"
        )
    edits = load_edits(folder / EDITS)[0] if (folder / EDITS).exists() else []
    return Result(folder, manifest, run, edition_of(manifest.settings["found"]), tuple(edits))


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


def edition_of(found: Mapping[str, Any]) -> Edition:
    """The parts that `found_by` told of, before any edit."""
    parts = [Part(one["number"], one["name"], tuple(one["colour"])) for one in found["parts"]]
    return Edition.of(parts, frozenset(found["hidden"]), found["within"])


def kept_entries(store: MaskStore, source: Source, *, chances: bool = False) -> Iterator[Entry]:
    """The frames that a store holds, one at a time, with the source's pixels.

    Raises:
        SourceError: the source gives other frames than those that were labelled.
    """
    kept = store.read(chances=chances)
    first = next(kept, None)
    if first is None:
        return
    with closing(source.batches(1)) as batches:  # type: ignore[type-var]  # every source gives a generator
        for batch, one in zip(batches, _chain(first, kept), strict=False):
            if (int(batch.index[0]), int(batch.pts[0])) != (one.index, one.pts):
                raise SourceError(
                    f"{source.info.path}: gives other frames than before; run the command in a new folder"
                )
            yield _masks(batch, one), [one.joint]


def entries_without_pixels(store: MaskStore, manifest: Manifest) -> Iterator[Entry]:
    """The same from the store and the manifest alone; all pixels are black."""
    source = manifest.source
    black = np.broadcast_to(np.uint8(0), (1, source.height, source.width, 3))
    for one, frame in zip(store.read(), manifest.frames, strict=True):
        index, pts = np.array([one.index]), np.array([one.pts])
        names = (frame.stem,) if source.kind == "frames" else None
        yield _masks(FrameBatch(black, index, pts, source.time_base, names), one), [one.joint]


def _masks(batch: FrameBatch, one: KeptFrame) -> PartMasks:
    chances = None if one.chances is None else one.chances[None]
    return PartMasks(batch, one.labels[None], one.matte[None], chances=chances)


def _chain(first: KeptFrame, others: Iterator[KeptFrame]) -> Iterator[KeptFrame]:
    yield first
    yield from others

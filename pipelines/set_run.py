"""One set of pictures, from a look at every one to its output folder."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videoparts.cache import FeatureCache
from videoparts.editing.edited import edited
from videoparts.editing.edits import Edition
from videoparts.errors import FitError, OutputError, SourceError
from videoparts.files.atomic import atomic_file, ensure_not_input
from videoparts.files.transaction import Transaction, refuse_foreign, transaction
from videoparts.frames import FrameBatch, VideoInfo
from videoparts.masks import Part, PartMasks
from videoparts.painting.palette import part_colour
from videoparts.parts.model import PartModel, check_model_path, hidden_parts
from videoparts.pictures.check import CheckedPicture
from videoparts.pictures.strangers import strangers, whole_looks
from videoparts.results.picture_store import PictureStore
from videoparts.results.runs import Run, run_key
from videoparts.results.set_manifest import FILE, PictureEntry, outputs_of, save_set_manifest
from videoparts.segmentation import segment
from videoparts.sinks.formats import FormatSink
from videoparts.sinks.images.contact_pages import ContactPages
from videoparts.sinks.images.davis import DavisImages
from videoparts.sinks.images.matte_images import MatteImages
from videoparts.sinks.images.object_images import Cutouts, ObjectImages
from videoparts.sources.picture_set import Picture
from videoparts.sources.picture_source import PictureSource
from videoparts.sources.source_hash import source_sha256
from videoparts.stream import prefetch

from .chain import Chain, given_model
from .other_results import refuse_other_results
from .picture_inputs import Looked, looked_at
from .result import edition_of, found_by
from .run_settings import run_settings

if TYPE_CHECKING:
    from .set_options import Choice, SetOptions

MODEL = "parts.safetensors"
_SMALL = 10  # pictures: fewer are a small set
_SINKS = {"davis": DavisImages, "object": ObjectImages, "mattes": MatteImages, "cutouts": Cutouts}
_WITH_MATTES = {"mattes", "cutouts"}


class SetRun:
    """One run over one set.

    Args:
        options: the command.
        chain: its extractor and terminal.
        pictures: the set.
        output: the folder to write into.
    """

    def __init__(self, options: SetOptions, chain: Chain, pictures: Sequence[Picture], output: Path) -> None:
        self._options, self._chain, self._given, self._output = options, chain, pictures, output

    def go(self) -> Looked:
        """Do it; gives which pictures could be used.

        Raises:
            FitError: the set is too small, or has no object in common.
            OutputError: the folder cannot be written into, or holds what no run has made.
            SettingsError: the part model that is given cannot be used.
            SourceError: no picture can be used, or one that was there is gone.
        """
        given = given_model(self._options)
        if self._options.save_model is not None:
            check_model_path(self._options.save_model)
        if given is None and self._options.fit.parts != "auto":
            hidden_parts(self._options.fit.parts, self._options.include, self._options.exclude)
        ensure_not_input(self._output, {picture.path.parent for picture in self._given})
        with transaction(self._output) as new:
            before = self._earlier()
            self._refuse_foreign(self._output, self._example_parts(given), before)
            looked = looked_at(self._given, self._chain.extractor(), self._chain.terminal)
            if given is None and len(looked.good) < 2:
                self._chain.terminal.insist(*looked.lines())
                raise FitError(
                    f"{self._where()}: 1 picture that can be used, and what pictures have in common takes two; add "
                    "some, or give --model-file"
                )
            self._write(given, looked, before, new)
        return looked

    def _where(self) -> Path:
        return self._given[0].path.parent

    def _example_parts(self, given: PartModel | None) -> list[Part]:
        """Parts as they may come out, for a look at what cannot be written."""
        names = given.names if given is not None else ["part1"]
        return [Part(k, name, part_colour(k)) for k, name in enumerate(names, start=1)]

    def _earlier(self) -> list[str]:
        refuse_other_results(self._output, "cosegment")
        return outputs_of(self._output)

    def _sinks(self, folder: Path, parts: Sequence[Part]) -> list[FormatSink]:
        like = VideoInfo(self._where(), 1, 1, len(self._given), Fraction(1), Fraction(1))
        sinks: list[FormatSink] = [
            sink(folder, like, parts) for name, sink in _SINKS.items() if name in self._options.formats
        ]
        return [*sinks, ContactPages(folder, like, parts)] if self._options.contact else sinks

    def _refuse_foreign(self, folder: Path, parts: Sequence[Part], before: Sequence[str]) -> None:
        paths = [path for sink in self._sinks(folder, parts) for path in sink.outputs]
        refuse_foreign(folder, [*paths, folder / MODEL, folder / FILE], before)

    def _settings(self, given: PartModel | None, good: Sequence[CheckedPicture]) -> dict[str, Any]:
        """All that the masks depend on, as JSON has it; see `run_settings`."""
        options = self._options
        return {
            "pictures": [[one.picture.name, one.sha256] for one in good],
            **run_settings(options, given),
            "augment": _chosen(options.augment, len(good)),
            "common": _chosen(options.common, len(good)),
            "remove_outliers": options.remove_outliers,
        }

    def _write(
        self,
        given: PartModel | None,
        looked: Looked,
        before: Sequence[str],
        new: Transaction,
    ) -> None:
        options, chain, good = self._options, self._chain, looked.good
        settings = self._settings(given, good)
        run = Run(self._output, run_key(settings))
        model, unlike = self._model(given, good, run)
        store = PictureStore(run.folder)
        self._label(model, good, unlike, store)
        shown = model.select(options.include, options.exclude) if given is None else given
        edition = edition_of(found_by(shown, shown))
        self._refuse_foreign(self._output, edition.parts, before)  # hours may have passed
        entries = []
        with ExitStack() as stack:
            sinks = [stack.enter_context(sink) for sink in self._sinks(new.path, edition.parts)]
            advance = stack.enter_context(chain.terminal.bar("write", len(good), unit="picture"))
            for position, (one, masks) in enumerate(zip(good, self._masks(good, store, edition), strict=True)):
                with chain.clock.stage("write"):
                    for sink in sinks:
                        sink.write(masks)
                entries.append(_entry(one, masks, position in unlike))
                advance(1)
        made = [path.relative_to(new.path).as_posix() for sink in sinks for path in sink.outputs]
        shown.save(new.path / MODEL)
        made.append(MODEL)
        save_set_manifest(
            new.path / FILE,
            pictures=entries,
            left_out=looked.left_out,
            parts=edition.parts,
            outputs=made,
            settings={key: value for key, value in settings.items() if key != "pictures"} | {"run": run.key},
            model_sha256=source_sha256(new.path / MODEL),
            extractor=model.identity,
        )
        if options.save_model is not None:
            shown.save(options.save_model)
        gone = sorted({*before} - {*made, FILE})
        new.commit([*made, FILE], [*gone, *run.others()])
        self._say(entries, edition)

    def _model(
        self, given: PartModel | None, good: Sequence[CheckedPicture], run: Run
    ) -> tuple[PartModel, frozenset[int]]:
        """The part model, all of its parts shown, and the positions of strangers."""
        kept = run.model()
        told = run.folder / "strangers.json"
        if kept is not None:
            try:
                return kept, frozenset(json.loads(told.read_text()))
            except (OSError, ValueError) as error:
                raise OutputError(f"{told}: cannot be read; remove {run.folder} and run again") from error
        source = PictureSource([one.picture for one in good])
        model = given if given is not None else self._fit(source)
        unlike: frozenset[int] = frozenset()
        if self._options.remove_outliers:
            with self._chain.terminal.bar("compare", len(good), unit="picture") as advance:
                looks = whole_looks(
                    source,
                    self._chain.extractor(),
                    model,
                    cache=self._chain.cache,
                    clock=self._chain.clock,
                    on_pictures=advance,
                )
            unlike = frozenset(np.flatnonzero(strangers(looks)).tolist())
            for position in sorted(unlike):
                self._chain.terminal.note(f"{good[position].picture.path}: shows something else than the others")
            like = [one.picture for k, one in enumerate(good) if k not in unlike]
            if given is None and unlike:
                if len(like) < 2:
                    raise FitError(f"{self._where()}: the pictures have nothing in common; give others")
                self._chain.cache = FeatureCache()
                model = self._fit(PictureSource(like))
                self._chain.cache = FeatureCache()  # positions are those among the likes
        model = model.select(include=range(1, len(model) + 1))
        with atomic_file(told) as temporary:
            temporary.write_text(json.dumps(sorted(unlike)))
        model.save(run.model_path)
        return model, unlike

    def _fit(self, source: PictureSource) -> PartModel:
        options, count = self._options, len(source.pictures)
        views, common = _chosen(options.augment, count), _chosen(options.common, count)
        return self._chain.fit_set(source, views=views, common=common)

    def _label(
        self, model: PartModel, good: Sequence[CheckedPicture], unlike: frozenset[int], store: PictureStore
    ) -> None:
        """Masks of all pictures into the store, where they are not there yet."""
        wanted = [k for k in range(len(good)) if k not in store]
        if done := len(good) - len(wanted):
            self._chain.terminal.note(f"{done} pictures are labelled already, by an earlier run")
        for position in wanted:
            if position in unlike:
                nothing = np.zeros(good[position].size, np.uint8)
                store.write(position, nothing, nothing)
        wanted = [k for k in wanted if k not in unlike]
        if not wanted:
            return
        source = PictureSource([good[k].picture for k in wanted])
        with (
            closing(self._found(model, source, whole=len(wanted) == len(good))) as found,
            self._chain.terminal.bar("label", len(wanted), unit="picture") as advance,
        ):
            try:
                for masks in found:
                    assert masks.matte is not None
                    for i, index in enumerate(masks.frames.index.tolist()):
                        store.write(wanted[index], masks.labels[i], masks.matte[i])
                    advance(len(masks))
                    done += len(masks)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"stopped; the same command goes on after {done} pictures") from None

    def _found(self, model: PartModel, source: PictureSource, *, whole: bool) -> Generator[PartMasks, None, None]:
        """The masks of pictures, a few at a time. The cache knows them by their place in the ``whole`` set."""
        chain = self._chain
        cache = chain.cache if whole else None
        return prefetch(
            segment(source, chain.extractor(), model, self._options.refine, matte=True, cache=cache, clock=chain.clock)
        )

    def _masks(self, good: Sequence[CheckedPicture], store: PictureStore, edition: Edition) -> Iterator[PartMasks]:
        """What is shown of each picture, with its pixels."""
        mattes = bool(_WITH_MATTES & {*self._options.formats})
        for position, one in enumerate(good):
            labels, matte = store.read(position)
            at = np.array([position], np.int64)
            pixels = one.picture.pixels()
            if pixels.shape[:2] != labels.shape:
                raise SourceError(f"{one.picture.path}: was changed while the run was at work; give the command again")
            frame = FrameBatch(pixels[None], at, at, Fraction(1), (one.picture.name,))
            yield edited(PartMasks(frame, labels[None], matte[None]), edition, mattes=mattes)

    def _say(self, entries: Sequence[PictureEntry], edition: Edition) -> None:
        terminal = self._chain.terminal
        terminal.times(self._chain.clock, len(entries), "picture")
        with_any = sum(bool(entry.parts) for entry in entries)
        terminal.say(f"found in {with_any} of {len(entries)} pictures")
        for part in edition.parts if len(edition.parts) > 1 else ():
            shares = [entry.parts[part.number] for entry in entries if part.number in entry.parts]
            mean = sum(shares) / len(entries)
            terminal.say(f"  {part.number} {part.name:<12}{mean:7.1%} of a picture, in {len(shares)} of {len(entries)}")
        terminal.say(f"wrote to {self._output}")


def _chosen(choice: Choice, pictures: int) -> bool:
    """Whether something is done for a set of so many pictures."""
    return choice == "on" or (choice == "auto" and pictures < _SMALL)


def _entry(one: CheckedPicture, masks: PartMasks, stranger: bool) -> PictureEntry:
    count = np.bincount(masks.labels.ravel())
    share = {k: round(int(n) / masks.labels.size, 6) for k, n in enumerate(count.tolist()) if k and n}
    height, width = one.size
    return PictureEntry(one.picture.name, one.picture.path.name, width, height, stranger, share)

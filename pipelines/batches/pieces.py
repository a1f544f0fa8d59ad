"""Long clips in pieces: which, and how the masks of each come together again, byte for byte as one machine has them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from videoparts.files.atomic import atomic_file
from videoparts.parts.model import PartModel
from videoparts.results.mask_store import MaskStore, piece_length
from videoparts.sources.base import Source

from ..chain import Chain
from ..commands.masks import Masks
from ..labelling import labelled

# Frames of a piece. Ten more are labelled for what its ends hang on (of a window of 9), a twenty-fifth of the work. A
# film keeps a worker for each piece busy: one of 17 minutes, at 25 frames a second, a hundred.
_LENGTH = 256


@dataclass(frozen=True)
class Piece:
    """Some of a clip's selected frames."""

    first: int
    stop: int | None  # None: to the end

    def __str__(self) -> str:
        return "the clip" if self.stop is None else f"frames {self.first} to {self.stop - 1}"


@dataclass(frozen=True)
class LabelledPiece:
    """What a worker has made of a piece."""

    files: Mapping[str, bytes] = field(repr=False)  # those of a mask store, by name
    frames: int

    def is_short(self, piece: Piece) -> bool:
        """Whether frames are missing that the piece should have."""
        return piece.stop is not None and self.frames < piece.stop - piece.first


def pieces_of(source: Source, store: MaskStore, length: int | None = None) -> list[Piece]:
    """What is left to be labelled of a clip, cut into pieces.

    Args:
        source: the clip. Where its length is not known, it stays whole.
        store: what is labelled already; a file of it that is as it should be stays.
        length: frames of a piece, None: the usual; it is rounded to what the store keeps together.

    Raises:
        OutputError: the store cannot be read.
    """
    info = source.info
    if info.frames is None:
        return [Piece(0, None)]
    unit = piece_length((info.height, info.width))
    length = max(1, (length or _LENGTH) // unit) * unit
    there = {first for first, index in store.indices() if index == [*source.selected[first : first + unit]]}
    pieces: list[Piece] = []
    for first in range(0, info.frames, unit):
        if first in there:
            continue
        piece = Piece(first, min(info.frames, first + unit))
        if pieces and pieces[-1].stop == first and first - pieces[-1].first < length:
            piece = Piece(pieces.pop().first, piece.stop)
        pieces.append(piece)
    return pieces


def label_piece(chain: Chain, source: Source, command: Masks, model: PartModel, piece: Piece) -> LabelledPiece:
    """Label a piece of a clip.

    Args:
        chain: whose extractor labels.
        source: the clip.
        command: says how.
        model: at the level that is labelled.
        piece: which frames.

    Raises:
        SourceError: the clip cannot be decoded.
    """
    with tempfile.TemporaryDirectory(prefix="videoparts-") as folder:
        store = MaskStore(Path(folder), first=piece.first)
        for masks, joints in labelled(
            chain, source, model, command.refine, piece.first, piece.stop, chances=command.keep_features
        ):
            store.write(masks, joints)
        store.close()
        files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    return LabelledPiece(files, store.frames - piece.first)


def keep_piece(folder: Path, labelled: LabelledPiece) -> None:
    """Put the files of a piece into a store's folder, each whole or not at all.

    Raises:
        OutputError: one cannot be written.
    """
    for name, content in labelled.files.items():
        with atomic_file(folder / name) as temporary:
            temporary.write_bytes(content)


def fit_together(store: MaskStore, source: Source) -> bool:
    """Whether what a store holds, a clip being labelled in pieces, is what one machine would have made.

    A clip that breaks off is no harm. Of frames missing between others, one machine keeps no place free, and a window
    sees beyond them: then pieces do not fit together.

    Raises:
        OutputError: the store cannot be read.
    """
    at = 0
    for first, index in store.indices():
        if first != at or index != [*source.selected[at : at + len(index)]]:
            return False
        at += len(index)
    return True

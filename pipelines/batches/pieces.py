"""Long clips in pieces: which, and how the masks of each come together again, byte for byte as one machine has them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from videoparts.atomic import atomic_file
from videoparts.mask_store import MaskStore, piece_length
from videoparts.parts import PartModel
from videoparts.sources.base import Source

from ..chain import Chain
from ..labelling import labelled
from ..masks import Masks

_LENGTH = 256  # frames: six more are labelled for what a piece's ends hang on, a fortieth


@dataclass(frozen=True)
class Piece:
    """Some of a clip's selected frames."""

    first: int
    stop: int | None  # None: to the end


def pieces_of(frames: int | None, size: tuple[int, int], done: int, length: int | None = None) -> list[Piece]:
    """A clip cut into pieces.

    Args:
        frames: of the clip; None: not known, then it stays whole.
        size: (height, width) of a frame.
        done: frames that are labelled already.
        length: of a piece, None: the usual; it is rounded to what the store keeps together.
    """
    if frames is None:
        return [Piece(done, None)]
    unit = piece_length(size)
    length = max(1, (length or _LENGTH) // unit) * unit
    return [Piece(first, min(frames, first + length)) for first in range(done, frames, length)]


def label_piece(chain: Chain, source: Source, command: Masks, model: PartModel, piece: Piece) -> dict[str, bytes]:
    """The files that a store keeps of a piece.

    Args:
        chain: whose extractor labels.
        source: the clip.
        command: says how.
        model: at the level that is labelled.
        piece: which frames.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = MaskStore(Path(folder), first=piece.first)
        for masks, joints in labelled(
            chain, source, model, command.refine, piece.first, piece.stop, chances=command.keep_features
        ):
            store.write(masks, joints)
        store.close()
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def keep_pieces(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put the files of a piece into a store's folder, each whole or not at all."""
    for name, content in files.items():
        with atomic_file(folder / name) as temporary:
            temporary.write_bytes(content)

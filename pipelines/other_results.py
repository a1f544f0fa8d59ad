"""What an output folder may hold already, of another command."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from videoparts.errors import OutputError
from videoparts.results.manifest import FILE as MANIFEST
from videoparts.results.set_manifest import FILE as SET_MANIFEST

from .batches.journal import FILE as JOURNAL

_TOLD_BY = {
    "masks": (MANIFEST, "the masks of one clip"),
    "cosegment": (SET_MANIFEST, "the masks of a set of pictures"),
    "batch": (JOURNAL, "a batch"),
}


def refuse_other_results(output: Path, command: Literal["masks", "cosegment", "batch"]) -> None:
    """Leave a folder alone that holds the results of another command: a run would take their place.

    Args:
        output: the folder; it may be missing.
        command: the one that is to write there.

    Raises:
        OutputError: another has.
    """
    for other, (file, what) in _TOLD_BY.items():
        if other != command and (output / file).exists():
            raise OutputError(f"{output} holds {what}; choose another folder")

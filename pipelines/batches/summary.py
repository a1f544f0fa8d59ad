"""What a batch has made, for people and for spreadsheets: ``index.html`` and ``summary.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from videoparts.files.atomic import atomic_file

from .index_page import page
from .rows import Row, Told, told_of

__all__ = ["CSV", "PAGE", "Row", "write_summary"]

PAGE = "index.html"
CSV = "summary.csv"

_ABOUT = ("clip", "input", "status", "error")
_FACTS = ("frames", "width", "height", "seconds", "cuts", "coverage", "t160", "flicker", "parts")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of one


def write_summary(output: Path, rows: Sequence[Row], *, parts_shared: bool) -> None:
    """Write ``summary.csv`` and ``index.html`` of a batch, from the manifests that are there.

    Neither holds a time or the name of ``output``: the same rows and results give the same bytes. One manifest at a
    time is read; one that is missing or broken makes its clip ``unreadable``, and nothing else.

    ``summary.csv`` is UTF-8 as RFC 4180 has it, a line a clip. ``coverage`` and ``part<k>_coverage`` are shares of the
    picture, 0 to 1, mean over the clip's frames; ``t160`` and ``flicker`` are those of the manifest's report; ``parts``
    counts the parts that some frame has. Part columns are those numbers that any clip has. What is not known is empty.
    Text that a spreadsheet would take for a formula begins with an apostrophe.

    Args:
        output: the batch's folder.
        rows: its clips, in the order in which they are told.
        parts_shared: whether a part means the same in every clip: then the page tells the parts once.

    Raises:
        OutputError: one of the two cannot be written; one that was there is still there.
    """
    told = [told_of(output, row) for row in rows]
    with (
        atomic_file(output / CSV) as temporary,
        # Bytes of a name that are no UTF-8 are told as \udc80 and the like.
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        csv.writer(file).writerows(_table(told))
    with atomic_file(output / PAGE) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(page(told, parts_shared=parts_shared))


def _table(told: Sequence[Told]) -> Iterator[list[object]]:
    numbers = sorted({part.number for one in told if one.facts for part, _ in one.facts.parts})
    yield [*_ABOUT, *_FACTS, *(f"part{k}_{what}" for k in numbers for what in ("name", "coverage"))]
    for one in told:
        yield [_text(one.row.name), _text(str(one.row.path)), one.status, _text(one.error), *_numbers(one, numbers)]


def _numbers(told: Told, numbers: Sequence[int]) -> Iterator[object]:
    facts = told.facts
    if facts is None:
        yield from [None] * (len(_FACTS) + 2 * len(numbers))
        return
    yield from (facts.frames, facts.width, facts.height, facts.seconds, facts.cuts)
    yield from (facts.coverage, facts.agreement, facts.flicker, sum(share > 0 for _, share in facts.parts))
    parts = {part.number: (_text(part.name), share) for part, share in facts.parts}
    for number in numbers:
        yield from parts.get(number, (None, None))


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text

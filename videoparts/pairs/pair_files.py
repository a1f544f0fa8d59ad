"""Points of two pictures as files: correspondences, the truth that they are scored against, points to transfer.

All are one JSON format, of which a file holds what it knows::

    {
      "format": "videoparts.correspondences/1",
      "one":   {"name": "cat", "width": 1280, "height": 960},
      "other": {"name": "ibex", "width": 1250, "height": 1280, "box": [210, 300, 1000, 980]},
      "pairs": [
        {"number": 1, "one": [997.3, 315.0], "other": [918.2, 485.3], "similarity": 0.61, "saliency": 0.74},
        {"number": 2, "one": [372.0, 495.5], "name": "hind leg"}
      ]
    }

Coordinates are x and y in pixels of the picture, see `points`. ``number`` is the rank, 1 the most salient, or the
place among given points. A ``box``, x0, y0, x1 and y1 around the object, is the truth's; ``other`` of a pair is missing
where a point is only to be transferred.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import SourceError
from ..files.atomic import atomic_file
from ..files.json_objects import object_of, shown
from .correspondences import Correspondence

FORMAT = "videoparts.correspondences/1"
_DECIMALS = 4
_FARTHEST = 1e9  # pixels


@dataclass(frozen=True)
class PictureOfPair:
    """One of the two pictures."""

    name: str
    width: int
    height: int
    box: tuple[float, ...] | None = None  # x0, y0, x1, y1

    def __post_init__(self) -> None:
        if not (1 <= self.width <= _FARTHEST and 1 <= self.height <= _FARTHEST):
            raise ValueError(f"a picture cannot be {shown(self.width)} pixels wide and {shown(self.height)} high")
        if self.box is not None:
            _require_numbers("box", self.box, 4)
            if self.box[0] >= self.box[2] or self.box[1] >= self.box[3]:
                raise ValueError(f"box {shown(self.box)} is empty: it is x0, y0, x1, y1")


@dataclass(frozen=True)
class PointPair:
    """A point of the first picture and, where it is known, the same one of the other."""

    number: int
    one: tuple[float, ...]
    other: tuple[float, ...] | None = None
    similarity: float | None = None
    saliency: float | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        for what, point in (("one", self.one), ("other", self.other)):
            if point is not None:
                _require_numbers(what, point, 2)


@dataclass(frozen=True)
class PairFile:
    """What one file holds."""

    one: PictureOfPair
    other: PictureOfPair | None
    pairs: tuple[PointPair, ...]


def pair_file(one: PictureOfPair, other: PictureOfPair, pairs: Sequence[Correspondence]) -> PairFile:
    """What is written of correspondences: numbered in their order."""
    numbered = [
        PointPair(
            number,
            _rounded(pair.one),
            _rounded(pair.other),
            round(pair.similarity, _DECIMALS),
            None if pair.saliency is None else round(pair.saliency, _DECIMALS),
            pair.name,
        )
        for number, pair in enumerate(pairs, start=1)
    ]
    return PairFile(one, other, tuple(numbered))


def write_json(path: Path, content: PairFile) -> None:
    """Write the JSON file.

    Raises:
        OutputError: it cannot be written.
    """
    told = _known(asdict(content)) | {"pairs": [_known(asdict(pair)) for pair in content.pairs]}
    told = {"format": FORMAT, **told, "one": _known(told["one"])}
    if content.other is not None:
        told["other"] = _known(asdict(content.other))
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(told, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(path: Path, content: PairFile) -> None:
    """Write a table: a head, then a line a pair.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("number", "x1", "y1", "x2", "y2", "similarity", "saliency", "name"))
    for pair in content.pairs:
        ends = (*pair.one, *(pair.other or ("", "")))
        table.writerow(
            (pair.number, *ends, *("" if v is None else v for v in (pair.similarity, pair.saliency, pair.name)))
        )
    with atomic_file(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_pairs(path: Path) -> PairFile:
    """Read a JSON file.

    Raises:
        SourceError: it cannot be read, or is not of the format; the message says where.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        return _content(given)
    except OSError as error:
        raise SourceError(f"{path}: {(error.strerror or str(error)).lower()}; give a JSON file of points") from None
    except (ValueError, RecursionError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise SourceError(f"{path}: this is no file of points ({first}); write it as {FORMAT}") from None


def _content(given: object) -> PairFile:
    if not isinstance(given, dict):
        raise ValueError(f"{shown(given)} is no object")
    if given.get("format") != FORMAT:
        raise ValueError(f"format cannot be {shown(given.get('format'))}")
    if unknown := sorted(given.keys() - {"format", "one", "other", "pairs"}):
        raise ValueError(f"{unknown[0]} is unknown")
    if not isinstance(given.get("pairs"), list):
        raise ValueError("pairs is no list")
    pairs = tuple(_told(f"pair {k}", PointPair, one) for k, one in enumerate(given["pairs"], start=1))
    for what in ("number", "name"):
        known = [value for pair in pairs if (value := getattr(pair, what)) is not None]
        if twice := [value for value in known if known.count(value) > 1]:
            raise ValueError(f"two pairs have the {what} {shown(twice[0])}")
    other = None if "other" not in given else _told("other", PictureOfPair, given["other"])
    return PairFile(_told("one", PictureOfPair, given.get("one")), other, pairs)


def _told(where: str, kind: Any, given: object) -> Any:
    try:
        return object_of(kind, given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _require_numbers(what: str, values: Sequence[float], count: int) -> None:
    if len(values) != count or not all(abs(value) <= _FARTHEST for value in values):
        raise ValueError(f"{what} must be {count} numbers of pixels, got {shown(values)}")


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _known(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}


def _rounded(point: tuple[float, float]) -> tuple[float, float]:
    return round(point[0], _DECIMALS), round(point[1], _DECIMALS)

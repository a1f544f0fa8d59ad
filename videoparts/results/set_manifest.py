"""``cosegment.json``: what an output folder of a set of pictures holds, what it was made from, and how.

``manifest.json``, of clips, has one size, times and tracks, none of which a set has. The same run gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..files.atomic import atomic_file
from ..identity import ExtractorIdentity
from ..masks import Part
from .manifest import versions

FILE = "cosegment.json"
_FORMAT = "videoparts.cosegment/1"


@dataclass(frozen=True)
class PictureEntry:
    """A picture that was labelled."""

    name: str  # of its files, without the ending
    file: str
    width: int
    height: int
    stranger: bool  # unlike the others: its masks are empty
    parts: Mapping[int, float]  # share of the picture that each part has, by its number; those that it has


def save_set_manifest(
    path: Path,
    *,
    pictures: Sequence[PictureEntry],
    left_out: Mapping[str, str],
    parts: Sequence[Part],
    outputs: Sequence[str],
    settings: Mapping[str, Any],
    model_sha256: str,
    extractor: ExtractorIdentity,
) -> None:
    """Write a manifest.

    Args:
        path: of the file.
        pictures: in the order of the set.
        left_out: why pictures could not be used, by their names.
        parts: those that are shown.
        outputs: files and folders beside it that the run made.
        settings: what the masks were made with.
        model_sha256: of the part model's file.
        extractor: that it belongs to.

    Raises:
        OutputError: it cannot be written.
    """
    about = {
        "format": _FORMAT,
        "parts": [asdict(part) for part in parts],
        "pictures": [asdict(picture) for picture in pictures],
        "left_out": dict(left_out),
        "outputs": list(outputs),
        "settings": dict(settings),
        "part_model": {"sha256": model_sha256, "extractor": extractor.to_json()},
        "versions": versions(),
    }
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(about, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


def outputs_of(folder: Path) -> list[str]:
    """What the manifest in an output folder says that an earlier run made; nothing where there is none.

    Raises:
        OutputError: it cannot be read, so that nobody knows.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        named = about["outputs"]
        if about["format"] != _FORMAT or not all(isinstance(one, str) for one in named):
            raise ValueError(about["format"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise OutputError(
            f"{path}: not a manifest that can be read; empty {folder} or choose another folder"
        ) from error
    return [*named, FILE]

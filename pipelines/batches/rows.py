"""What the summary and the contact sheet tell of each clip. Little is kept of it, however long the clip is."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from videoparts.errors import SourceError
from videoparts.masks import Part
from videoparts.results.manifest import Manifest
from videoparts.sinks.pages.viewer import NAME as VIEWER

from .contact import FILE as CONTACT

Status = Literal["done", "failed", "waiting", "unreadable"]
STATUSES: tuple[Status, ...] = ("done", "failed", "unreadable", "waiting")


@dataclass(frozen=True)
class Row:
    """One clip of a batch."""

    name: str  # its folder, relative to the batch's
    path: Path  # the input
    status: Literal["done", "failed", "waiting"]
    error: str = ""  # why it failed, one line


@dataclass(frozen=True)
class Facts:
    """What a clip's manifest says of the whole of it. Shares are of the picture, mean over all frames."""

    frames: int
    width: int
    height: int
    seconds: float  # until the last frame has been shown, as long as the one before it
    cuts: int
    coverage: float  # share of all parts together
    agreement: float | None  # `Report.t160`
    flicker: float | None
    parts: tuple[tuple[Part, float], ...]  # each with its share


@dataclass(frozen=True)
class Told:
    """A row, and what is in its folder."""

    row: Row
    status: Status
    error: str
    facts: Facts | None  # of a clip that is done
    folder: bool  # whether these are there
    viewer: bool
    picture: bool


def told_of(output: Path, row: Row) -> Told:
    """Look at what there is of one clip. Whatever is missing or broken, it is told.

    Args:
        output: the batch's folder.
        row: the clip.
    """
    folder = output / row.name
    status: Status = row.status
    error, facts = " ".join(row.error.split()), None
    if status == "done":
        try:
            facts = _facts(Manifest.load(folder))
        except SourceError:
            status, error = (
                "unreadable",
                "manifest.json is missing or broken; remove the folder of this clip and run again",
            )
    done = facts is not None
    return Told(
        row,
        status,
        error,
        facts,
        folder=folder.is_dir(),
        viewer=done and (folder / VIEWER).is_file(),
        picture=done and (folder / CONTACT).is_file(),
    )


def _facts(manifest: Manifest) -> Facts:
    source, report = manifest.source, manifest.report
    return Facts(
        frames=source.frames,
        width=source.width,
        height=source.height,
        seconds=round(float(_lasts(manifest)), 3),
        cuts=len(report.cuts),
        coverage=report.object.share,
        agreement=report.t160,
        flicker=report.flicker,
        parts=tuple((part, one.presence.share) for part, one in zip(manifest.parts, report.parts, strict=True)),
    )


def _lasts(manifest: Manifest) -> Fraction:
    pts = [frame.pts for frame in manifest.frames[-2:]]
    if not pts:
        return Fraction(0)
    last = (pts[1] - pts[0]) * manifest.source.time_base if pts[1:] else 1 / manifest.source.rate
    return (pts[-1] - manifest.frames[0].pts) * manifest.source.time_base + last

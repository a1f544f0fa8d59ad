"""``manifest.json``: what an output folder holds, what it was made from, and how.

Its format is `FORMAT`, its JSON Schema ``manifest.schema.json`` beside this file. The same run gives the same bytes.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib import metadata, resources
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

import numpy as np

from ..errors import SourceError
from ..files.atomic import atomic_file
from ..files.json_objects import object_of
from ..frames import ColourTags, VideoInfo
from ..identity import ExtractorIdentity
from ..masks import Part
from ..reports.report import Report
from ..reports.tracks import FrameEntry, Track
from ..sources.source_hash import source_sha256

FORMAT = "videoparts.manifest/1"
FILE = "manifest.json"

_FAMILY = "videoparts.manifest/"
_VERSIONED = ("videoparts", "torch", "timm", "av", "numpy")
_CHUNK = 4096  # frames that are turned into text together

Json = dict[str, Any]


@dataclass(frozen=True)
class ManifestSource:
    """What the frames came from. Size and pixel aspect are those of upright frames."""

    name: str
    path: str  # absolute
    sha256: str  # see `source_sha256`
    kind: Literal["video", "frames"]
    width: int
    height: int
    frames: int  # that have masks
    time_base: Fraction
    rate: Fraction
    rotation: int
    mirrored: bool
    pixel_aspect: Fraction
    colour: ColourTags
    has_audio: bool

    def __post_init__(self) -> None:
        self.info()  # which checks itself

    @classmethod
    def of(cls, info: VideoInfo, frames: int, sha256: str | None = None) -> ManifestSource:
        """Of an open source.

        Args:
            info: of the source.
            frames: how many of its frames have masks.
            sha256: its `source_sha256`, where that is known; None: all of its bytes are read for it.

        Raises:
            SourceError: it cannot be read any more.
        """
        return cls(
            name=info.path.name or info.path.resolve().name,
            path=str(info.path.absolute()),
            sha256=sha256 or source_sha256(info.path),
            kind="frames" if info.path.is_dir() else "video",
            width=info.width,
            height=info.height,
            frames=frames,
            time_base=info.time_base,
            rate=info.rate,
            rotation=info.rotation,
            mirrored=info.mirrored,
            pixel_aspect=info.pixel_aspect,
            colour=info.colour,
            has_audio=info.has_audio,
        )

    def info(self) -> VideoInfo:
        """The source's info, without opening it."""
        return VideoInfo(
            path=Path(self.path),
            height=self.height,
            width=self.width,
            frames=self.frames,
            time_base=self.time_base,
            rate=self.rate,
            rotation=self.rotation,
            pixel_aspect=self.pixel_aspect,
            colour=self.colour,
            has_audio=self.has_audio,
            mirrored=self.mirrored,
        )


@dataclass(frozen=True)
class ManifestModel:
    """The part model that gave the masks."""

    sha256: str  # of the saved file
    extractor: ExtractorIdentity


@dataclass(frozen=True, repr=False)
class Manifest:
    """The content of a ``manifest.json``.

    Raises:
        ValueError: at birth: frames, parts, tracks and report do not belong together, or a path of ``formats`` or the
            stem of a frame leads out of the folder.
        TypeError: at birth: ``settings`` is nothing that JSON has.
    """

    source: ManifestSource
    frames: tuple[FrameEntry, ...]
    settings: Json
    part_model: ManifestModel
    parts: tuple[Part, ...]
    tracks: tuple[Track, ...]  # one a part, in the same order
    formats: Mapping[str, tuple[str, ...]]  # of each format the files and folders, relative to the output folder
    versions: Mapping[str, str]
    report: Report
    edits: int = 0  # that were applied to the masks since they were made

    def __post_init__(self) -> None:
        # As it will be read again: tuples become lists.
        settings = json.loads(json.dumps(self.settings, allow_nan=False))
        if not isinstance(settings, dict):
            raise TypeError(f"settings must be an object, got {self.settings!r}")
        object.__setattr__(self, "settings", settings)
        numbers = [part.number for part in self.parts]
        if len(set(numbers)) != len(numbers):
            raise ValueError(f"two parts have one number: {numbers}")
        if [track.number for track in self.tracks] != numbers:
            raise ValueError(f"tracks must be of {numbers}, got {[track.number for track in self.tracks]}")
        named = [(part.number, part.name) for part in self.parts]
        if [(part.number, part.name) for part in self.report.parts] != named:
            raise ValueError(f"the report must be on {named}, got {[part.name for part in self.report.parts]}")
        counts = {self.source.frames, self.report.frames, len(self.frames), *map(len, self.tracks)}
        if len(counts) > 1:
            raise ValueError(f"source, frames, tracks and report must have as many frames, got {sorted(counts)}")
        for path in (path for paths in self.formats.values() for path in paths):
            here = Path(path)  # on Windows, a backslash and a drive lead elsewhere too
            names = {*PurePosixPath(path).parts, *here.parts}
            if not names or PurePosixPath(path).is_absolute() or here.is_absolute() or here.drive or ".." in names:
                raise ValueError(f"outputs are named relative to their folder, got {path!r}")
        for stem in (frame.stem for frame in self.frames):
            if stem in ("", ".", "..") or "/" in stem or "\0" in stem or Path(stem).name != stem:
                raise ValueError(f"a frame's stem is the name of a file, got {stem!r}")
        if self.edits < 0:
            raise ValueError(f"a count of edits is not negative, got {self.edits}")

    def __repr__(self) -> str:
        return f"Manifest({self.source.name!r}, {len(self.frames)} frames, parts={[part.name for part in self.parts]})"

    def save(self, folder: Path | str) -> Path:
        """Write ``<folder>/manifest.json``: UTF-8, each frame and each part on a line of its own.

        Returns:
            Its path.

        Raises:
            OutputError: it cannot be written; one that was there is still there.
        """
        path = Path(folder) / FILE
        with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(self._text())
        return path

    @classmethod
    def load(cls, folder: Path | str) -> Manifest:
        """Read what `save` wrote.

        Raises:
            SourceError: there is no manifest in the folder, it is broken, or of another version of the format.
        """
        path = Path(folder) / FILE
        try:
            given = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
        except FileNotFoundError:
            within = sorted(one.parent for one in Path(folder).glob(f"*/{FILE}"))
            make = f"make one with: videoparts masks CLIP -o {folder}"
            remedy = f"give a clip's folder, such as {within[0]}" if within else make
            raise SourceError(f"{folder}: no {FILE} here; {remedy}") from None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror or error}; give a folder that can be read") from error
        except (ValueError, RecursionError) as error:
            raise _broken(path) from error
        form = given.get("format") if isinstance(given, dict) else None
        if form != FORMAT and isinstance(form, str) and form.startswith(_FAMILY):
            raise SourceError(f"{path}: format {form}, not {FORMAT}: of another version of videoparts; {_again(path)}")
        try:
            made = _manifest_of(given)
            if form != FORMAT or not made._says(given):
                raise ValueError("it says more or less than a manifest does")
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            raise _broken(path) from error
        return made

    def _head(self) -> Json:
        """All that does not grow with the frames."""
        return {
            "format": FORMAT,
            "source": _source_json(self.source),
            "settings": self.settings,
            "part_model": {"sha256": self.part_model.sha256, "extractor": self.part_model.extractor.to_json()},
            "versions": dict(self.versions),
            "formats": {name: list(paths) for name, paths in self.formats.items()},
            "edits": self.edits,
        }

    def _part_json(self, i: int) -> Json:
        """Of one part, all that does not grow with the frames."""
        part, presence = self.parts[i], self.report.parts[i].presence
        return {
            "number": part.number,
            "name": part.name,
            "colour": part.hex,
            "coverage": presence.share,
            "present": presence.present,
        }

    def _text(self) -> Iterator[str]:
        """The file, piece by piece, so that no piece grows much with the clip."""
        separator = "{"
        for key, value in self._head().items():
            yield f"{separator}\n{_dumps(key)}:{_dumps(value)}"
            separator = ","
        yield ',\n"report":'
        separator = "{"
        for key, value in self.report.to_json().items():
            yield f"{separator}\n{_dumps(key)}:{_dumps(value)}"
            separator = ","
        yield '},\n"parts":['
        for i, track in enumerate(self.tracks):
            yield ("," if i else "") + "\n" + _dumps(self._part_json(i))[:-1]
            for column in _COLUMNS:
                yield f',"{column}":['
                for start in range(0, len(track), _CHUNK):
                    yield ("," if start else "") + _dumps(_column(track, column, start, start + _CHUNK))[1:-1]
                yield "]"
            yield "}"
        yield '],\n"frames":['
        for i, frame in enumerate(self.frames):
            yield ("," if i else "") + "\n" + _dumps(_frame_json(frame))
        yield "]}\n"

    def _says(self, given: Json) -> bool:
        """Whether nothing in ``given`` is more, less or other than here."""
        head = {key: value for key, value in given.items() if key not in ("report", "parts", "frames")}
        parts, frames = given["parts"], given["frames"]
        return (
            head == self._head()
            and all(_frame_json(frame) == one for frame, one in zip(self.frames, frames, strict=True))
            and all(
                one == self._part_json(i) | {column: _column(self.tracks[i], column) for column in _COLUMNS}
                for i, one in enumerate(parts)
            )
        )


def versions() -> dict[str, str]:
    """The versions of what makes masks."""
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run without being installed
            found[name] = "unknown"
    return {**found, "python": platform.python_version()}


def manifest_schema() -> Json:
    """The JSON Schema (draft 2020-12) of `FORMAT`."""
    return cast("Json", json.loads(resources.files(__package__).joinpath("manifest.schema.json").read_text("utf-8")))


_COLUMNS = ("area", "box", "centre")


def _column(track: Track, column: str, start: int = 0, stop: int | None = None) -> list[Any]:
    """One of `_COLUMNS` for some frames; None where the part is absent. A centre is rounded to two digits."""
    there = track.area[start:stop] > 0
    values = getattr(track, column)[start:stop]
    if column == "centre":
        values = values.round(2)
    return [value if here else None for value, here in zip(values.tolist(), there.tolist(), strict=True)]


def _source_json(source: ManifestSource) -> Json:
    fractions = {name: _ratio(getattr(source, name)) for name in ("time_base", "rate", "pixel_aspect")}
    about = asdict(source) | fractions
    if not source.mirrored:
        del about["mirrored"]  # few are, and earlier manifests say nothing of it
    return about


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _fraction(text: str) -> Fraction:
    over, _, under = text.partition("/")
    return Fraction(int(over), int(under))


def _frame_json(frame: FrameEntry) -> Json:
    return {"index": frame.index, "stem": frame.stem, "pts": frame.pts}


def _dumps(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # The bytes of a file's name that are no UTF-8 are lone surrogates in Python: UTF-8 has none, JSON's escapes do.
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _again(path: Path) -> str:
    edits = path.with_name("edits.json")
    more = f", and there videoparts edit --edits {edits}" if edits.exists() else ""
    return f"run videoparts masks again, into another folder{more}"


def _broken(path: Path) -> SourceError:
    return SourceError(f"{path}: not a readable manifest of videoparts; {_again(path)}")


def _manifest_of(given: Json) -> Manifest:
    return Manifest(
        source=_source_of(given["source"]),
        frames=tuple(FrameEntry(int(one["index"]), str(one["stem"]), int(one["pts"])) for one in given["frames"]),
        settings=dict(given["settings"]),
        part_model=ManifestModel(
            str(given["part_model"]["sha256"]), object_of(ExtractorIdentity, given["part_model"]["extractor"])
        ),
        parts=tuple(_part_of(one) for one in given["parts"]),
        tracks=tuple(_track_of(one) for one in given["parts"]),
        formats={str(name): tuple(map(str, paths)) for name, paths in given["formats"].items()},
        versions={str(name): str(version) for name, version in given["versions"].items()},
        report=Report.from_json(given["report"]),
        edits=int(given["edits"]),
    )


def _part_of(given: Json) -> Part:
    red, green, blue = bytes.fromhex(given["colour"][1:])
    return Part(int(given["number"]), str(given["name"]), (red, green, blue))


def _track_of(given: Json) -> Track:
    def filled(column: str, absent: Any) -> Sequence[Any]:
        return [absent if value is None else value for value in given[column]]

    return Track(
        int(given["number"]),
        np.array(filled("area", 0), np.int64),
        np.array(filled("box", (0, 0, 0, 0)), np.int32).reshape(-1, 4),
        np.array(filled("centre", (0, 0)), np.float64).reshape(-1, 2),
    )


def _source_of(given: Json) -> ManifestSource:
    kind = given["kind"]
    if kind not in ("video", "frames"):
        raise ValueError(f"a source is a video or frames, not {kind!r}")
    return ManifestSource(
        name=str(given["name"]),
        path=str(given["path"]),
        sha256=str(given["sha256"]),
        kind=kind,
        width=int(given["width"]),
        height=int(given["height"]),
        frames=int(given["frames"]),
        time_base=_fraction(given["time_base"]),
        rate=_fraction(given["rate"]),
        rotation=int(given["rotation"]),
        pixel_aspect=_fraction(given["pixel_aspect"]),
        colour=object_of(ColourTags, given["colour"]),
        has_audio=bool(given["has_audio"]),
        mirrored=bool(given.get("mirrored", False)),
    )

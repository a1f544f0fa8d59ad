"""Manifests are written, read back, and checked against their schema by an implementation of JSON Schema."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from media import Clip, folder

from videoparts import __version__
from videoparts.errors import OutputError, SourceError
from videoparts.frames import ColourTags
from videoparts.identity import ExtractorIdentity
from videoparts.masks import Part, PartMasks
from videoparts.reports.presence import Presence
from videoparts.reports.report import MaskReport, PartPresence, Report
from videoparts.reports.tracks import FrameEntry, Track
from videoparts.results.manifest import (
    FORMAT,
    Manifest,
    ManifestModel,
    ManifestSource,
    manifest_schema,
    versions,
)
from videoparts.sources import open_source
from videoparts.sources.source_hash import source_sha256

MODEL = ManifestModel("0" * 64, ExtractorIdentity("vit", 9, "key", 14, 448, False, "abc"))
PARTS = (Part(2, "left ear / tip", (0, 68, 255)), Part(7, 'tail "🦊" 尾', (221, 170, 0)))
PATTERN = (3, 3, 1, 3, 3, 3, 0, 3, 3, 3)  # bit 0: the first part is there, bit 1: the second


def made(path: Path, **more: Any) -> Manifest:
    """The manifest of a folder of frames or a video, with masks whose parts come and go."""
    source = open_source(path)
    report = MaskReport(PARTS)
    for frames in source.batches(4):
        labels = np.zeros((len(frames), *frames.size), np.uint8)
        for one, i in zip(labels, frames.index, strict=True):
            one[10:30, 12:32] = 2 * (PATTERN[i % 10] & 1)
            one[10:30, 32:45] = 7 * (PATTERN[i % 10] >> 1)
        report.write(PartMasks(frames, labels))
    given: dict[str, Any] = {
        "source": ManifestSource.of(source.info, len(report.frames)),
        "frames": report.frames,
        "settings": {"fit": {"parts": 4, "box": None}, "levels": (2, 4), "name": "日本"},
        "part_model": MODEL,
        "parts": PARTS,
        "tracks": report.tracks,
        "formats": {"davis": ("davis",), "prores": ("prores/02-left-ear-tip.mov", "prores/07.mov")},
        "versions": versions(),
        "report": report.finish(),
    }
    return Manifest(**{**given, **more})


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    names = [f"frame {n}.png" for n in range(10)]
    return made(folder(tmp_path_factory.mktemp("source") / "shot", names))


@pytest.fixture
def written(manifest: Manifest, tmp_path: Path) -> dict[str, Any]:
    return json.loads(manifest.save(tmp_path).read_text("utf-8"))


def valid(given: object) -> bool:
    return jsonschema.Draft202012Validator(manifest_schema()).is_valid(given)


class TestSchema:
    def test_it_is_one(self) -> None:
        jsonschema.Draft202012Validator.check_schema(manifest_schema())
        assert manifest_schema()["properties"]["format"] == {"const": FORMAT}

    def test_what_is_written_fits(self, written: dict[str, Any]) -> None:
        jsonschema.Draft202012Validator(manifest_schema()).validate(written)
        assert written["report"]["looks"]  # so that there is something to check
        assert written["report"]["parts"][0]["flickers"]

    def test_a_video_fits(self, tmp_path: Path) -> None:
        clip = Clip(frames=12, sound=True, rate=Fraction(30000, 1001), rotation=90, mirrored=True, colour=(1, 1))
        manifest = made(clip.write(tmp_path / "clip.mp4"))
        given = json.loads(manifest.save(tmp_path / "out").read_text("utf-8"))
        jsonschema.Draft202012Validator(manifest_schema()).validate(given)
        source = given["source"]
        assert (source["kind"], source["width"], source["height"]) == ("video", 96, 128)
        assert (source["rotation"], source["mirrored"]) == (270, True)  # mirrored first, then turned
        assert (source["rate"], source["frames"], source["has_audio"]) == ("30000/1001", 12, True)
        assert source["sha256"] == hashlib.sha256((tmp_path / "clip.mp4").read_bytes()).hexdigest()
        assert Manifest.load(tmp_path / "out") == manifest

    def test_nothing_written_yet_fits(self, tmp_path: Path, manifest: Manifest) -> None:
        empty = replace(
            manifest,
            source=replace(manifest.source, frames=0),
            frames=(),
            tracks=MaskReport(PARTS).tracks,
            report=MaskReport(PARTS).finish(),
        )
        assert valid(json.loads(empty.save(tmp_path).read_text("utf-8")))
        assert Manifest.load(tmp_path) == empty

    def test_shifted_patches_are_named_where_there_are_any(self, tmp_path: Path, manifest: Manifest) -> None:
        assert "shifted" not in manifest.save(tmp_path).read_text("utf-8")
        identity = replace(MODEL.extractor, stride=7, shifted=True)
        other = replace(manifest, part_model=replace(MODEL, extractor=identity))
        given = json.loads(other.save(tmp_path).read_text("utf-8"))
        assert valid(given)
        assert given["part_model"]["extractor"]["shifted"] is True
        assert Manifest.load(tmp_path) == other

    def test_every_object_but_the_settings_is_closed(self, written: dict[str, Any]) -> None:
        """A key too many, or one too few, is refused in every object."""
        tried = 0
        for path in objects(written):
            if path[:1] == ("settings",):
                continue
            for spoil in (lambda one: one.update(extra=1), lambda one: one.popitem()):
                if path == ("formats",):  # its keys are names of formats
                    continue
                given = copy.deepcopy(written)
                spoil(at(given, path))
                assert not valid(given), path
                tried += 1
        assert tried > 20

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("format",), "videoparts.manifest/2"),
            (("source", "sha256"), "abc"),
            (("source", "kind"), "film"),
            (("source", "width"), 0),
            (("source", "time_base"), "0/25"),
            (("source", "rate"), 25),
            (("source", "rotation"), 45),
            (("source", "has_audio"), "no"),
            (("source", "mirrored"), 1),
            (("settings",), []),
            (("formats", "davis"), ["/etc/passwd"]),
            (("formats", "davis"), ["a/../../b"]),
            (("formats", "davis"), [""]),
            (("versions", "torch"), 2),
            (("edits",), -1),
            (("parts", 0, "number"), 0),
            (("parts", 0, "name"), ""),
            (("parts", 0, "name"), "a\nb"),
            (("parts", 0, "colour"), "#0044F"),
            (("parts", 0, "coverage"), 1.5),
            (("parts", 0, "area", 0), 0),
            (("parts", 0, "area", 0), 1.5),
            (("parts", 0, "box", 0), [1, 2, 3]),
            (("parts", 0, "box", 0), [1, 2, 3, 4, 5]),
            (("parts", 0, "box", 0), [1, 2, 0, 4]),
            (("parts", 0, "centre", 0), [1]),
            (("parts", 0, "centre", 0), [1, -1]),
            (("frames", 0, "pts"), 0.5),
            (("frames", 0, "index"), -1),
            (("report", "t160"), 1.1),
            (("report", "t160_per_frame", 0), "none"),
            (("report", "looks"), [{"index": 1, "stem": "a", "reason": "b"}] * 11),
        ],
    )
    def test_a_broken_one_does_not_fit(self, written: dict[str, Any], path: tuple[Any, ...], value: object) -> None:
        assert valid(written)
        at(written, path[:-1])[path[-1]] = value
        assert not valid(written)


def objects(given: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all objects; of an array's items the first."""
    if isinstance(given, dict):
        return [path] + [found for key, value in given.items() for found in objects(value, (*path, key))]
    return objects(given[0], (*path, 0)) if isinstance(given, list) and given else []


def at(given: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        given = given[key]
    return given


class TestSave:
    def test_it_is_read_back(self, manifest: Manifest, tmp_path: Path) -> None:
        path = manifest.save(tmp_path / "out")
        assert path == tmp_path / "out" / "manifest.json"
        assert Manifest.load(tmp_path / "out") == manifest
        assert Manifest.load(tmp_path / "out") != replace(manifest, edits=3)
        assert Manifest.load(replace(manifest, edits=3).save(tmp_path / "out").parent).edits == 3

    def test_what_it_says(self, written: dict[str, Any], manifest: Manifest) -> None:
        assert written["settings"] == {"fit": {"parts": 4, "box": None}, "levels": [2, 4], "name": "日本"}
        assert written["source"]["path"] == manifest.source.path
        assert written["source"]["name"] == "shot"
        assert (written["source"]["kind"], written["source"]["frames"]) == ("frames", 10)
        assert (written["source"]["time_base"], written["source"]["rate"]) == ("1/25", "25/1")
        assert written["frames"][1] == {"index": 1, "stem": "frame 1", "pts": 1}
        first, second = written["parts"]
        assert (first["number"], first["name"], first["colour"]) == (2, "left ear / tip", "#0044ff")
        assert first["area"] == [400 if bits & 1 else None for bits in PATTERN]
        assert second["box"] == [[32, 10, 13, 20] if bits & 2 else None for bits in PATTERN]
        assert first["centre"] == [[21.5, 19.5] if bits & 1 else None for bits in PATTERN]
        assert (first["present"], second["present"]) == (0.9, 0.8)
        assert first["coverage"] == pytest.approx(400 * 0.9 / (48 * 64), abs=1e-6)
        assert written["edits"] == 0
        assert written["versions"]["videoparts"] == __version__
        assert written["part_model"]["extractor"]["layer"] == 9

    def test_the_path_is_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        Clip(frames=3).write(tmp_path / "clip.mp4")
        monkeypatch.chdir(tmp_path)
        source = made(Path("clip.mp4")).source
        assert (source.path, source.name) == (str(tmp_path / "clip.mp4"), "clip.mp4")

    def test_each_frame_and_part_has_a_line(self, manifest: Manifest, tmp_path: Path) -> None:
        lines = manifest.save(tmp_path).read_bytes().decode("utf-8").split("\n")
        assert sum(line.startswith('{"index":') for line in lines) == 10
        assert sum(line.startswith('{"number":') for line in lines) == 2
        assert lines[-1] == ""
        moved = replace(manifest, frames=(replace(manifest.frames[0], pts=-7), *manifest.frames[1:]))
        other = moved.save(tmp_path).read_text("utf-8").split("\n")
        assert sum(a != b for a, b in zip(lines, other, strict=True)) == 1

    def test_the_same_manifest_gives_the_same_bytes(self, manifest: Manifest, tmp_path: Path) -> None:
        first = manifest.save(tmp_path / "a").read_bytes()
        assert manifest.save(tmp_path / "b").read_bytes() == first
        assert Manifest.load(tmp_path / "a").save(tmp_path / "c").read_bytes() == first

    def test_names_that_are_no_text(self, manifest: Manifest, tmp_path: Path) -> None:
        """A file's name may be any bytes."""
        odd = os.fsdecode(b"caf\xe9\n")
        named = replace(manifest, frames=(replace(manifest.frames[0], stem=odd), *manifest.frames[1:]))
        named = replace(named, source=replace(named.source, path=odd))
        assert b"caf\\udce9\\n" in named.save(tmp_path).read_bytes()
        assert Manifest.load(tmp_path) == named
        assert valid(json.loads((tmp_path / "manifest.json").read_text("utf-8")))

    def test_one_that_cannot_be_written_leaves_the_old(
        self, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = manifest.save(tmp_path).read_bytes()
        bad = replace(manifest, versions={"torch": float("nan")})  # type: ignore[dict-item]
        with pytest.raises(ValueError, match="JSON"):
            bad.save(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
        assert (tmp_path / "manifest.json").read_bytes() == before
        (tmp_path / "file").touch()
        with pytest.raises(OutputError, match="a part of its path is a file"):
            manifest.save(tmp_path / "file" / "out")

    def test_long_clips_are_written_piece_by_piece(self, manifest: Manifest, tmp_path: Path) -> None:
        count = 30_000
        random = np.random.default_rng(0)
        area = random.integers(0, 3, count)
        tracks = tuple(
            Track(part.number, area, random.integers(1, 500, (count, 4), np.int32), random.random((count, 2)) * 500)
            for part in PARTS
        )
        presence = Presence(0.1, 0.5)
        report = Report(
            count,
            presence,
            tuple(PartPresence(part.number, part.name, presence) for part in PARTS),
            cuts=(),
            t160=None,
            flicker=None,
            looks=(),
            t160_per_frame=(None,) * count,
        )
        frames = tuple(FrameEntry(i, f"{i:05d}", 512 * i) for i in range(count))
        long = replace(
            manifest,
            source=replace(manifest.source, frames=count),
            frames=frames,
            tracks=tracks,
            report=report,
        )
        tracemalloc.start()
        path = long.save(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        size = path.stat().st_size
        assert size > 3_000_000
        assert peak < 3_000_000  # the whole as Python's objects and text takes 20 times that
        assert Manifest.load(tmp_path) == long


class TestLoad:
    def refused(self, folder: Path) -> str:
        with pytest.raises(SourceError) as caught:
            Manifest.load(folder)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_there_is_none(self, tmp_path: Path) -> None:
        assert "no manifest.json here" in self.refused(tmp_path)
        assert "no manifest.json here" in self.refused(tmp_path / "missing")

    def test_the_folder_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert "Not a directory" in self.refused(tmp_path / "file")

    def test_another_version(self, written: dict[str, Any], tmp_path: Path) -> None:
        written["format"] = "videoparts.manifest/2"
        (tmp_path / "manifest.json").write_text(json.dumps(written))
        assert "videoparts.manifest/2, not videoparts.manifest/1" in self.refused(tmp_path)

    def test_settings_that_are_nested_too_deeply(self, written: dict[str, Any], tmp_path: Path) -> None:
        text = json.dumps({**written, "settings": {"x": "DEEP"}})
        for depth in range(300, 1200, 100):  # what is read need not be written again
            (tmp_path / "manifest.json").write_text(text.replace('"DEEP"', "[" * depth + "]" * depth))
            with suppress(SourceError):
                Manifest.load(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b'{"format": 3}', b"[" * 100_000, b'{"a": NaN}'])
    def test_no_manifest_at_all(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "manifest.json").write_bytes(content)
        assert "not a readable manifest" in self.refused(tmp_path)

    def test_one_that_breaks_off(self, manifest: Manifest, tmp_path: Path) -> None:
        content = manifest.save(tmp_path).read_bytes()
        for share in (0.1, 0.5, 0.99):
            (tmp_path / "manifest.json").write_bytes(content[: int(len(content) * share)])
            assert "not a readable manifest" in self.refused(tmp_path)

    def test_other_white_space_is_fine(self, written: dict[str, Any], manifest: Manifest, tmp_path: Path) -> None:
        (tmp_path / "manifest.json").write_text(json.dumps(written, indent=4))
        assert Manifest.load(tmp_path) == manifest

    def test_a_key_too_many_or_too_few(self, written: dict[str, Any], tmp_path: Path) -> None:
        for path in objects(written):
            if path[:1] == ("settings",) or path in (("formats",), ("versions",)):
                continue
            for spoil in (lambda one: one.update(extra=1), lambda one: one.popitem()):
                given = copy.deepcopy(written)
                spoil(at(given, path))
                (tmp_path / "manifest.json").write_text(json.dumps(given))
                assert "not a readable manifest" in self.refused(tmp_path), path

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("source", "width"), "64"),
            (("source", "kind"), "film"),
            (("source", "time_base"), "1/0"),
            (("source", "time_base"), "x"),
            (("source", "has_audio"), "no"),
            (("source", "colour", "range"), None),
            (("source", "frames"), 11),
            (("edits",), -1),
            (("edits",), 0.5),
            (("formats", "davis"), ["../other"]),
            (("formats", "davis"), ["."]),
            (("source", "rate"), "0/1"),
            (("source", "rate"), "1e9999999"),
            (("source", "height"), 0),
            (("source", "colour"), {"primaries": 1}),
            (("part_model", "extractor", "stride"), "14"),
            (("part_model", "extractor", "facet"), "keys"),
            (("frames", 0, "stem"), "../other"),
            (("parts", 0, "number"), 300),
            (("parts", 0, "number"), 7),
            (("parts", 0, "name"), "nose"),
            (("parts", 0, "colour"), "red"),
            (("parts", 0, "coverage"), 0.5),
            (("parts", 0, "area", 0), 0),
            (("parts", 0, "area", 0), 1.5),
            (("parts", 0, "area", 0), 10**30),
            (("parts", 0, "area", 0), None),
            (("parts", 0, "area"), []),
            (("parts", 0, "box", 0), [1, 2, 3]),
            (("parts", 0, "box", 0), 7),
            (("parts", 0, "box", 0), [1, 2, 3, 10**12]),
            (("parts", 0, "centre", 0), ["x", "y"]),
            (("parts", 0, "centre", 0), float("nan")),
            (("frames", 0, "pts"), 0.5),
            (("frames",), []),
            (("report", "object", "share"), float("inf")),
            (("report", "t160"), "high"),
            (("report",), None),
            (("settings",), 3),
        ],
    )
    def test_other_values(self, written: dict[str, Any], path: tuple[Any, ...], value: object, tmp_path: Path) -> None:
        at(written, path[:-1])[path[-1]] = value
        (tmp_path / "manifest.json").write_text(json.dumps(written))
        assert "not a readable manifest" in self.refused(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda one: replace(one, parts=one.parts[::-1]), "tracks must be of"),
        (lambda one: replace(one, parts=(one.parts[0], one.parts[0])), "one number"),
        (lambda one: replace(one, frames=one.frames[1:]), "as many frames"),
        (lambda one: replace(one, formats={"davis": ("/davis",)}), "relative"),
        (lambda one: replace(one, formats={"davis": ("",)}), "relative"),
        (lambda one: replace(one, edits=-1), "negative"),
        (lambda one: replace(one, settings={"x": float("inf")}), "JSON"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    manifest: Manifest, spoil: Callable[[Manifest], Manifest], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        spoil(manifest)


def test_settings_that_json_has_not(manifest: Manifest) -> None:
    with pytest.raises(TypeError):
        replace(manifest, settings={"path": Path("x")})
    with pytest.raises(TypeError, match="object"):
        replace(manifest, settings=[1])  # type: ignore[arg-type]


def test_colour_tags_are_those_of_the_source(manifest: Manifest, tmp_path: Path) -> None:
    tags = ColourTags(1, 13, 5, 2)
    replace(manifest, source=replace(manifest.source, colour=tags, pixel_aspect=Fraction(4, 3))).save(tmp_path)
    read = Manifest.load(tmp_path).source
    assert (read.colour, read.pixel_aspect) == (tags, Fraction(4, 3))


class TestHash:
    def test_of_a_file(self, tmp_path: Path) -> None:
        content = np.random.default_rng(0).bytes(3_000_001)
        (tmp_path / "clip.mp4").write_bytes(content)
        assert source_sha256(tmp_path / "clip.mp4") == hashlib.sha256(content).hexdigest()
        (tmp_path / "empty.mp4").touch()
        assert source_sha256(tmp_path / "empty.mp4") == hashlib.sha256(b"").hexdigest()

    def test_of_a_folder(self, tmp_path: Path) -> None:
        frames = tmp_path / "frames"
        frames.mkdir()
        (frames / "b.PNG").write_bytes(b"two")
        (frames / "a.jpg").write_bytes(b"one")
        wanted = hashlib.sha256(
            b"a.jpg\0" + hashlib.sha256(b"one").digest() + b"b.PNG\0" + hashlib.sha256(b"two").digest()
        ).hexdigest()
        assert source_sha256(frames) == wanted
        (frames / "notes.txt").write_bytes(b"x")
        (frames / ".c.png").write_bytes(b"x")
        (frames / "d.png").mkdir()
        assert source_sha256(frames) == wanted
        (frames / "b.PNG").rename(frames / "c.PNG")
        renamed = source_sha256(frames)
        (frames / "a.jpg").write_bytes(b"oneb.PNG")
        assert len({wanted, renamed, source_sha256(frames)}) == 3

    def test_memory_is_bounded(self, tmp_path: Path) -> None:
        with (tmp_path / "big.mp4").open("wb") as file:
            file.truncate(64 << 20)
        tracemalloc.start()
        source_sha256(tmp_path / "big.mp4")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 << 20

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="No such file"):
            source_sha256(tmp_path / "missing.mp4")
        (tmp_path / "empty").mkdir()
        with pytest.raises(SourceError, match="holds no pictures"):
            source_sha256(tmp_path / "empty")
        os.mkfifo(tmp_path / "pipe.mp4")
        with pytest.raises(SourceError, match="is a device or a pipe"):
            source_sha256(tmp_path / "pipe.mp4")

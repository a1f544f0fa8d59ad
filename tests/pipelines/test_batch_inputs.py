"""Which clips a batch finds in its inputs, what it leaves out and why, and how it names their results."""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from videoparts.pipelines.batches.inputs import Found, find_clips
from videoparts.pipelines.batches.names import RESERVED, Origin, is_name, names_of, safe

from videoparts.errors import OutputError


def put(folder: Path, *names: str) -> Path:
    """Empty files: finding does not open them."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def find(
    *given: str | Path, output: Path | None = None, listed: bytes = b"", taken: Mapping[str, str] | None = None
) -> Found:
    output = output or Path("no such output")
    return find_clips([str(one) for one in given], output, listed=lambda: listed, taken=taken)


def names(found: Found) -> list[str]:
    return [clip.name for clip in found.clips]


def skipped(found: Found, base: Path) -> dict[str, str]:
    return {os.path.relpath(one.path, base): one.reason for one in found.skipped}


class TestFolders:
    def test_videos_and_folders_of_frames_at_any_depth(self, tmp_path: Path) -> None:
        put(tmp_path / "in", "horse.mp4", "day1/DOG.MOV", "day1/cat/00.jpg", "day1/cat/01.jpg", "day2/take/owl.mkv")
        found = find(tmp_path / "in")
        assert names(found) == ["horse", "day1/DOG", "day1/cat", "day2/take/owl"]
        assert [clip.path for clip in found.clips] == [
            tmp_path / "in" / path for path in ("horse.mp4", "day1/DOG.MOV", "day1/cat", "day2/take/owl.mkv")
        ]
        assert found.skipped == ()

    def test_natural_order_and_files_before_folders(self, tmp_path: Path) -> None:
        put(tmp_path, "10.mp4", "2.mp4", "a10/x.mp4", "a2/x.mp4", "a2/b/y.mp4", "a2/z.mp4")
        assert names(find(tmp_path)) == ["2", "10", "a2/x", "a2/z", "a2/b/y", "a10/x"]

    def test_inputs_come_in_the_order_they_are_given(self, tmp_path: Path) -> None:
        put(tmp_path, "b.mp4", "a.mp4", "c/d.mp4")
        assert names(find(tmp_path / "c", tmp_path / "b.mp4", tmp_path / "a.mp4")) == ["d", "b", "a"]

    def test_a_folder_of_frames_is_one_clip_and_is_searched_all_the_same(self, tmp_path: Path) -> None:
        put(tmp_path / "horse", "0.png", "1.png", "making-of.mp4", "more/0.png")
        found = find(tmp_path / "horse")
        assert [(clip.path.name, clip.name) for clip in found.clips] == [
            ("horse", "horse"),
            ("making-of.mp4", "making-of"),
            ("more", "more"),
        ]

    def test_hidden_pictures_make_no_clip(self, tmp_path: Path) -> None:
        put(tmp_path, "._0.png", ".1.jpg")
        found = find(tmp_path)
        assert found.clips == ()
        assert [one.reason for one in found.skipped] == ["it holds no clip", "2 hidden files and folders"]

    def test_what_is_neither_is_counted(self, tmp_path: Path) -> None:
        put(tmp_path, "a.mp4", "notes.txt", "b.gif", "mp4", "day/x.wav", "day/b.mp4")
        found = find(tmp_path)
        assert names(found) == ["a", "day/b"]
        assert skipped(found, tmp_path) == {
            ".": "3 files neither video nor picture",
            "day": "1 file neither video nor picture",
        }

    def test_what_is_hidden_is_counted_unless_it_is_named(self, tmp_path: Path) -> None:
        put(tmp_path, "a.mp4", ".b.mp4", ".cache/c.mp4", "day/.d.mp4")
        found = find(tmp_path)
        assert names(found) == ["a"]
        assert skipped(found, tmp_path) == {".": "3 hidden files and folders"}
        assert names(find(tmp_path / ".b.mp4", tmp_path / ".cache")) == ["_b", "c"]

    def test_a_folder_without_clips(self, tmp_path: Path) -> None:
        (tmp_path / "empty" / "er").mkdir(parents=True)
        put(tmp_path, "texts/a.txt")
        found = find(tmp_path / "empty", tmp_path / "texts")
        assert [(one.path.name, one.reason) for one in found.skipped] == [
            ("empty", "it holds no clip"),
            ("texts", "it holds no clip"),
            ("texts", "1 file neither video nor picture"),
        ]

    def test_deeper_than_calls_may_nest(self, tmp_path: Path) -> None:
        folders = [tmp_path]
        while len(str(folders[-1])) < 3900:  # 4096 is the most that the system takes
            folders.append(folders[-1] / "d")
            folders[-1].mkdir()
        put(folders[-1], "x.mp4")
        try:
            assert [clip.path for clip in find(tmp_path).clips] == [folders[-1] / "x.mp4"]
            assert [clip.path for clip in find(f"{tmp_path}/**/*.mp4").clips] == [folders[-1] / "x.mp4"]
        finally:  # which is more than pytest can remove
            (folders[-1] / "x.mp4").unlink()
            for folder in reversed(folders[1:]):
                folder.rmdir()

    def test_ten_thousand_files(self, tmp_path: Path) -> None:
        for i in range(100):
            put(tmp_path / "in" / f"day {i}", *(f"take {k}.mp4" for k in range(100)))
        output = tmp_path / "out"
        output.mkdir()
        start = time.perf_counter()
        found = find(tmp_path / "in", output=output)
        seconds = time.perf_counter() - start
        assert len(set(names(found))) == 10_000
        assert names(found)[:2] == ["day 0/take 0", "day 0/take 1"]
        assert seconds < 10, "it takes about one"


class TestFiles:
    def test_a_file_that_is_named_is_always_taken(self, tmp_path: Path) -> None:
        put(tmp_path, "clip.dat", "noise", "take 1.2")
        found = find(tmp_path / "clip.dat", tmp_path / "noise", tmp_path / "take 1.2")
        assert names(found) == ["clip", "noise", "take 1"]
        assert found.skipped == ()

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        put(tmp_path, "a.mp4")
        (tmp_path / "dead").symlink_to("gone.mp4")
        (tmp_path / "self").symlink_to("self")
        found = find(*(tmp_path / name for name in ("b.mp4", "a.mp4/c", "dead", "self")), "", "x\0y")
        assert found.clips == ()
        assert [one.reason for one in found.skipped] == [
            "there is no such file or folder",
            "there is no such file or folder",
            "a link to nothing",
            "it cannot be read: too many levels of symbolic links",
            "an empty path",
            "no path",
        ]

    def test_pipes_sockets_and_devices(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)  # a socket's path may be 108 bytes long only
        put(tmp_path, "a.mp4")
        os.mkfifo("pipe.mp4")
        os.mkfifo("manifest.json")  # it must not be waited for
        (tmp_path / "dead.mp4").symlink_to("gone")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket.mp4")
            found = find(tmp_path, "pipe.mp4", "/dev/null")
        assert names(found) == ["a"]
        assert [(one.path.name, one.reason) for one in found.skipped] == [
            ("dead.mp4", "a link to nothing"),
            ("manifest.json", "a device, a pipe or a socket"),
            ("pipe.mp4", "a device, a pipe or a socket"),
            ("socket.mp4", "a device, a pipe or a socket"),
            ("pipe.mp4", "a device, a pipe or a socket"),
            ("null", "a device, a pipe or a socket"),
        ]

    def test_relative_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(tmp_path, "day/horse/0.png", "day/x/y.mp4")
        monkeypatch.chdir(tmp_path / "day" / "horse")
        for given, path, name in (
            (".", "day/horse", "horse"),
            ("../horse/", "day/horse", "horse"),
            ("../x/../x/y.mp4", "day/x/y.mp4", "y"),
            ("..//x/./y.mp4", "day/x/y.mp4", "y"),
        ):
            (clip,) = find(given).clips
            assert (clip.path, clip.name) == (tmp_path / path, name), given
        assert names(find("..")) == ["horse", "x/y"]

    def test_the_folder_above_a_link_is_that_of_its_target(self, tmp_path: Path) -> None:
        put(tmp_path, "far/away/a.mp4", "far/b.mp4", "b.mp4")
        (tmp_path / "link").symlink_to("far/away")
        found = find(f"{tmp_path}/link/../b.mp4", f"{tmp_path}/link/a.mp4")
        assert [clip.path for clip in found.clips] == [tmp_path / "far" / "b.mp4", tmp_path / "link" / "a.mp4"]

    def test_names_of_all_sorts(self, tmp_path: Path) -> None:
        odd = ["with space.mp4", "line\nbreak.mp4", "日本.mp4", os.fsdecode(b"bytes\xff.mp4"), "-dash.mp4", "*.mp4"]
        put(tmp_path, *odd)
        found = find(tmp_path)
        assert {clip.path.name: clip.name for clip in found.clips} == dict(
            zip(odd, ["with space", "line_break", "日本", "bytes_", "-dash", "_"], strict=True)
        )
        assert names(find(*(tmp_path / name for name in odd))) == [
            "with space",
            "line_break",
            "日本",
            "bytes_",
            "-dash",
            "_",
        ]

    def test_twins_by_case_or_composition_get_folders_of_their_own(self, tmp_path: Path) -> None:
        put(tmp_path / "in", "caf\u00e9.mp4", "cafe\u0301.mov", "A.mp4", "a/0.png")
        assert sorted(names(find(tmp_path / "in"))) == ["A.mp4", "a.frames", "cafe\u0301.mov", "caf\u00e9.mp4"]


class TestPermissions:
    @pytest.fixture
    def open_to_all(self) -> Iterator[Path]:
        """pytest's own folders let nobody else in."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            path.chmod(0o755)
            yield path
            for inside in path.rglob("*"):
                inside.chmod(0o755)

    @contextmanager
    def as_nobody(self) -> Iterator[None]:
        """Root may read everything."""
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(before)

    def test_folders_that_cannot_be_read_or_entered(self, open_to_all: Path) -> None:
        put(open_to_all, "a.mp4", "shut/b.mp4", "list only/c.mp4", "z.mp4")
        (open_to_all / "shut").chmod(0)
        (open_to_all / "list only").chmod(0o444)
        with self.as_nobody():
            found = find(open_to_all, open_to_all / "shut", open_to_all / "shut" / "b.mp4")
        assert names(found) == ["a", "z"]
        assert [(one.path.name, one.reason) for one in found.skipped] == [
            ("c.mp4", "it cannot be read: permission denied"),
            ("shut", "it cannot be read: permission denied"),
            ("shut", "given more than once"),
            ("b.mp4", "it cannot be read: permission denied"),
        ]

    def test_patterns_pass_them_over(self, open_to_all: Path) -> None:
        put(open_to_all, "shut/b.mp4", "z/z.mp4")
        (open_to_all / "shut").chmod(0)
        with self.as_nobody():
            assert names(find(f"{open_to_all}/**/*.mp4", f"{open_to_all}/*/*.mp4")) == ["z"]


class TestLinks:
    def test_what_is_reached_twice_is_taken_once(self, tmp_path: Path) -> None:
        put(tmp_path / "in", "a.mp4", "day/b.mp4")
        (tmp_path / "in" / "again.mp4").symlink_to("a.mp4")
        (tmp_path / "in" / "hard.mp4").hardlink_to(tmp_path / "in" / "a.mp4")
        (tmp_path / "in" / "today").symlink_to("day")
        found = find(tmp_path / "in", tmp_path / "in" / "day", tmp_path / "in" / "a.mp4")
        assert names(found) == ["a", "day/b"]
        there = tmp_path / "in"
        assert [(one.path.name, one.reason) for one in found.skipped] == [
            ("again.mp4", f"the same file as {there / 'a.mp4'}"),
            ("hard.mp4", f"the same file as {there / 'a.mp4'}"),
            ("today", f"the same folder as {there / 'day'}"),
            ("day", "given more than once"),
            ("a.mp4", "given more than once"),
        ]

    def test_circles(self, tmp_path: Path) -> None:
        put(tmp_path, "a/b/x.mp4", "a/c/y.mp4")
        for i in range(3):  # the standard library's ** would go 3 to the power of 40 ways
            (tmp_path / "a" / "b" / f"up{i}").symlink_to(tmp_path / "a")
        assert names(find(tmp_path / "a")) == ["b/x", "c/y"]
        assert names(find(f"{tmp_path}/**/*.mp4")) == ["x", "y"]
        assert names(find(f"{tmp_path}/**/b/**/*.mp4")) == ["x", "y"]

    def test_a_link_to_elsewhere_is_followed_and_keeps_its_name(self, tmp_path: Path) -> None:
        put(tmp_path, "store/17.mp4", "frames/0.png")
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "horse.mp4").symlink_to("../store/17.mp4")
        (tmp_path / "in" / "dog").symlink_to("../frames")
        found = find(tmp_path / "in")
        assert [(clip.path, clip.name) for clip in found.clips] == [
            (tmp_path / "in" / "horse.mp4", "horse"),
            (tmp_path / "in" / "dog", "dog"),
        ]


class TestPatterns:
    def test_in_natural_order(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(tmp_path, "t10.mp4", "t2.mp4", "t3.mov", ".t4.mp4", "day/t1.mp4", "day/.h/t0.mp4")
        monkeypatch.chdir(tmp_path)
        assert names(find("t*.mp4")) == ["t2", "t10"]
        assert names(find("t?.m[op][v4]")) == ["t2", "t3"]
        assert names(find("**/*.mp4")) == ["t2", "t10", "t1"]
        assert names(find("*/")) == ["t1"]
        assert names(find(".*.mp4")) == ["_t4"]
        assert names(find("**")) == names(find("."))
        assert names(find("day/../t*.mp4")) == ["t2", "t10"]

    def test_none_fits(self, tmp_path: Path) -> None:
        put(tmp_path, "a.mov")
        for pattern in ("*.mp4", "[", "b/*", "a.mov/*", "**/nothing", "*/"):
            found = find(f"{tmp_path}/{pattern}")
            assert found.clips == ()
            assert [one.reason for one in found.skipped] == ["no file or folder fits this pattern"], pattern

    def test_what_is_there_under_the_very_name_is_no_pattern(self, tmp_path: Path) -> None:
        put(tmp_path / "[old]", "take [1].mp4", "take 1.mp4", "b.mp4")
        assert names(find(tmp_path / "[old]" / "take [1].mp4")) == ["take [1]"]
        assert names(find(f"{tmp_path}/[old]/t*.mp4")) == ["take 1", "take [1]"]
        assert names(find(tmp_path / "[old]")) == ["b", "take 1", "take [1]"]


class TestList:
    def test_lines(self, tmp_path: Path) -> None:
        put(tmp_path, "a b.mp4", "é.mp4", " c.mp4", "d/e.mp4")
        text = f"\ufeff{tmp_path}/a b.mp4\r\n\n  \n{tmp_path}/é.mp4\n{tmp_path}/ c.mp4\n{tmp_path}/d"
        assert names(find("-", listed=text.encode())) == ["a b", "é", " c", "e"]

    def test_between_nuls_every_character_counts(self, tmp_path: Path) -> None:
        put(tmp_path, "a\nb.mp4", "c\r\n/d.mp4", os.fsdecode(b"\xff.mp4"))
        paths = [os.fsencode(tmp_path / name) for name in ("a\nb.mp4", "c\r\n", os.fsdecode(b"\xff.mp4"))]
        assert names(find("-", listed=b"\0".join(paths) + b"\0")) == ["a_b", "d", "_"]

    def test_patterns_and_a_dash_in_it_are_names(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(tmp_path, "a.mp4")
        monkeypatch.chdir(tmp_path)
        found = find("-", listed=b"*.mp4\n-\n")
        assert [(one.path.name, one.reason) for one in found.skipped] == [
            ("*.mp4", "there is no such file or folder"),
            ("-", "there is no such file or folder"),
        ]

    def test_an_empty_one(self) -> None:
        assert [one.reason for one in find("-", listed=b"\n\r\n").skipped] == [
            "the list on standard input names nothing"
        ]

    def test_among_other_inputs(self, tmp_path: Path) -> None:
        put(tmp_path, "a.mp4", "b.mp4", "c.mp4")
        found = find(tmp_path / "c.mp4", "-", tmp_path / "a.mp4", listed=bytes(tmp_path / "b.mp4"))
        assert names(found) == ["c", "b", "a"]


MANIFEST = '{\n"format":"videoparts.manifest/1",\n"source":{}'
JOURNAL = '{"format": "videoparts.batch/1", "settings": {}}\n'


class TestResults:
    def test_folders_of_results_are_left_out(self, tmp_path: Path) -> None:
        put(tmp_path, "a.mp4", "old/davis/0.png", "batch/a/x.mp4", "killed/.videoparts/x", "killed/davis/0.png")
        put(tmp_path, "theirs/0.png", "theirs/b.mp4")
        (tmp_path / "old" / "manifest.json").write_text(MANIFEST)
        (tmp_path / "batch" / "journal.jsonl").write_text(JOURNAL)
        (tmp_path / "theirs" / "manifest.json").write_text('{"name": "a web page"}')
        (tmp_path / "theirs" / "journal.jsonl").write_text("{}")
        found = find(tmp_path)
        assert names(found) == ["a", "theirs.frames", "theirs/b"]
        results = [one.path.name for one in found.skipped if one.reason == "it holds results of videoparts"]
        assert results == ["batch", "killed", "old"]
        assert [clip.path.name for clip in find(f"{tmp_path}/**/*.mp4").clips] == ["a.mp4", "b.mp4"]
        assert find(tmp_path / "old").clips == ()

    def test_the_output_inside_an_input(self, tmp_path: Path) -> None:
        put(tmp_path, "a.mp4", "out/x/0.png", "out/b.mp4")
        for given in (str(tmp_path), f"{tmp_path}/**/*.mp4"):
            found = find(given, output=tmp_path / "out")
            assert names(found) == ["a"]
            assert ("out", "the output folder") in skipped(found, tmp_path).items()

    def test_the_output_is_known_through_a_link(self, tmp_path: Path) -> None:
        put(tmp_path, "in/a.mp4", "in/out/b.mp4")
        (tmp_path / "link").symlink_to("in/out")
        assert names(find(tmp_path / "in", output=tmp_path / "link")) == ["a"]

    def test_the_output_may_be_the_folder_of_the_clips(self, tmp_path: Path) -> None:
        put(tmp_path, "a.mp4", "day/b.mp4")
        first = find(tmp_path, output=tmp_path)
        # What is there after a run that was killed in the middle of the second clip.
        put(tmp_path, "index.html", "summary.csv", "parts.safetensors", ".videoparts/x", "a/davis/0.png", "a/page.mp4")
        put(tmp_path, "day/b/.videoparts/x", "day/b/davis/0.png")
        (tmp_path / "journal.jsonl").write_text(JOURNAL)
        taken = {str(clip.path): clip.name for clip in first.clips}
        for known in (taken, {str(tmp_path / "a.mp4"): "a"}):
            second = find(tmp_path, output=tmp_path, taken=known)
            assert second.clips == first.clips
            assert skipped(second, tmp_path)["."] == "2 folders of results in the output folder"
            by_pattern = find(f"{tmp_path}/**/*.mp4", output=tmp_path, taken=known)
            assert [clip.path for clip in by_pattern.clips] == [clip.path for clip in first.clips]
            assert by_pattern.skipped == ()

    def test_the_output_above_the_inputs(self, tmp_path: Path) -> None:
        put(tmp_path, "in/a.mp4", "in/b/0.png")
        assert names(find(tmp_path / "in", output=tmp_path)) == ["a", "b"]

    def test_frames_in_the_output_folder_itself(self, tmp_path: Path) -> None:
        put(tmp_path, "0.png")
        with pytest.raises(OutputError, match="is a folder of frames and the output too"):
            find(tmp_path, output=tmp_path)

    def test_results_over_an_input(self, tmp_path: Path) -> None:
        put(tmp_path, "frames/0.png", "noise", "a/b/c.mp4", "a.mp4")
        (tmp_path / "link").symlink_to(tmp_path)
        over = "would be written over"
        with pytest.raises(OutputError, match=over):
            find(tmp_path, output=tmp_path)
        with pytest.raises(OutputError, match=over):
            find(tmp_path / "frames", output=tmp_path / "link")
        with pytest.raises(OutputError, match=over):
            find(tmp_path / "noise", output=tmp_path)
        with pytest.raises(OutputError, match=over):  # into a folder above one
            find(tmp_path / "a.mp4", tmp_path / "a" / "b" / "c.mp4", output=tmp_path)
        assert names(find(tmp_path / "a.mp4", output=tmp_path)) == ["a"]

    def test_a_link_out_of_the_output(self, tmp_path: Path) -> None:
        put(tmp_path, "in/day/a.mp4", "elsewhere/x", "out/y", "out/inside/x")
        (tmp_path / "out" / "day").symlink_to("../elsewhere")
        with pytest.raises(OutputError, match="is a link out of the output folder"):
            find(tmp_path / "in", output=tmp_path / "out")
        (tmp_path / "out" / "day").unlink()
        (tmp_path / "out" / "day").symlink_to("inside")
        assert names(find(tmp_path / "in", output=tmp_path / "out")) == ["day/a"]


class TestNames:
    def named(self, *paths: str, taken: Mapping[str, str] | None = None, root: str = "in") -> dict[str, str]:
        """By path below the root; a / at the end: a folder. The order of the clips must not count."""
        origins = [
            Origin(f"/{root}/{path.rstrip('/')}", root, tuple(path.rstrip("/").split("/")), path.endswith("/"))
            for path in paths
        ]
        given = dict(zip([one.path for one in origins], names_of(origins, taken or {}), strict=True))
        for seed in range(5):
            shuffled = random.Random(seed).sample(origins, len(origins))
            assert dict(zip([o.path for o in shuffled], names_of(shuffled, taken or {}), strict=True)) == given
        assert len({unicodedata.normalize("NFC", name).casefold() for name in given.values()}) == len(given)
        assert all(is_name(name) for name in given.values())
        return {path: given[one.path] for path, one in zip(paths, origins, strict=True)}

    def test_a_conflict_takes_the_suffix_for_all_in_it(self) -> None:
        assert self.named("horse.mp4", "horse.mov", "Horse/", "dog.mp4") == {
            "horse.mp4": "horse.mp4",
            "horse.mov": "horse.mov",
            "Horse/": "Horse.frames",
            "dog.mp4": "dog",
        }

    def test_case_and_composition(self) -> None:
        composed, decomposed = "caf\u00e9.mp4", "cafe\u0301.mp4"
        assert self.named(composed, decomposed, "A.mp4", "a.mp4", "STRASSE.mp4", "straße.mp4") == {
            composed: "in/caf\u00e9.mp4-2",
            decomposed: "in/cafe\u0301.mp4",
            "A.mp4": "in/A.mp4",
            "a.mp4": "in/a.mp4-2",
            "STRASSE.mp4": "in/STRASSE.mp4",
            "straße.mp4": "in/straße.mp4-2",
        }

    def test_a_name_above_another_gives_way(self) -> None:
        assert self.named("a/", "a/b.mp4", "a/b/c.mp4", "x.mp4", "x/y.mp4") == {
            "a/": "a.frames",
            "a/b.mp4": "a/b.mp4",
            "a/b/c.mp4": "a/b/c",
            "x.mp4": "x.mp4",
            "x/y.mp4": "x/y",
        }

    def test_the_root_in_front_where_the_suffix_does_not_help(self, tmp_path: Path) -> None:
        put(tmp_path, "one/horse.mp4", "two/horse.mp4", "deep/one/horse.mp4")
        assert names(find(tmp_path / "one", tmp_path / "two" / "horse.mp4")) == ["one/horse.mp4", "two/horse.mp4"]
        assert names(find(*(tmp_path / path for path in ("one", "two", "deep/one")))) == [
            "one/horse.mp4-2",
            "two/horse.mp4",
            "one/horse.mp4",
        ]

    def test_what_the_batch_itself_writes(self) -> None:
        given = self.named("INDEX.html.mp4", "summary.csv/a.mp4", "journal.jsonl/", "parts.safetensors.mp4")
        assert given == {
            "INDEX.html.mp4": "INDEX.html.mp4",
            "summary.csv/a.mp4": "in/summary.csv/a.mp4",
            "journal.jsonl/": "journal.jsonl.frames",
            "parts.safetensors.mp4": "parts.safetensors.mp4",
        }
        assert self.named("summary.csv/a.mp4", root="index.html") == {
            "summary.csv/a.mp4": "index.html-2/summary.csv/a.mp4"
        }

    def test_names_of_an_earlier_run_are_kept_and_avoided(self) -> None:
        taken = {"/in/horse.mp4": "horse", "/gone.mp4": "dog", "/gone2.mp4": "cat"}
        assert self.named("horse.mp4", "horse.mov", "dog.mp4", "cat/x.mp4", taken=taken) == {
            "horse.mp4": "horse",
            "horse.mov": "horse.mov",
            "dog.mp4": "dog.mp4",
            "cat/x.mp4": "in/cat/x.mp4",
        }

    def test_a_batch_that_goes_on_calls_every_clip_as_one_that_never_stopped(self) -> None:
        words = ["a", "A", "b", "e\u0301", "\u00e9", "index.html"]
        suffixes = [".mp4", ".mov", "", ".mp4-2"]
        for seed in range(200):
            draw = random.Random(seed)
            paths = {
                "/".join(draw.choices(words, k=draw.choice([1, 1, 2, 3]))) + draw.choice(suffixes) for _ in range(12)
            }
            origins = [
                Origin(f"/{root}/in/{path}", "in", tuple(path.split("/")), "." not in path)
                for path in sorted(paths)
                for root in draw.choice(["x", "xy"])
            ]
            quiet = dict(zip([one.path for one in origins], names_of(origins, {}), strict=True))
            keys = [unicodedata.normalize("NFC", name).casefold() for name in quiet.values()]
            assert len(set(keys)) == len(keys)
            assert not any(one.startswith(f"{other}/") for one in keys for other in keys)
            for share in (0.2, 0.5, 0.9):
                done = {path: name for path, name in quiet.items() if draw.random() < share}
                assert dict(zip(quiet, names_of(origins, done), strict=True)) == quiet

    def test_a_name_that_leads_out_is_not_kept(self) -> None:
        for name in ("../a", "/a", "a/../../b", "", "index.html", "a/", ".videoparts/a"):
            assert self.named("a.mp4", taken={"/in/a.mp4": name})["a.mp4"] in ("a", "a.mp4"), name

    def test_components(self) -> None:
        for given, name in (
            ("plain name", "plain name"),
            ('a<b>c:d"e|f?g*h\\i/j', "a_b_c_d_e_f_g_h_i_j"),
            ("a\nb\tc\x7fd\x9be\u2028f", "a_b_c_d_e_f"),
            (os.fsdecode(b"\xff\xfe"), "__"),
            (".hidden", "_hidden"),
            ("..", "_"),
            ("end. .", "end"),
            ("", "_"),
            ("CON", "_CON"),
            ("nul.tar", "_nul.tar"),
            ("com¹", "_com¹"),
            ("console", "console"),
        ):
            assert safe(given) == name, given

    def test_no_component_is_longer_than_a_hundred_bytes(self) -> None:
        for given, tail in (("é" * 90, ""), ("馬" * 80, ".mp4"), ("a" * 99 + "馬", ".frames"), ("x." + "y" * 200, "")):
            name = safe(given, tail)
            assert len(name.encode()) <= 100
            assert len(name.encode()) > 96
            assert name.endswith(tail)
            assert safe(name) == name
        long = "馬" * 80
        given = self.named(f"{long}a.mp4", f"{long}b.mp4")
        assert [name.rpartition("/")[2][-6:] for name in given.values()] == ["馬馬.mp4", "馬馬.m-2"]
        assert safe("x", "." + "y" * 200) == "x." + "y" * 98

    def test_reserved_names_are_no_names(self) -> None:
        assert not any(is_name(name) for name in RESERVED)
        assert is_name("a/index.html")

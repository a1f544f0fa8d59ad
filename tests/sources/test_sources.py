"""One conformance suite that decord, PyAV and a folder of frames all pass; then bad input."""

from __future__ import annotations

import math
import os
import struct
import threading
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest
from media import VFR_TIMES, Clip, Pixels, audio_only, children, cut, folder, number, picture
from PIL import Image
from places import SHARED

from videoparts.config import SourceSettings
from videoparts.errors import SettingsError, SourceError
from videoparts.frames import FrameBatch
from videoparts.sources import Source, open_source
from videoparts.sources.folder import read_picture

try:
    import decord  # noqa: F401

    DECORD = True
except ImportError:
    DECORD = False

needs_decord = pytest.mark.skipif(not DECORD, reason="decord is not installed")
B_FRAMES = {"preset": "medium", "bf": "3"}


@dataclass
class Case:
    """A source whose truth is known: presentation times in seconds, one a frame."""

    path: Path
    decoder: str
    times: list[Fraction]
    size: tuple[int, int] = (96, 128)

    def open(self, **settings: object) -> Source:
        return open_source(self.path, SourceSettings(decoder=self.setting, **settings))  # type: ignore[arg-type]

    @property
    def setting(self) -> str:
        return "auto" if self.decoder == "imageio" else self.decoder


CLIPS = {
    "constant.mp4": Clip(frames=40, options=B_FRAMES),
    "variable.mp4": Clip(times=VFR_TIMES, time_base=Fraction(1, 1000), options=B_FRAMES),
    "open.mkv": Clip(frames=50, codec="libx265", gop=15, options={"x265-params": "open-gop=1:keyint=15:bframes=3"}),
    "ntsc.webm": Clip(codec="libvpx-vp9", rate=Fraction(30000, 1001)),
}

# Each opening of decord costs a process: two kinds of time stamps and open groups of pictures are enough.
DECORD_CLIPS = ("variable.mp4", "open.mkv")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for name, clip in CLIPS.items():
        clip.write(root / name)
    folder(root / "folder", [f"frame{i + 1}.png" for i in range(30)])
    return root


def _times(clip: Clip, path: Path) -> list[Fraction]:
    # Matroska keeps whole milliseconds only.
    exact = [Fraction(t) * (clip.time_base or 1 / clip.rate) for t in clip.times or range(clip.frames)]
    return exact if path.suffix == ".mp4" else [Fraction(math.floor(t * 1000 + Fraction(1, 2)), 1000) for t in exact]


@pytest.fixture(
    params=[
        *(pytest.param((n, "decord"), id=f"decord-{n}", marks=needs_decord) for n in DECORD_CLIPS),
        *(pytest.param((n, "pyav"), id=f"pyav-{n}") for n in CLIPS),
        pytest.param(("folder", "imageio"), id="folder"),
    ]
)
def case(request: pytest.FixtureRequest, made: Path) -> Case:
    name, decoder = request.param
    path = made / name
    if decoder == "imageio":
        return Case(path, decoder, [Fraction(i, 25) for i in range(30)], (48, 64))
    return Case(path, decoder, _times(CLIPS[name], path))


def read(source: Source, size: int = 7) -> list[FrameBatch]:
    return list(source.batches(size))


def frames(batches: list[FrameBatch]) -> dict[int, Pixels]:
    return {int(i): pixels for b in batches for i, pixels in zip(b.index, b.pixels, strict=True)}


class TestConformance:
    def test_every_frame_in_order_at_its_time(self, case: Case) -> None:
        source = case.open()
        batches = read(source)
        got = frames(batches)
        assert source.decoder == case.decoder
        assert source.notes == ()
        assert list(got) == list(range(len(case.times)))
        assert [number(got[i]) for i in got] == list(got)
        pts = [int(p) for b in batches for p in b.pts]
        assert [(p - pts[0]) * source.info.time_base for p in pts] == case.times
        assert all(b.time_base == source.info.time_base for b in batches)
        assert (source.info.height, source.info.width) == case.size == batches[0].size
        assert source.info.frames == len(case.times)

    @pytest.mark.parametrize("size", [4])
    def test_batches_are_full_but_the_last(self, case: Case, size: int) -> None:
        lengths = [len(b) for b in case.open().batches(size)]
        assert sum(lengths) == len(case.times)
        assert all(n == size for n in lengths[:-1])
        assert 1 <= lengths[-1] <= size

    def test_start_end_and_every_choose(self, case: Case) -> None:
        n = len(case.times)
        start, end = case.times[n // 3], case.times[n - 5]
        # To the nanosecond below, so that the decimal still includes the frame.
        source = case.open(start=f"{float(start) - 1e-9:.9f}", end=f"0:00:{float(end) - 1e-9:012.9f}", every=3)
        want = list(range(bisect_left(case.times, start), bisect_left(case.times, end), 3))
        got = frames(read(source, 4))
        assert list(got) == want
        assert source.info.frames == len(want)
        everything = frames(read(case.open()))
        assert all(np.array_equal(got[i], everything[i]) for i in want)

    @pytest.mark.parametrize(("count", "size"), [(5, 2), (1000, 8)])
    def test_sample_is_bit_for_bit_what_batches_gives(self, case: Case, count: int, size: int) -> None:
        everything = frames(read(case.open()))
        n = len(everything)
        sampled = list(case.open().sample(count, size))
        got = frames(sampled)
        want = list(range(n)) if count >= n else [(2 * i + 1) * n // (2 * count) for i in range(count)]
        assert list(got) == want
        assert all(len(b) == size for b in sampled[:-1])
        assert all(np.array_equal(got[i], everything[i]) for i in got)

    def test_one_frame_is_bit_for_bit_what_batches_gives(self, case: Case) -> None:
        source = case.open()
        everything = {int(b.index[0]): b for b in source.batches(1)}
        for index in (0, 3, max(everything)):
            one = source.frame(index)
            assert (one.index.tolist(), one.pts.tolist()) == ([index], everything[index].pts.tolist())
            assert one.names == everything[index].names
            assert np.array_equal(one.pixels, everything[index].pixels)

    @pytest.mark.parametrize(("count", "every"), [(4, 1), (1000, 1), (3, 3)])
    def test_sampled_frames_come_with_those_around_them(self, case: Case, count: int, every: int) -> None:
        source = case.open(every=every)
        everything = frames(read(source))
        sampled = frames(list(source.sample(count, 8)))
        pts = {int(i): int(p) for b in source.batches(8) for i, p in zip(b.index, b.pts, strict=True)}
        places, found = list(everything), list(source.sample_around(count))
        assert [int(one.frame.index[0]) for one in found] == list(sampled)
        for one in found:
            assert len(one.frame) == 1
            at = int(one.frame.index[0])
            assert int(one.frame.pts[0]) == pts[at]
            assert np.array_equal(one.frame.pixels[0], sampled[at])
            for position, pixels in ((at - every, one.before), (at + every, one.after)):
                assert (pixels is not None) == (position in places)
                assert pixels is None or np.array_equal(pixels, everything[position])
            assert not one.marked

    def test_the_frame_of_some_time_comes_beside_the_sampled_ones(self, case: Case) -> None:
        source, n = case.open(), len(case.times)
        marked = n // 3
        seconds = float(case.times[marked])
        later = seconds + 0.4 * float(case.times[marked + 1] - case.times[marked])  # it is still seen
        for at in (seconds, later):
            found = list(source.sample_around(2, at))
            assert [int(one.frame.index[0]) for one in found if one.marked] == [marked]
            assert [int(one.frame.index[0]) for one in found] == sorted({n // 4, 3 * n // 4, marked})
        with pytest.raises(SourceError, match="no frame is seen at 3600 seconds"):
            list(source.sample_around(2, 3600.0))

    def test_reading_again_and_two_at_once(self, case: Case) -> None:
        source = case.open()
        one, two = source.batches(3), source.batches(5)
        first = [next(one), next(two), next(one)]
        assert [int(b.index[0]) for b in first] == [0, 0, 3]
        rest = [*one]
        assert rest[-1].index[-1] == len(case.times) - 1
        two.close()  # type: ignore[attr-defined]
        assert len(frames(read(source))) == len(case.times)

    def test_closing_early_leaves_nothing_behind(self, case: Case) -> None:
        before, threads = children(), threading.active_count()
        batches = case.open().batches(2)
        next(batches)
        batches.close()  # type: ignore[attr-defined]
        assert children() <= before
        assert threading.active_count() == threads

    def test_a_part_is_the_same_frames(self, case: Case) -> None:
        source = case.open()
        whole = frames(read(source))
        for first, stop in [(0, 1), (1, None), (24, 27), (10**6, None)]:
            part = source.part(first, stop)
            found = frames(read(part, 2))
            assert list(found) == list(part.selected) == list(whole)[first:stop]
            assert part.info.frames == len(found)
            assert all(np.array_equal(pixels, whole[index]) for index, pixels in found.items())
        assert source.notes == ()

    def test_nothing_selected_tells_the_duration(self, case: Case) -> None:
        with pytest.raises(SourceError, match=r"no frame lies between.*the clip lasts \d+\.\d\d seconds"):
            case.open(start="1:00:00")

    def test_sizes_below_one_are_refused(self, case: Case) -> None:
        with pytest.raises(ValueError, match="size must be at least 1"):
            list(case.open().batches(0))


def test_batches_do_not_share_memory(tmp_path: Path) -> None:
    path = Clip(frames=6).write(tmp_path / "a.mp4")
    first, second, _ = read(open_source(path, SourceSettings(decoder="pyav")), 2)
    assert not np.shares_memory(first.pixels, second.pixels)


@pytest.mark.parametrize("decoder", [pytest.param("decord", marks=needs_decord), "pyav"])
class TestPictures:
    def open(self, path: Path, decoder: str) -> Source:
        source = open_source(path, SourceSettings(decoder=decoder))  # type: ignore[arg-type]
        assert source.notes == ()
        return source

    @pytest.mark.parametrize(("matrix", "range_"), [(1, 1), (1, 2), (5, 1), (5, 2), (9, 1)])
    def test_colours_follow_the_tags(self, tmp_path: Path, decoder: str, matrix: int, range_: int) -> None:
        path = Clip(frames=3, colour=(matrix, range_), pix_fmt="yuv444p").write(tmp_path / "c.mp4")
        source = self.open(path, decoder)
        got = next(source.batches(1)).pixels[0].astype(int)
        assert (source.info.colour.matrix, source.info.colour.range) == (matrix, range_)
        # A wrong matrix or range is off by 4 and more on this picture.
        assert np.abs(got - picture(0)).mean() < 2

    @pytest.mark.parametrize(
        ("matrix", "taken", "name"), [(8, 2, "YCgCo"), (10, 9, "BT.2020 with constant"), (14, 2, "")]
    )
    def test_colours_by_an_unknown_matrix_are_told(
        self, tmp_path: Path, decoder: str, matrix: int, taken: int, name: str
    ) -> None:
        path = Clip(frames=3, colour=(matrix, 1), pix_fmt="yuv444p").write(tmp_path / "c.mp4")
        source = open_source(path, SourceSettings(decoder=decoder))  # type: ignore[arg-type]
        (note,) = source.notes
        assert note.startswith(f"c.mp4 has colours by matrix {matrix} ({name}")
        assert source.info.colour.matrix == taken  # so that what is written looks as what was seen
        like = Clip(frames=3, colour=(taken, 1), pix_fmt="yuv444p").write(tmp_path / "like.mp4")
        same = next(open_source(like, SourceSettings(decoder="pyav")).batches(3)).pixels.astype(int)
        assert np.abs(next(source.batches(3)).pixels - same).mean() < 2

    @pytest.mark.parametrize("rotation", [90, 180, 270])
    def test_rotation_makes_frames_upright(self, tmp_path: Path, decoder: str, rotation: int) -> None:
        clip = Clip(frames=3, rotation=rotation, pixel_aspect=Fraction(4, 3))
        source = self.open(clip.write(tmp_path / "r.mp4"), decoder)
        want = np.rot90(picture(0), -rotation // 90)
        batch = next(source.batches(1))
        assert np.abs(batch.pixels[0].astype(int) - want).mean() < 4
        assert (source.info.height, source.info.width) == want.shape[:2]
        assert source.info.rotation == rotation
        assert source.info.pixel_aspect == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))

    @pytest.mark.parametrize("rotation", [0, 90, 180, 270])
    def test_mirrored_frames_are_as_players_show_them(self, tmp_path: Path, decoder: str, rotation: int) -> None:
        clip = Clip(frames=3, rotation=rotation, mirrored=True, pixel_aspect=Fraction(4, 3))
        source = self.open(clip.write(tmp_path / "m.mp4"), decoder)
        want = np.rot90(picture(0), -rotation // 90)[:, ::-1]
        (batch,) = source.batches(3)
        assert np.abs(batch.pixels[0].astype(int) - want).mean() < 4
        assert np.array_equal(source.frame(2).pixels[0], batch.pixels[2])
        assert (source.info.height, source.info.width) == want.shape[:2]
        assert source.info.mirrored
        assert source.info.rotation == -rotation % 360  # for it is mirrored first here
        assert source.info.pixel_aspect == (Fraction(4, 3) if rotation in (0, 180) else Fraction(3, 4))

    @pytest.mark.parametrize(
        ("name", "clip"),
        [
            ("ten.mp4", Clip(codec="libx265", pix_fmt="yuv420p10le", frames=20)),
            ("ten264.mp4", Clip(pix_fmt="yuv420p10le", frames=20)),
            ("odd.mkv", Clip(codec="ffv1", height=97, width=131, frames=20)),
            ("odd.mp4", Clip(height=97, width=131, pix_fmt="yuv444p", frames=20)),
            ("alpha.mov", Clip(codec="prores_ks", pix_fmt="yuva444p10le", frames=20)),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_depth_odd_sizes_and_alpha(self, tmp_path: Path, decoder: str, name: str, clip: Clip) -> None:
        source = self.open(clip.write(tmp_path / name), decoder)
        got = frames(read(source))
        assert [number(got[i]) for i in got] == list(range(20))
        assert np.abs(got[5].astype(int) - picture(5, clip.height, clip.width)).mean() < 4

    def test_alpha_is_dropped_and_colours_kept(self, tmp_path: Path, decoder: str) -> None:
        def paint(i: int, h: int, w: int) -> Pixels:
            return np.dstack([picture(i, h, w), np.full((h, w), 7, np.uint8)])

        path = Clip(codec="png", pix_fmt="rgba", frames=3, paint=paint).write(tmp_path / "a.mov")
        assert np.array_equal(next(self.open(path, decoder).batches(1)).pixels[0], picture(0))

    def test_grey_becomes_rgb(self, tmp_path: Path, decoder: str) -> None:
        path = Clip(codec="ffv1", pix_fmt="gray", frames=3).write(tmp_path / "g.mkv")
        pixels = next(self.open(path, decoder).batches(1)).pixels
        assert np.array_equal(pixels[..., 0], pixels[..., 2])
        assert np.ptp(pixels) > 100

    def test_sound_is_seen(self, tmp_path: Path, decoder: str) -> None:
        assert self.open(Clip(sound=True).write(tmp_path / "s.mp4"), decoder).info.has_audio
        assert not self.open(Clip().write(tmp_path / "q.mp4"), decoder).info.has_audio

    def test_one_frame(self, tmp_path: Path, decoder: str) -> None:
        assert len(frames(read(self.open(Clip(frames=1).write(tmp_path / "1.mp4"), decoder)))) == 1


class TestPyAV:
    """What only PyAV is asked to do."""

    def open(self, path: Path, **settings: object) -> Source:
        return open_source(path, replace(SourceSettings(decoder="pyav"), **settings))

    @pytest.mark.parametrize(
        ("name", "clip"),
        [
            ("b.ts", Clip(frames=40, options=B_FRAMES)),
            ("mpeg2.ts", Clip(frames=40, codec="mpeg2video", options={"bf": "2", "b": "4M"})),
            ("b.avi", Clip(frames=40, options=B_FRAMES)),
            ("raw.h264", Clip(frames=40, options=B_FRAMES)),
            ("fragments.mp4", Clip(frames=40, container={"movflags": "frag_keyframe+empty_moov"})),
            ("hidden.webm", Clip(frames=40, codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"})),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_awkward_containers(self, tmp_path: Path, name: str, clip: Clip) -> None:
        source = self.open(clip.write(tmp_path / name))
        batches = read(source)
        got = frames(batches)
        pts = [int(p) for b in batches for p in b.pts]
        assert [number(got[i]) for i in got] == list(range(40))
        assert source.info.frames == 40
        assert [(b - a) * source.info.time_base for a, b in pairwise(pts)] == [Fraction(1, 25)] * 39
        for batch in source.sample(6, 4):
            for i, pixels in zip(batch.index, batch.pixels, strict=True):
                assert np.array_equal(pixels, got[int(i)])

    def test_frames_that_all_have_one_time_are_counted(self, tmp_path: Path) -> None:
        path = tmp_path / "timeless.mp4"
        timed = Clip(frames=30, options={"bf": "0"}).write(tmp_path / "a.mp4")
        with av.open(str(timed)) as given, av.open(str(path), "w") as out:
            stream = out.add_stream_from_template(given.streams.video[0])
            for packet in given.demux(video=0):
                if packet.size:
                    packet.pts = packet.dts = 0
                    packet.stream = stream
                    out.mux(packet)
        for decoder in ("pyav", "auto"):
            got = frames(read(self.open(path, decoder=decoder)))
            assert [(i, number(pixels)) for i, pixels in got.items()] == [(i, i) for i in range(30)]

    @pytest.mark.parametrize(
        "clip",
        [
            Clip(frames=100, options={"bf": "0"}),
            Clip(frames=100, options=B_FRAMES),
            Clip(frames=100, codec="mpeg4", options={"b": "4M"}),
        ],
        ids=["h264", "h264-b", "mpeg4"],
    )
    def test_avi_begins_at_zero(self, tmp_path: Path, clip: Clip) -> None:
        path = clip.write(tmp_path / "a.avi")
        batches = read(self.open(path))
        assert [int(p) for b in batches for p in b.pts] == list(range(100))
        assert [number(p) for p in frames(batches).values()] == list(range(100))
        some = frames(read(self.open(path, start="2.4", end="2.6")))
        assert [(i, number(p)) for i, p in some.items()] == [(i, i) for i in range(60, 65)]

    @pytest.mark.parametrize("suffix", [".mp4", ".avi"])
    def test_seeking_decodes_little_before_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        from videoparts.sources import pyav_reader

        path = Clip(frames=200, gop=20, options={"bf": "0"}).write(tmp_path / f"long{suffix}")
        decoded: list[int] = []
        numbered = pyav_reader.PyAVVideo._numbered

        def counted(self: pyav_reader.PyAVVideo, *args: object) -> object:
            for position, frame in numbered(self, *args):  # type: ignore[arg-type]
                decoded.append(position)
                yield position, frame

        monkeypatch.setattr(pyav_reader.PyAVVideo, "_numbered", counted)
        got = frames(read(self.open(path, start="7.2", end="7.4")))
        assert list(got) == [180, 181, 182, 183, 184]
        assert [number(p) for p in got.values()] == list(got)
        assert len(decoded) < 30


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _one_line(root: Path) -> Path:
    root.mkdir()
    Image.new("RGB", (1, 16)).save(root / "a.png")
    return root


def _headed_only(root: Path) -> Path:
    whole = Clip(container={"movflags": "frag_keyframe+empty_moov"}).write(root / "w.mp4").read_bytes()
    return _written(root / "zero.mp4", whole[: whole.index(b"moof") - 4])


def _told(path: Path, told: str, late: int) -> Path:
    """A Matroska file of 4 seconds that begin ``late`` / 25, which tells its duration elsewhere or otherwise."""
    content = path.read_bytes()
    end = struct.pack(">d", 1000 * (4 + late / 25))
    assert content.count(end) == content.count(b"DURATION") == 1
    if told != "tag":
        content = content.replace(b"DURATION", b"SOMETHIN")
    if told == "from the first frame":  # as mkvmerge counts
        content = content.replace(end, struct.pack(">d", 4000.0))
    return _written(path, content)


class TestBroken:
    def test_truncated_mp4_gives_the_frames_it_has_and_says_so(self, tmp_path: Path) -> None:
        whole = Clip(frames=100, options=B_FRAMES, container={"movflags": "faststart"}).write(tmp_path / "w.mp4")
        source = open_source(cut(whole, 0.6, tmp_path / "clip.mp4"))
        got = frames(read(source))
        assert source.decoder == "pyav"
        assert source.info.frames is None
        assert 40 <= len(got) < 80
        assert [number(p) for p in got.values()] == list(got) == list(range(len(got)))
        assert any(f"clip.mp4 breaks off after {len(got)} of 100 frames" in note for note in source.notes)
        assert len(source.notes) == 2
        assert len(frames(list(source.sample(5, 5)))) == 5

    @pytest.mark.parametrize("name", ["c.mkv", "c.webm"])
    def test_truncated_matroska(self, tmp_path: Path, name: str) -> None:
        codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
        whole = Clip(frames=100, codec=codec).write(tmp_path / f"whole-{name}")
        source = open_source(cut(whole, 0.6, tmp_path / name))
        got = frames(read(source))
        assert 30 <= len(got) < 90
        assert [number(p) for p in got.values()] == list(range(len(got)))
        assert any("breaks off after" in note and "4.00 seconds" in note for note in source.notes)

    @pytest.mark.parametrize("late", [12, 250, 25_000])
    @pytest.mark.parametrize("told", ["tag", "head", "from the first frame"])
    def test_matroska_whose_times_begin_late(self, tmp_path: Path, late: int, told: str) -> None:
        whole = _told(Clip(frames=100, times=range(late, late + 100)).write(tmp_path / "whole.mkv"), told, late)
        source = open_source(whole, SourceSettings(decoder="pyav"))
        assert source.notes == ()
        assert [number(p) for p in frames(read(source)).values()] == list(range(100))
        source = open_source(cut(whole, 0.6, tmp_path / "c.mkv"), SourceSettings(decoder="pyav"))
        (note,) = source.notes
        assert "breaks off after" in note
        if told != "from the first frame" or late > 100:  # else it cannot be known where the count begins
            assert "of 4.00 seconds" in note

    def test_truncated_transport_stream(self, tmp_path: Path) -> None:
        whole = Clip(frames=100, options=B_FRAMES).write(tmp_path / "w.ts")
        got = frames(read(open_source(cut(whole, 0.6, tmp_path / "c.ts"))))
        assert 30 <= len(got) < 90

    def test_damage_in_the_middle_is_passed_over_and_told(self, tmp_path: Path) -> None:
        path = Clip(frames=60, codec="png", pix_fmt="rgb24").write(tmp_path / "d.mov")
        with av.open(str(path)) as container:
            packet = [p for p in container.demux(video=0) if p.size][20]
            where, length = packet.pos, packet.size
        content = bytearray(path.read_bytes())
        content[where : where + length] = bytes(length)
        path.write_bytes(content)
        source = open_source(path, SourceSettings(decoder="pyav"))
        got = frames(read(source))
        assert 20 not in got
        assert len(got) == 59
        assert source.notes == ("d.mov is damaged: 1 of 60 frames cannot be decoded and are left out",)

    @pytest.mark.parametrize("decoder", ["auto", "pyav"])
    @pytest.mark.parametrize(
        ("make", "says"),
        [
            (lambda d: d / "none.mp4", "no such file"),
            (lambda d: _written(d / "empty.mp4", b""), "empty"),
            (lambda d: _written(d / "notes.txt", b"hello\n" * 99), "text, not a video"),
            (lambda d: _written(d / "text.mp4", b"hello\n" * 99), "not readable as a video|text, not a video"),
            (lambda d: _written(d / "junk.mkv", bytes(range(256)) * 64), "not readable as a video"),
            (lambda d: audio_only(d / "sound.m4a"), "sound but no video"),
            (lambda d: cut(Clip().write(d / "w.mp4"), 0.7, d / "cut.mp4"), "broken off or was never finished"),
            (lambda d: folder(d, ["one.png"]) / "one.png", "single picture.*folder"),
            (_headed_only, "announces video but holds no frame"),
            (lambda d: d, "holds no pictures"),
            (lambda d: Clip(width=544, height=32).write(d / "slim.mp4"), "is 544x32, more than 16 times as long"),
            (lambda d: _one_line(d / "line"), "is 1x16, and a line is no picture"),
        ],
    )
    def test_one_line_that_says_what_is_wrong(
        self, tmp_path: Path, make: Callable[[Path], Path], says: str, decoder: str
    ) -> None:
        before = children()
        path = make(tmp_path)
        with pytest.raises(SourceError, match=says) as caught:
            open_source(path, SourceSettings(decoder=decoder))  # type: ignore[arg-type]
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        assert ";" in message  # what to do
        assert children() <= before

    @pytest.mark.parametrize("decoder", ["auto", "pyav"])
    def test_a_name_with_a_colon_is_no_protocol(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoder: Literal["auto", "pyav"]
    ) -> None:
        Clip().write(tmp_path / "clip.mp4").rename(tmp_path / "clip-12:30.mp4")
        monkeypatch.chdir(tmp_path)
        frames = read(open_source("clip-12:30.mp4", SourceSettings(decoder=decoder)))
        assert sum(map(len, frames)) == 30

    def test_a_file_that_vanishes(self, tmp_path: Path) -> None:
        path = Clip().write(tmp_path / "p.mp4")
        source = open_source(path, SourceSettings(decoder="pyav"))
        path.unlink()
        with pytest.raises(SourceError, match="No such file"):
            next(source.batches(1))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path: Path) -> None:
        path = Clip().write(tmp_path / "p.mp4")
        path.chmod(0)
        with pytest.raises(SourceError, match="permission"):
            open_source(path)

    @pytest.mark.parametrize(
        "settings",
        [{"start": "abc"}, {"end": "-1"}, {"start": "1:75"}, {"start": "2", "end": "1"}, {"end": "1:2:3:4"}],
    )
    def test_nonsense_times(self, tmp_path: Path, settings: dict[str, str]) -> None:
        with pytest.raises(SettingsError, match=r"--start|--end"):
            open_source(Clip().write(tmp_path / "a.mp4"), SourceSettings(**settings))  # type: ignore[arg-type]


class TestFolder:
    def test_natural_order_and_what_is_ignored(self, tmp_path: Path) -> None:
        folder(tmp_path, ["f1.png", "f2.jpg", "f10.webp", "f11.TIFF", "f100.bmp"])
        folder(tmp_path, [".hidden.png"])
        (tmp_path / "notes.txt").write_text("no picture")
        (tmp_path / "sub.png").mkdir()
        batches = read(open_source(tmp_path, SourceSettings(fps=29.97)))
        assert batches[0].names == ("f1", "f2", "f10", "f11", "f100")
        assert [number(p) for p in batches[0].pixels] == [0, 1, 2, 3, 4]
        assert batches[0].time_base == Fraction(1001, 30000)

    def test_pictures_that_are_not_read_are_told(self, tmp_path: Path) -> None:
        folder(tmp_path, ["a.png", "b.png"])
        assert open_source(tmp_path).notes == ()
        for name in ("c.gif", "d.AVIF", "e.gif", ".hidden.gif", "notes.txt", "c.json"):
            (tmp_path / name).touch()
        (told,) = open_source(tmp_path).notes
        assert told.startswith(f"{tmp_path.name} holds 3 pictures more, of kinds that are not read (.avif, .gif);")

    def test_the_odd_one_out_is_named_with_both_sizes(self, tmp_path: Path) -> None:
        folder(tmp_path, ["b.png", "c.png", "d.png"])
        Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
        with pytest.raises(SourceError, match=r"a\.png is 20x10 .* 64x48"):
            open_source(tmp_path)

    def test_the_same_stem_twice(self, tmp_path: Path) -> None:
        folder(tmp_path, ["a.jpg", "a.png"])
        with pytest.raises(SourceError, match=r"a\.jpg and a\.png"):
            open_source(tmp_path)

    def test_stems_that_are_one_where_case_does_not_count(self, tmp_path: Path) -> None:
        folder(tmp_path, ["Cat.png", "cat.jpg"])
        with pytest.raises(SourceError, match=r"would give the same names"):
            open_source(tmp_path)

    @pytest.mark.parametrize("keep", [0, 30, -40])
    def test_a_corrupt_picture_is_named(self, tmp_path: Path, keep: int) -> None:
        folder(tmp_path, ["a.png", "b.png"])
        content = (tmp_path / "b.png").read_bytes()
        (tmp_path / "b.png").write_bytes(content[:keep])
        with pytest.raises(SourceError, match=r"b\.png: .*make it again or remove it"):
            read(open_source(tmp_path))

    def test_one_that_is_empty_or_too_large_is_told_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder(tmp_path, ["a.png"])
        (tmp_path / "b.png").touch()
        with pytest.raises(SourceError, match=r"b\.png: the file is empty; make it again or remove it"):
            read_picture(tmp_path / "b.png")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9)
        for reading in (lambda: read_picture(tmp_path / "a.png"), lambda: open_source(tmp_path)):
            with pytest.raises(SourceError, match=r"a\.png: the picture has more pixels than Pillow opens; make it"):
                reading()

    @pytest.mark.parametrize(
        ("name", "picture_"),
        [
            ("grey16.png", Image.fromarray(np.full((4, 6), 257 * 99, np.uint16))),
            ("grey16.tiff", Image.fromarray(np.full((4, 6), 257 * 99, np.uint16))),
            ("grey.png", Image.new("L", (6, 4), 99)),
            ("alpha.png", Image.new("RGBA", (6, 4), (99, 99, 99, 3))),
            ("greyalpha.png", Image.new("LA", (6, 4), (99, 3))),
            ("palette.png", Image.new("RGB", (6, 4), (99, 99, 99)).convert("P", palette=Image.Palette.ADAPTIVE)),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_every_kind_becomes_eight_bit_rgb(self, tmp_path: Path, name: str, picture_: Image.Image) -> None:
        picture_.save(tmp_path / name)
        source = open_source(tmp_path)
        assert np.array_equal(read(source)[0].pixels, np.full((1, 4, 6, 3), 99, np.uint8))
        assert any("1 has an alpha channel" in note for note in source.notes) == ("alpha" in name)

    def test_sixteen_bit_colour_tiff(self, tmp_path: Path) -> None:
        samples = np.full((4, 6, 3), 257 * 99, np.uint16)
        frame = av.VideoFrame.from_ndarray(samples, format="rgb48le")
        with av.open(str(tmp_path / "c.tiff"), "w", format="image2") as out:
            stream = out.add_stream("tiff", rate=1)
            stream.height, stream.width, stream.pix_fmt = 4, 6, "rgb48le"
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        pixels = read(open_source(tmp_path))[0].pixels
        assert np.abs(pixels.astype(int) - 99).max() <= 1

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["png L", "png P", "png RGB", "tiff L", "tiff RGB"])
    def test_every_orientation_of_every_kind(self, tmp_path: Path, kind: str, orientation: int) -> None:
        suffix, mode = kind.split()
        stored = np.arange(6 * 4, dtype=np.uint8).reshape(4, 6) * 10
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(stored).convert(mode).save(tmp_path / f"a.{suffix}", exif=exif)
        turns = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose}
        turns |= {6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a.T, 2), 8: np.rot90}
        source = open_source(tmp_path)
        want = turns[orientation](stored)
        assert (source.info.height, source.info.width) == want.shape
        assert np.array_equal(read(source)[0].pixels[0], np.repeat(want[..., None], 3, axis=2))

    def test_exif_orientation_turns(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[274] = 6  # shown turned clockwise by 90 degrees
        Image.fromarray(picture(5, 48, 64)).save(tmp_path / "a.jpg", exif=exif, quality=95)
        source = open_source(tmp_path)
        assert (source.info.height, source.info.width) == (64, 48)
        want = np.rot90(picture(5, 48, 64), -1)
        assert np.abs(read(source)[0].pixels[0].astype(int) - want).mean() < 6


def test_footage() -> None:
    clips = SHARED / "data/clips"
    if not clips.is_dir():
        pytest.skip("shared/data is not beside the checkout")
    source = open_source(clips / "cockatoo.mp4", SourceSettings(end="1"))
    assert [len(b) for b in source.batches(16)] == [16, 4]
    assert source.info.has_audio
    assert source.notes == ()

"""The aspect of the pixels in .mkv and .webm: what FFmpeg reads of it, and whether the file is still sound."""

from __future__ import annotations

import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np
import pytest
from clips import clip, read, with_sound
from overlays import write

from videoparts.config import SourceSettings
from videoparts.masks import PartMasks
from videoparts.sinks.encoding.matroska_aspect import ROOM, display_size, write_aspect
from videoparts.sinks.videos.labels_video import LabelsVideo
from videoparts.sources import open_source

HOLD_OTHERS = {"18538067", "114d9b74", "4dbb", "1654ae6b", "ae", "e0", "1c53bb6b", "bb", "b7"}
SEEK, SEEK_NAME, SEEK_PLACE, CUE_PLACE = "4dbb", "53ab", "53ac", "f1"
CLUSTER, CHECKSUM, SEGMENT, DISPLAY_WIDTH, DISPLAY_UNIT = "1f43b675", "bf", "18538067", "54b0", "54b2"


def elements(data, start=0, end=None):
    """(identifier, place, contents begin, contents end) of every element, those that hold others first."""
    end = len(data) if end is None else end
    while start < end:
        name = 9 - data[start].bit_length()
        sized = start + name
        size = 9 - data[sized].bit_length()
        inside = sized + size
        length = int.from_bytes(data[sized:inside], "big") & ((1 << 7 * size) - 1)
        assert inside + length <= end
        found = data[start:sized].hex()
        yield found, start, inside, inside + length
        if found in HOLD_OTHERS:
            yield from elements(data, inside, inside + length)
        start = inside + length


def numbers(data, name):
    return [int.from_bytes(data[a:b], "big") for found, _, a, b in elements(data) if found == name]


def check_structure(path):
    """All elements fill what holds them, checksums are right, and what points to places points to what it says."""
    data = path.read_bytes()
    every = list(elements(data))
    places = {place: name for name, place, _, _ in every}
    (origin,) = (inside for name, _, inside, _ in every if name == SEGMENT)
    for name, _, start, end in every:
        if name == SEEK:
            ((_, _, a, b), (_, _, c, d)) = elements(data, start, end)
            assert places[origin + int.from_bytes(data[c:d], "big")] == data[a:b].hex()
        first = next(elements(data, start, end), None) if name in HOLD_OTHERS else None
        if first is not None and first[0] == CHECKSUM:
            assert zlib.crc32(data[first[3] : end]) == int.from_bytes(data[first[2] : first[3]], "little")
    cues = numbers(data, CUE_PLACE)
    assert cues
    assert {places[origin + cue] for cue in cues} == {CLUSTER}
    return data


@pytest.mark.parametrize(
    ("size", "aspect"),
    [((576, 720), Fraction(*a)) for a in ((16, 15), (64, 45), (12, 11))]
    + [((480, 704), Fraction(40, 33)), ((48, 64), Fraction(8, 9)), ((35, 51), Fraction(16, 15))],
)
@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_the_aspect_is_told_and_nothing_else_changes(tmp_path, suffix, size, aspect):
    square = clip("x.mp4", "variable", count=3, size=size)
    made = replace(square, info=replace(square.info, pixel_aspect=aspect))
    notes = write(tmp_path / f"out{suffix}", made).notes
    write(tmp_path / f"square{suffix}", square)
    assert not any("aspect" in note for note in notes)
    data = check_structure(tmp_path / f"out{suffix}")
    assert ROOM.encode() not in data
    assert set(numbers(data, DISPLAY_UNIT)) <= {0}
    found, plain = read(tmp_path / f"out{suffix}"), read(tmp_path / f"square{suffix}")
    # 35 rows say it no better.
    assert abs(found.aspect - aspect) < (Fraction(1, 3000) if size == (35, 51) else Fraction(1, 10**9))
    assert plain.aspect == 1
    assert np.array_equal(found.frames, plain.frames)
    assert found.times == plain.times
    assert found.tags == plain.tags


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_the_sound_stays_and_a_seek_finds_its_frame(tmp_path, suffix):
    made = with_sound(tmp_path / f"in{suffix}", "libopus", count=100, seconds=4.0)
    made.info = replace(made.info, pixel_aspect=Fraction(4, 3))
    write(tmp_path / f"out{suffix}", made)
    check_structure(tmp_path / f"out{suffix}")
    found = read(tmp_path / f"out{suffix}")
    assert found.aspect == Fraction(4, 3)
    assert found.sound == read(made.info.path).sound
    source = open_source(tmp_path / f"out{suffix}", SourceSettings(decoder="pyav", start="3.4", end="3.6"))
    assert source.info.pixel_aspect == Fraction(4, 3)
    (batch,) = source.batches(9)
    assert batch.index.tolist() == list(range(85, 90))
    assert np.array_equal(batch.pixels, found.frames[85:90])


def test_many_clusters_stay_where_the_index_says(tmp_path):
    made = clip("x.mp4", count=300, aspect=Fraction(16, 15))
    with LabelsVideo(tmp_path, made.info) as sink:
        for masks in made.masks(50):
            sink.write(masks)
    data = check_structure(tmp_path / "labels.mkv")
    assert len({place for name, place, _, _ in elements(data) if name == CLUSTER}) > 1
    found = read(tmp_path / "labels.mkv")
    assert found.aspect == Fraction(16, 15)
    assert np.array_equal(found.frames[..., 1], np.concatenate([masks.labels for masks in made.masks()]))


def test_square_pixels_leave_no_trace(tmp_path):
    write(tmp_path / "out.webm", clip("x.mp4"))
    data = check_structure(tmp_path / "out.webm")
    assert numbers(data, DISPLAY_WIDTH) == []
    assert ROOM.encode() not in data


@pytest.mark.parametrize("rotation", [90, 180])
def test_an_upright_rotated_clip(tmp_path, rotation):
    path = media.Clip(frames=3, rotation=rotation, pixel_aspect=Fraction(16, 15)).write(tmp_path / "in.mp4")
    source = open_source(path, SourceSettings(decoder="pyav"))
    wanted = Fraction(15, 16) if rotation == 90 else Fraction(16, 15)
    assert source.info.pixel_aspect == wanted
    with LabelsVideo(tmp_path, source.info) as sink:
        for frames in source.batches(3):
            sink.write(PartMasks(frames, frames.pixels[..., 0]))
    found = read(tmp_path / "labels.mkv")
    assert (found.size, found.aspect) == ((source.info.height, source.info.width), wanted)


def test_two_views_side_by_side_keep_the_shape_of_their_pixels(tmp_path):
    write(tmp_path / "out.webm", clip("x.mp4", aspect=Fraction(4, 3)), side_by_side=True)
    found = read(tmp_path / "out.webm")
    assert (found.size, found.aspect) == ((48, 128), Fraction(4, 3))


@pytest.mark.parametrize("height", [1, 35, 480, 576, 1080])
@pytest.mark.parametrize("aspect", [Fraction(16, 15), Fraction(40, 33), Fraction(4321, 4096), Fraction(1, 3)])
def test_the_size_on_a_screen(height, aspect):
    width = height * 5 // 4 + 1
    shown, across = display_size((height, width), aspect)
    assert height <= shown <= 2 * height
    # The nearest that so many rows can say, and the shape itself where they can.
    shape = aspect * width / height
    assert abs(Fraction(across, shown) - shape) <= Fraction(1, 2 * height)
    if shape.denominator <= 2 * height:
        assert Fraction(across, shown) == shape


def test_a_file_without_room_is_refused_and_stays(tmp_path):
    write(tmp_path / "out.mkv", clip("x.mp4"))
    (tmp_path / "other.mkv").write_bytes(b"")
    before = (tmp_path / "out.mkv").read_bytes()
    with pytest.raises(ValueError, match="no track has the title"):
        write_aspect(tmp_path / "out.mkv", (48, 64), Fraction(4, 3))
    with pytest.raises(ValueError, match="no description of the tracks"):
        write_aspect(tmp_path / "other.mkv", (48, 64), Fraction(4, 3))
    assert (tmp_path / "out.mkv").read_bytes() == before


def test_ffmpeg_writes_the_room_as_the_title_of_the_track(tmp_path):
    path = Path(tmp_path / "a.mkv")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        stream.metadata["title"] = ROOM
        out.mux(stream.encode(av.VideoFrame(64, 48, "gray")))
        out.mux(stream.encode(None))
    before = path.stat().st_size
    write_aspect(path, (48, 64), Fraction(4, 3))
    check_structure(path)
    assert path.stat().st_size == before
    assert read(path).aspect == Fraction(4, 3)

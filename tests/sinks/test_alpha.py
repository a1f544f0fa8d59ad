"""Mattes in ProRes and VP9, read back with FFmpeg's decoders and taken apart here."""

from __future__ import annotations

import resource
from dataclasses import replace
from fractions import Fraction

import av
import media
import numpy as np
import pytest
from clips import TAGGED, clip, end_of_movie, gradient, milliseconds

from videoparts.config import SourceSettings
from videoparts.errors import OutputError
from videoparts.frames import ColourTags
from videoparts.masks import Part, PartMasks
from videoparts.sinks.encoding.colour import FrameMaker
from videoparts.sinks.formats import FORMATS
from videoparts.sinks.videos.labels_video import LabelsVideo
from videoparts.sinks.videos.prores import ProResPacked, ProResParts
from videoparts.sinks.videos.webm import WebMParts
from videoparts.sources import open_source

SINKS = [ProResParts, ProResPacked, WebMParts]
PARTS = [Part(n, name, (9, 9, 9)) for n, name in ((1, "head"), (2, "left ear/tip"), (4, "ÄÖ"), (7, "tail"), (9, "leg"))]
NAMES = ["01-head", "02-left-ear-tip", "04-ÄÖ", "07-tail", "09-leg"]


def mattes_of(count, size, parts, noise=30):
    """(N, K, H, W): discs that move, their soft edges noisy, together at most 255."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(float)
    noisy = np.random.default_rng(3)
    out = np.zeros((count, parts, height, width), np.uint8)
    for n in range(count):
        left = np.full(size, 255.0)
        for k in range(parts):
            far = np.hypot(x - width * (k + 1) / (parts + 1) - n, y - height / 2 + 3 * np.sin(n + k))
            one = np.clip((max(size) / (2 * parts + 2) - far) / 4 + 0.5, 0, 1) * 255
            one = np.where((one > 0) & (one < 255), np.clip(one + noisy.normal(0, noise, size), 0, 255), one)
            one = np.minimum(one.round(), left)
            left -= one
            out[n, k] = one
    return out


def write(sink, made, mattes, only=slice(None), batch=4):
    """``mattes``: (N, K, H, W), of the frames that are written."""
    done = 0
    with sink:
        for masks in made.masks(batch, only):
            sink.write(replace(masks, mattes=mattes[done : done + len(masks)]))
            done += len(masks)
    return sink


class Film:
    """A file as its decoder gives it, every plane from 0 to 255."""

    def __init__(self, path):
        with av.open(str(path)) as source:
            video = source.streams.video[0]
            assert len(source.streams) == 1  # no sound
            context = video.codec_context
            self.codec, self.tag, self.aspect = context.name, context.codec_tag, video.sample_aspect_ratio
            decoder = av.CodecContext.create("libvpx-vp9", "r") if context.name == "vp9" else context
            frames = []
            for packet in source.demux(video):
                frames += decoder.decode(packet if packet.size else None)
            self.times = [frame.pts * video.time_base for frame in frames]
        self.frames = frames
        self.format = frames[0].format.name
        self.size = (frames[0].height, frames[0].width)
        last = frames[-1]
        self.tags = ColourTags(last.color_primaries, last.color_trc, last.colorspace, last.color_range)

    def plane(self, i):
        """(N, h, w) float, in units of 8 bits."""
        bits = self.frames[0].format.components[i].bits
        kind = np.uint8 if bits == 8 else np.uint16
        planes = [f.planes[i] for f in self.frames]
        arrays = [np.frombuffer(p, kind).reshape(p.height, -1)[:, : p.width] for p in planes]
        return np.stack(arrays).astype(float) / 2 ** (bits - 8)

    @property
    def alpha(self):
        bits = self.frames[0].format.components[3].bits
        return self.plane(3) * 2 ** (bits - 8) * 255 / (2**bits - 1)

    def rgb(self, red, blue, full=False):
        """By the formula of H.273 for a matrix with those weights of red and blue."""
        size = self.size
        luma, *chroma = (self.plane(i) for i in range(3))
        if chroma[0].shape[1:] != size:  # each sample of a 4:2:0 file stands for four pixels
            chroma = [c.repeat(2, 1).repeat(2, 2)[:, : size[0], : size[1]] for c in chroma]
        if full:
            luma, cb, cr = luma / 255, *((c - 128) / 255 for c in chroma)
        else:
            luma, cb, cr = (luma - 16) / 219, *((c - 128) / 224 for c in chroma)
        r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
        g = (luma - red * r - blue * b) / (1 - red - blue)
        return np.clip(np.stack([r, g, b], -1) * 255, 0, 255)


def bt601(film):
    return film.rgb(0.299, 0.114)


def bt709(film):
    return film.rgb(0.2126, 0.0722)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a - b.astype(float)) ** 2))


CLIPS = [("25", (48, 64)), ("29.97", (48, 64)), ("variable", (48, 64)), ("25", (35, 51)), ("variable", (36, 51))]


@pytest.mark.parametrize(("kind", "size"), [*CLIPS, ("25", (1, 1)), ("25", (3, 200))])
def test_prores_holds_the_colours_and_each_matte(tmp_path, kind, size):
    made, mattes = clip("x.mp4", kind, size=size), mattes_of(12, size, 5)
    made.pixels[:, :: max(1, size[0] // 3)] = (250, 5, 90)
    sink = write(ProResParts(tmp_path, made.info, PARTS), made, mattes)
    assert sink.outputs == tuple(tmp_path / "prores" / f"{name}.mov" for name in NAMES)
    assert sorted((tmp_path / "prores").iterdir()) == sorted(sink.outputs)
    assert sink.notes == ()
    for k, path in enumerate(sink.outputs):
        film = Film(path)
        assert (film.codec, film.tag, film.format, film.size) == ("prores", "ap4h", "yuva444p12le", size)
        assert film.times == [p * made.info.time_base for p in made.pts]
        assert end_of_movie(path) == film.times[-1] + film.times[-1] - film.times[-2]
        assert np.abs(film.alpha - mattes[:, k]).max() < 0.2
        assert np.array_equal(film.alpha.round(), mattes[:, k])
        assert np.abs(bt601(film) - made.pixels).max() <= 3
        assert psnr(bt601(film), made.pixels) > 55


@pytest.mark.parametrize(("kind", "size"), [*CLIPS, ("25", (1, 1)), ("25", (200, 3))])
def test_webm_holds_the_colours_and_each_matte(tmp_path, kind, size):
    made, mattes = clip("x.mp4", kind, size=size), mattes_of(12, size, 5)
    if min(size) < 8:  # where all is edge, halved chroma is far off
        made.pixels[:] = made.pixels[:, :1, :1]
    sink = write(WebMParts(tmp_path, made.info, PARTS), made, mattes)
    assert sink.outputs == tuple(tmp_path / "webm" / f"{name}.webm" for name in NAMES)
    assert sorted((tmp_path / "webm").iterdir()) == sorted(sink.outputs)
    assert sink.notes == ()
    for k, path in enumerate(sink.outputs):
        film = Film(path)
        assert (film.codec, film.format, film.size) == ("vp9", "yuva420p", size)
        assert film.times == milliseconds(made, made.pts)
        assert np.array_equal(film.alpha, mattes[:, k])
        assert np.abs(bt601(film) - made.pixels).mean() < 6


def test_webm_alpha_is_exact_even_as_noise(tmp_path):
    made = clip("x.mp4", size=(97, 131))
    mattes = np.random.default_rng(0).integers(0, 256, (12, 1, 97, 131), np.uint8)
    (path,) = write(WebMParts(tmp_path, made.info, PARTS[:1]), made, mattes).outputs
    assert np.array_equal(Film(path).alpha, mattes[:, 0])


def test_webm_can_be_entered_at_every_key_frame(tmp_path):
    made = clip("x.mp4", count=300)
    mattes = mattes_of(300, (48, 64), 1)
    (path,) = write(WebMParts(tmp_path, made.info, PARTS[:1]), made, mattes).outputs
    with av.open(str(path)) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
    keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
    assert len(keys) > 1
    for key in keys:
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        for i in range(key, min(key + 3, 300)):
            (frame,) = decoder.decode(packets[i])
            plane = frame.planes[3]
            alpha = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
            assert np.array_equal(alpha, mattes[i, 0])


@pytest.mark.parametrize("sink", [ProResParts, WebMParts])
@pytest.mark.parametrize("tags", TAGGED.values(), ids=TAGGED)
def test_colour_tags_are_the_sources_and_mean_the_same_colours(tmp_path, sink, tags):
    flat = clip("x.mp4", count=4, size=(96, 96), colour=tags)
    colours = [(200, 30, 40), (20, 180, 60), (40, 50, 220), (240, 240, 240)]
    flat.pixels = np.array(colours, np.uint8).reshape(1, 2, 2, 3).repeat(48, 1).repeat(48, 2).repeat(4, 0)
    (path,) = write(sink(tmp_path, flat.info, PARTS[:1]), flat, mattes_of(4, (96, 96), 1)).outputs
    film = Film(path)
    # ProRes knows no full range, VP9 no unspecified one; and of the two sets of BT.601 it tells one matrix.
    wanted = replace(tags, range=1 if sink is ProResParts or tags.range == 0 else tags.range)
    assert film.tags.range == wanted.range
    with av.open(str(path)) as source:
        context = source.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc) == (wanted.primaries, wanted.transfer)
        assert context.colorspace == wanted.matrix
    weights = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}.get(tags.matrix, (0.299, 0.114))
    middles = film.rgb(*weights, full=wanted.range == 2)[-1][24::48, 24::48].reshape(4, 3)
    assert np.abs(middles - colours).max() <= 4


def test_four_mattes_in_a_file(tmp_path):
    size = (97, 131)
    made, mattes = clip("x.mp4", "variable", size=size), mattes_of(12, size, 5)
    sink = write(ProResPacked(tmp_path, made.info, PARTS), made, mattes)
    assert sink.outputs == (tmp_path / "packed-1-7.mov", tmp_path / "packed-9-9.mov")
    first, second = map(Film, sink.outputs)
    for film in (first, second):
        assert (film.codec, film.tag, film.format, film.size) == ("prores", "ap4h", "yuva444p12le", size)
        assert film.times == [p * made.info.time_base for p in made.pts]
        assert film.tags == ColourTags(1, 1, 1, 1)
    wanted = np.moveaxis(mattes[:, :3], 1, -1)
    found = bt709(first)
    assert np.array_equal(first.alpha.round(), mattes[:, 3])
    assert np.abs(found - wanted).max() <= 3.5
    assert np.mean(np.abs(found - wanted) > 1.5) < 0.001
    assert psnr(found, wanted) > 55
    # Far from the edges nothing is lost: 0 is 0 and 255 is 255.
    flat = [slice(None), slice(0, 8), slice(0, 8)]
    assert np.array_equal(found[tuple(flat)].round(), wanted[tuple(flat)])
    assert (second.alpha == 255).all()
    last = bt709(second)
    assert np.abs(last[..., 0] - mattes[:, 4]).max() <= 3.5
    assert np.abs(last[..., 1:]).max() <= 3.5


@pytest.mark.parametrize("levels", [(255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (128, 1, 254)])
def test_packed_levels_are_exact_where_mattes_are_flat(tmp_path, levels):
    made = clip("x.mp4", count=2)
    mattes = np.broadcast_to(np.array([*levels, 77], np.uint8)[None, :, None, None], (2, 4, 48, 64))
    (path,) = write(ProResPacked(tmp_path, made.info, PARTS[:4]), made, mattes).outputs
    assert np.abs(bt709(Film(path)) - levels).max() < 0.5
    assert np.abs(Film(path).alpha - 77).max() < 0.2


@pytest.mark.parametrize(("count", "names"), [(1, ["1-1"]), (4, ["1-7"]), (5, ["1-7", "9-9"]), (3, ["1-4"])])
def test_packed_files_are_named_by_their_parts(tmp_path, count, names):
    sink = ProResPacked(tmp_path, clip("x.mp4").info, PARTS[:count])
    assert [path.name for path in sink.outputs] == [f"packed-{name}.mov" for name in names]


@pytest.mark.parametrize("sink", SINKS)
def test_times_that_begin_late_are_kept_and_those_below_zero_shifted(tmp_path, sink):
    def times(folder, made, only=slice(None)):
        count = len(made.pts[only])
        one = write(sink(tmp_path / folder, made.info, PARTS[:2]), made, mattes_of(count, (48, 64), 2), only)
        found = {tuple(Film(path).times) for path in one.outputs}
        assert len(found) == 1
        return list(found.pop())

    def kept(made, shift=0):
        pts = [p + shift for p in made.pts]
        return milliseconds(made, pts) if sink is WebMParts else [p * made.info.time_base for p in pts]

    late, early = clip("x.mp4", "29.97", offset=7), clip("x.mp4", "variable", offset=-3000)
    assert times("late", late) == kept(late)
    assert times("early", early) == kept(early, 3000)
    assert times("middle", clip("x.mp4"), slice(5, 9)) == [Fraction(n, 25) for n in range(4)]


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("rotation", [90, 180])
def test_an_upright_rotated_clip(tmp_path, sink, rotation):
    path = media.Clip(frames=6, rotation=rotation).write(tmp_path / "in.mp4")
    source = open_source(path, SourceSettings(decoder="pyav"))
    size = (source.info.height, source.info.width)
    mattes, pixels, pts = mattes_of(6, size, 1), [], []
    with sink(tmp_path, source.info, PARTS[:1]) as open_sink:
        for frames in source.batches(4):
            some = mattes[len(pts) : len(pts) + len(frames)]
            open_sink.write(PartMasks(frames, np.zeros(frames.pixels.shape[:3], np.uint8), mattes=some))
            pixels.append(frames.pixels)
            pts += frames.pts.tolist()
    film = Film(open_sink.outputs[0])
    assert film.size == ((128, 96) if rotation == 90 else (96, 128))
    assert [round(t * 25) for t in film.times] == list(range(6))
    if sink is ProResPacked:
        assert np.abs(bt709(film)[..., 0] - mattes[:, 0]).max() <= 3.5
    else:
        assert np.array_equal(film.alpha.round(), mattes[:, 0])
        assert np.abs(bt601(film) - np.concatenate(pixels)).mean() < (1 if sink is ProResParts else 6)


@pytest.mark.parametrize("sink", SINKS)
def test_pixel_aspect_is_kept(tmp_path, sink):
    made, mattes = clip("x.mp4", count=2, aspect=Fraction(4, 3)), mattes_of(2, (48, 64), 5)
    done = write(sink(tmp_path, made.info, PARTS), made, mattes)
    films = [Film(path) for path in done.outputs]
    assert done.notes == ()
    assert {film.aspect for film in films} == {Fraction(4, 3)}
    if sink is not ProResPacked:
        assert all(np.array_equal(film.alpha.round(), mattes[:, k]) for k, film in enumerate(films))


@pytest.mark.parametrize("sink", SINKS)
def test_the_bytes_do_not_depend_on_the_run_the_batches_or_the_threads(tmp_path, sink):
    size = (243, 322)
    made, mattes = clip("x.mp4", "variable", size=size), mattes_of(12, size, 2)
    contents = set()
    for batch, threads in ((4, 1), (1, 4), (5, 4), (5, 4), (5, 2)):
        done = write(sink(tmp_path, made.info, PARTS[:2], threads=threads), made, mattes, batch=batch)
        contents.add(tuple(path.read_bytes() for path in done.outputs))
    assert len(contents) == 1


@pytest.mark.parametrize("size", [(36, 51), (243, 322)])
def test_colours_are_converted_alike_every_time(size):
    maker, (pixels,) = FrameMaker("yuv444p10le", ColourTags(1, 1, 1, 1)), gradient(1, *size)
    found = set()
    for _ in range(300):
        planes = [np.frombuffer(p, np.uint16).reshape(p.height, -1)[:, : p.width] for p in maker(pixels).planes]
        found.add(b"".join(plane.tobytes() for plane in planes))
    assert len(found) == 1


@pytest.mark.parametrize("sink", [*SINKS, LabelsVideo])
def test_a_long_clip_needs_no_more_memory(tmp_path, sink):
    made = clip("x.mp4", count=12, size=(240, 320))
    (masks,) = made.masks(batch=12)
    masks = replace(masks, mattes=mattes_of(12, (240, 320), 2))

    def grown(rounds):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with sink(tmp_path, made.info, PARTS[:2]) as open_sink:
            for n in range(rounds):
                open_sink.write(replace(masks, frames=replace(masks.frames, pts=masks.frames.pts + n * 12 * 512)))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    grown(5)
    assert grown(30) < 15_000  # kB; the 360 frames are 83 MB, their mattes 55 MB


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path, sink, error):
    made = clip("x.mp4")
    with pytest.raises(error), sink(tmp_path / "new", made.info, PARTS) as open_sink:  # noqa: PT012
        for masks in made.masks():
            open_sink.write(replace(masks, mattes=mattes_of(4, (48, 64), 5)))
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sink", SINKS)
def test_files_appear_together_or_not_at_all(tmp_path, sink):
    made = clip("x.mp4")
    blocked = sink(tmp_path, made.info, PARTS).outputs[-1]
    blocked.mkdir(parents=True)
    with pytest.raises(OutputError, match="is a folder"):
        sink(tmp_path, made.info, PARTS)
    blocked.rmdir()
    open_sink = sink(tmp_path, made.info, PARTS)
    blocked.mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        open_sink.__enter__()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    blocked.rmdir()
    with sink(tmp_path, made.info, PARTS) as open_sink:
        open_sink.write(replace(next(made.masks()), mattes=mattes_of(4, (48, 64), 5)))
        assert not any(path.exists() for path in open_sink.outputs)
    assert all(path.exists() for path in open_sink.outputs)


@pytest.mark.parametrize("sink", SINKS)
def test_a_full_disk_leaves_nothing(tmp_path, small_disk, sink):
    made, mattes = clip("x.mp4", size=(97, 131)), mattes_of(12, (97, 131), 5)
    whole = write(sink(tmp_path / "whole", made.info, PARTS), made, mattes)
    room = sum(-(-path.stat().st_size // 4096) for path in whole.outputs)
    for pages in (len(PARTS) + 1, room // 2, room - 1):
        disk = small_disk(4096 * pages)
        with pytest.raises(OutputError, match="the disk is full"):
            write(sink(disk, made.info, PARTS), made, mattes)
        assert list(disk.iterdir()) == []


@pytest.mark.parametrize("name", ["prores", "packed", "webm"])
def test_nothing_is_touched_before_the_with_and_no_frames_are_an_error(tmp_path, name):
    sink = FORMATS[name].open(tmp_path / "new", clip("x.mp4").info, PARTS)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="no frame to write"), sink:
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sink", SINKS)
def test_no_parts_make_no_files(tmp_path, sink):
    made = clip("x.mp4")
    done = write(sink(tmp_path, made.info, []), made, np.zeros((12, 0, 48, 64), np.uint8))
    assert done.outputs == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sink", SINKS)
def test_mattes_of_other_parts_are_refused(tmp_path, sink):
    made = clip("x.mp4")
    masks = next(made.masks())
    for mattes in (None, mattes_of(4, (48, 64), 4)):
        with pytest.raises(ValueError, match="mattes of 5 parts"), sink(tmp_path, made.info, PARTS) as open_sink:
            open_sink.write(replace(masks, mattes=mattes))
    assert list(tmp_path.iterdir()) == []


def test_the_clip_of_these_tests_is_no_single_colour():
    assert np.ptp(gradient(2, 48, 64)) > 200
    assert {0, 255} < set(mattes_of(2, (48, 64), 5).ravel().tolist())

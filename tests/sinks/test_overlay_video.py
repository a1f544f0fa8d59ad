from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import TAGGED, clip, read, with_sound
from overlays import write
from places import HELPERS

from videoparts.clock import StageClock
from videoparts.errors import OutputError, SettingsError
from videoparts.frames import ColourTags
from videoparts.painting.overlay import checkerboard, paint
from videoparts.painting.palette import palette
from videoparts.sinks.videos.overlay_video import OverlayVideo


@pytest.mark.parametrize("kind", ["25", "29.97", "variable"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_times_are_the_sources(tmp_path, suffix, kind):
    made = clip("x.mp4", kind)
    write(tmp_path / f"out{suffix}", made)
    found = read(tmp_path / f"out{suffix}")
    exact = [p * made.info.time_base for p in made.pts]
    if suffix in (".mp4", ".mov"):
        assert found.times == exact
        # The last frame is shown as long as the one before it.
        assert found.end == exact[-1] + exact[-1] - exact[-2]
    else:
        assert found.times == [Fraction(round(t * 1000), 1000) for t in exact]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("offset", [640, 12800])
def test_a_source_that_starts_late_keeps_its_times(tmp_path, suffix, offset):
    made = clip("x.mp4", "25", offset=offset)
    write(tmp_path / f"out{suffix}", made)
    assert read(tmp_path / f"out{suffix}").times == [p * made.info.time_base for p in made.pts]


def test_ntsc_that_starts_late_is_exact_too(tmp_path):
    made = clip("x.mp4", "29.97", offset=1)
    write(tmp_path / "out.mp4", made)
    assert read(tmp_path / "out.mp4").times == [p * made.info.time_base for p in made.pts]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_times_below_zero_are_shifted_to_zero(tmp_path, suffix):
    made = clip("x.mp4", "25", offset=-1024)
    write(tmp_path / f"out{suffix}", made)
    assert read(tmp_path / f"out{suffix}").times == [Fraction(n, 25) for n in range(12)]


def test_a_clip_from_the_middle_starts_at_zero(tmp_path):
    write(tmp_path / "out.mp4", clip("x.mp4", "25"), only=slice(5, 9))
    assert read(tmp_path / "out.mp4").times == [Fraction(n, 25) for n in range(4)]


def test_skipped_frames_leave_their_times(tmp_path):
    made = clip("x.mp4", "25")
    write(tmp_path / "out.mp4", made, only=slice(None, None, 3))
    found = read(tmp_path / "out.mp4")
    assert found.times == [Fraction(n, 25) for n in (0, 3, 6, 9)]
    assert found.end == Fraction(12, 25)


def test_writing_outside_of_a_with_block_is_told(tmp_path):
    made = clip("x.mp4", "25")
    sink = OverlayVideo(tmp_path / "out.mp4", like=made.info)
    with pytest.raises(ValueError, match=r"out\.mp4: is not open; write to it inside of a with block"):
        sink.write(next(iter(made.masks())))
    assert not list(tmp_path.iterdir())


def test_one_frame(tmp_path):
    write(tmp_path / "out.mp4", clip("x.mp4", "25"), only=slice(1))
    found = read(tmp_path / "out.mp4")
    assert found.times == [0]
    assert found.end == Fraction(1, 25)


def test_avi_numbers_its_frames(tmp_path):
    write(tmp_path / "out.avi", clip("x.mp4", "25"), only=slice(None, None, 2))
    with av.open(str(tmp_path / "out.avi")) as source:  # PyAV has FFmpeg guess presentation times, late by a frame
        video = source.streams.video[0]
        numbers = [packet.dts * video.time_base * 25 for packet in source.demux(video) if packet.size]
    assert numbers == [0, 2, 4, 6, 8, 10]


def uneven(steps):
    """A clip with so many milliseconds between its frames, as a source tells of it."""
    pts = [0, *np.cumsum(steps).tolist()]
    made = clip("x.mp4", count=len(pts))
    rate = Fraction(1000 * len(pts), pts[-1] + steps[-1])
    return replace(made, info=replace(made.info, time_base=Fraction(1, 1000), rate=rate), pts=pts)


def test_avi_tells_how_far_frames_of_uneven_times_are_off(tmp_path):
    made = uneven([40] * 8 + [100] * 8 + [17] * 7)
    (note,) = write(tmp_path / "out.avi", made).notes
    with av.open(str(tmp_path / "out.avi")) as source:
        video = source.streams.video[0]
        found = [packet.dts * video.time_base for packet in source.demux(video) if packet.size]
    off = max(abs(float(time - Fraction(pts, 1000))) for time, pts in zip(found, made.pts, strict=True))
    assert off > 0.2
    assert note == (
        "times: .avi numbers its frames at an even rate, which these do not keep: some are seen up to "
        f"{off:.2f} seconds off; choose .mp4 or .mkv to keep their times"
    )
    for suffix in (".mp4", ".mkv"):
        assert write(tmp_path / f"out{suffix}", made).notes == ()


def test_avi_of_a_frame_in_an_hour(tmp_path):
    made = clip("x.mp4")
    made.info = replace(made.info, rate=Fraction(1, 3600))
    write(tmp_path / "out.avi", made)
    with av.open(str(tmp_path / "out.avi")) as source:
        assert source.streams.video[0].average_rate == Fraction(1, 3600)


@pytest.mark.parametrize(("steps", "rate"), [([40] * 11, 25), ([33, 33, 34] * 7, 30), ([40, 80, 40, 40, 120, 40], 25)])
@pytest.mark.parametrize("late", [0, 17, 20])
def test_avi_says_nothing_of_times_that_are_only_rounded(tmp_path, steps, rate, late):
    made = uneven(steps)
    made.pts = [late + pts for pts in made.pts]
    made.info = replace(made.info, rate=Fraction(rate))
    assert write(tmp_path / "out.avi", made).notes == ()


def test_a_time_base_finer_than_ffmpegs_numbers(tmp_path):
    made = clip("x.mp4", "25")
    made.info = replace(made.info, time_base=Fraction(1, 2**40))
    made.pts = [round(n * 2**40 / 25) for n in range(12)]
    write(tmp_path / "out.mp4", made)
    assert read(tmp_path / "out.mp4").times == [Fraction(n, 25) for n in range(12)]


@pytest.mark.parametrize(
    ("suffix", "pixel_format"), [(".mp4", "yuv444p"), (".mkv", "yuv444p"), (".webm", "yuv420p"), (".mov", "yuv444p")]
)
@pytest.mark.parametrize("size", [(35, 51), (36, 51), (35, 50)])
def test_odd_sizes_are_kept(tmp_path, suffix, pixel_format, size):
    made = clip("x.mp4", count=3, size=size)
    sink = write(tmp_path / f"out{suffix}", made, quality=10)
    found = read(tmp_path / f"out{suffix}")
    assert found.size == size
    assert [note[:8] for note in sink.notes] == ([] if suffix == ".webm" else ["odd size"])
    assert found.format == pixel_format
    assert np.abs(found.frames.astype(int) - painted(made)).mean() < 6


def painted(made, alpha=0.55, outline=1):
    masks = next(made.masks(batch=len(made.pts)))
    return paint(made.pixels, masks.labels, palette(), alpha, outline)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("tags", TAGGED.values(), ids=TAGGED)
def test_colour_tags_are_the_sources_and_mean_the_same_colours(tmp_path, suffix, tags):
    flat = clip("x.mp4", count=4, size=(96, 96), colour=tags)
    colours = [(200, 30, 40), (20, 180, 60), (40, 50, 220), (240, 240, 240)]
    flat.pixels = np.array(colours, np.uint8).reshape(1, 2, 2, 3).repeat(48, 1).repeat(48, 2).repeat(4, 0)
    write(tmp_path / f"out{suffix}", flat, alpha=0.0, outline=0, quality=10)
    found = read(tmp_path / f"out{suffix}")
    if tags == ColourTags():  # VP9 states its range always
        assert (found.tags.primaries, found.tags.transfer, found.tags.matrix) == (2, 2, 2)
        assert found.tags.range in (0, 1)
    else:
        assert found.tags == tags
    middles = found.frames[-1][24::48, 24::48].reshape(4, 3).astype(int)
    assert np.abs(middles - colours).max() <= 4


def test_images_are_tagged_bt709(tmp_path):
    (tmp_path / "frames").mkdir()
    made = clip(tmp_path / "frames")
    write(tmp_path / "out.mp4", made)
    assert read(tmp_path / "out.mp4").tags == ColourTags(1, 1, 1, 1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm", ".avi"])
def test_pixel_aspect_is_kept(tmp_path, suffix):
    sink = write(tmp_path / f"out{suffix}", clip("x.mp4", aspect=Fraction(4, 3)))
    assert read(tmp_path / f"out{suffix}").aspect == Fraction(4, 3)
    assert sink.notes == ()


def test_a_lost_pixel_aspect_is_told(tmp_path):
    (note,) = write(tmp_path / "out.avi", clip("x.mp4", aspect=Fraction(4, 3)), codec="mjpeg").notes
    assert note == (
        "pixel aspect 4/3: mjpeg in .avi cannot say it, so players show square pixels; choose .mp4 to keep it"
    )


def test_what_is_painted_is_what_is_seen(tmp_path):
    made = clip("x.mp4", size=(96, 128))
    write(tmp_path / "out.mp4", made, quality=5)
    found = read(tmp_path / "out.mp4")
    assert np.abs(found.frames.astype(int) - painted(made)).mean() < 3
    assert found.codec == "h264"


def test_side_by_side(tmp_path):
    made = clip("x.mp4", size=(96, 128))
    write(tmp_path / "out.mp4", made, side_by_side=True, quality=5)
    found = read(tmp_path / "out.mp4")
    assert found.size == (96, 256)
    left, right = found.frames[:, :, :128].astype(int), found.frames[:, :, 128:].astype(int)
    assert np.abs(left - made.pixels).mean() < 3
    masks = next(made.masks(batch=12))
    wanted = np.where(masks.labels[..., None] > 0, painted(made), checkerboard(96, 128))
    assert np.abs(right - wanted).mean() < 3


def test_the_file_does_not_depend_on_the_batch_size_or_the_run(tmp_path):
    made = clip("x.mp4", "variable")
    for suffix in (".mp4", ".mkv", ".webm"):
        contents = set()
        for batch in (1, 5, 5):
            write(tmp_path / f"out{suffix}", made, batch=batch)
            contents.add((tmp_path / f"out{suffix}").read_bytes())
        assert len(contents) == 1, suffix


def test_mp4_has_its_index_in_front(tmp_path):
    write(tmp_path / "out.mp4", clip("x.mp4"))
    content = (tmp_path / "out.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mkv", "ffv1"), (".mov", "prores_ks"), (".avi", "mjpeg"), (".mp4", "mpeg4"), (".mov", "png")],
)
def test_other_encoders(tmp_path, suffix, codec):
    made = clip("x.mp4", size=(96, 128))
    write(tmp_path / f"out{suffix}", made, codec=codec)
    found = read(tmp_path / f"out{suffix}")
    assert len(found.pts) == 12
    assert np.abs(found.frames.astype(int) - painted(made)).mean() < 8


@pytest.mark.parametrize(
    ("name", "settings", "error", "said"),
    [
        ("out.gif", {}, OutputError, r"end its name in \.mp4"),
        ("out.mp4", {"codec": "x264"}, SettingsError, "no such encoder"),
        ("out.mp4", {"codec": "aac"}, SettingsError, "not video"),
        ("out.webm", {"codec": "libx264"}, SettingsError, "cannot hold it"),
        ("out.mp4", {"speed": "warp"}, SettingsError, "--speed of libx264 is ultrafast, .* got 'warp'"),
        ("out.mp4", {"quality": 99, "codec": "libvpx-vp9"}, SettingsError, "--quality of libvpx-vp9 runs from 0 to 63"),
        ("out.mp4", {"quality": 3, "codec": "mpeg4"}, SettingsError, "knows no crf"),
        ("out.mkv", {"speed": "fast", "codec": "ffv1"}, SettingsError, "knows no preset.*leave --speed out"),
    ],
)
def test_wrong_wishes_are_one_line_and_leave_nothing(tmp_path, name, settings, error, said):
    made = clip("x.mp4")
    with pytest.raises(error, match=said) as caught:
        write(tmp_path / "new" / name, made, **settings)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_vp9_takes_a_deadline_or_a_number_for_speed(tmp_path):
    for speed in ("realtime", "good", "5"):
        write(tmp_path / "out.webm", clip("x.mp4", count=2), speed=speed)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path, error):
    made = with_sound(tmp_path / "in.mp4")
    with pytest.raises(error, match="mine"), OverlayVideo(tmp_path / "a" / "out.mp4", like=made.info) as sink:  # noqa: PT012
        for masks in made.masks():
            sink.write(masks)
        raise error("mine")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_no_frames_leave_nothing(tmp_path):
    with pytest.raises(OutputError, match="no frame"), OverlayVideo(tmp_path / "out.mp4", like=clip("x.mp4").info):
        pass
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_touched_before_the_with(tmp_path):
    OverlayVideo(tmp_path / "new" / "out.mp4", like=clip("x.mp4").info)
    assert list(tmp_path.iterdir()) == []


def test_an_input_is_never_written_over(tmp_path):
    made = with_sound(tmp_path / "in.mp4", count=5)
    (tmp_path / "link.mp4").symlink_to(tmp_path / "in.mp4")
    for name in ("in.mp4", "link.mp4"):
        with pytest.raises(OutputError, match="is an input too"):
            OverlayVideo(tmp_path / name, like=made.info)
    with pytest.raises(OutputError, match="is an input too"):
        OverlayVideo(tmp_path / "b.mp4", like=made.info, inputs=[tmp_path / "b.mp4"])


def test_frames_of_another_size_or_falling_times_are_refused(tmp_path):
    made, other = clip("x.mp4"), clip("x.mp4", size=(32, 32))
    with pytest.raises(ValueError, match="frames must be"), OverlayVideo(tmp_path / "a.mp4", like=made.info) as sink:
        sink.write(next(other.masks()))
    with pytest.raises(ValueError, match="times must"), OverlayVideo(tmp_path / "a.mp4", like=made.info) as sink:  # noqa: PT012
        sink.write(next(made.masks()))
        sink.write(next(made.masks()))
    assert list(tmp_path.iterdir()) == []


def test_the_clock_counts_both_stages(tmp_path):
    made, clock = clip("x.mp4"), StageClock()
    with OverlayVideo(tmp_path / "out.mp4", like=made.info, clock=clock) as sink:
        sink.write(next(made.masks()))
    assert set(clock.seconds) == {"paint", "encode"}


@pytest.mark.skipif(shutil.which("mount") is None or os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_full_disk_leaves_nothing_and_a_file_that_appears_is_whole(tmp_path, small_disk, suffix):
    made = with_sound(tmp_path / f"in{suffix}", "libopus", size=(96, 128))
    write(tmp_path / f"whole{suffix}", made)
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    pages = -(-len(whole) // 4096)
    outcomes = set()
    for size in {1, 2, pages // 2, pages - 2, pages - 1, pages, pages + 1}:
        disk = small_disk(4096 * size)
        try:
            write(disk / f"out{suffix}", made)
        except OutputError as error:
            assert "the disk is full" in str(error)  # noqa: PT017 - either end is right, half a file is not
            assert list(disk.iterdir()) == []
            outcomes.add("refused")
        else:
            assert (disk / f"out{suffix}").read_bytes() == whole
            outcomes.add("written")
    assert outcomes == {"refused", "written"}


LIMITED = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from clips import clip
from overlays import write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
write(Path(sys.argv[1]) / "out.mp4", clip("x.mp4", count=60))
"""


def test_a_limit_on_file_sizes_is_told(tmp_path):
    assert resource.RLIM_INFINITY  # the limit is set in a process of its own
    command = [sys.executable, "-c", LIMITED, str(tmp_path), str(HELPERS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "OutputError" in done.stderr.splitlines()[-1]
    assert "larger than is allowed" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_long_clip_needs_no_more_memory(tmp_path):
    made = clip("x.mp4", count=12, size=(240, 320))

    def grown(rounds):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with OverlayVideo(tmp_path / "out.mp4", like=made.info) as sink:
            for n in range(rounds):
                (masks,) = made.masks(batch=12)
                later = masks.frames.pts + n * 12 * 512
                sink.write(replace(masks, frames=replace(masks.frames, pts=later)))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    grown(10)
    assert grown(50) < 20_000  # kB; the 600 frames are 138 MB


def test_the_encoder_in_use_here_is_found():
    assert av.Codec("libx264", "w").type == "video"

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import clip, read, sound_packets, sweep, with_sound
from overlays import write


def decoded(path):
    """Mono samples and the time of the first, in seconds."""
    with av.open(str(path)) as source:
        frames = list(source.decode(audio=0))
        return np.concatenate([f.to_ndarray().mean(0) for f in frames]), float(frames[0].pts * frames[0].time_base)


def lag(path, start=0.0):
    """How many milliseconds the sound of ``path`` at 0.5 s is behind the sweep that began at ``start``."""
    samples, first = decoded(path)
    at = int((0.5 - first) * 48000)
    piece = samples[at : at + 4800]
    wanted = sweep(4.0)[0]
    place = int((start + 0.5) * 48000)
    shifts = range(-2400, 2400, 8)
    like = [float(np.dot(piece, wanted[place - s : place - s + 4800])) for s in shifts]
    return shifts[int(np.argmax(like))] / 48


@pytest.mark.parametrize(
    ("source", "codec", "target"),
    [
        ("in.mp4", "aac", "out.mp4"),
        ("in.mp4", "aac", "out.mkv"),
        ("in.mp4", "aac", "out.mov"),
        ("in.mp4", "libopus", "out.mp4"),
        ("in.webm", "libopus", "out.webm"),
        ("in.webm", "libopus", "out.mp4"),
        ("in.mkv", "libopus", "out.webm"),
        ("in.mkv", "aac", "out.mp4"),
        ("in.mp4", "libmp3lame", "out.mkv"),
        ("in.mp4", "libmp3lame", "out.avi"),
    ],
)
def test_packets_are_copied(tmp_path, source, codec, target):
    made = with_sound(tmp_path / source, codec)
    sink = write(tmp_path / target, made)
    before, after = read(tmp_path / source), read(tmp_path / target)
    assert sink.notes == ()
    assert after.sound == before.sound
    assert len(after.pts) == 50
    if not target.endswith(".avi"):  # which numbers its packets
        away = [abs(a - b) for a, b in zip(after.sound_times, before.sound_times, strict=True)]
        assert max(away) <= Fraction(1, 1000)
        assert after.times == [Fraction(n, 25) for n in range(50)]


def test_packets_shorter_than_a_tick_of_matroska_are_all_kept(tmp_path):
    made = with_sound(tmp_path / "in.mkv", "pcm_s16le", packet=40)
    assert write(tmp_path / "out.mkv", made).notes == ()
    before, after = read(tmp_path / "in.mkv"), read(tmp_path / "out.mkv")
    assert len({*before.sound_times}) < len(before.sound)
    assert after.sound == before.sound


def test_sound_of_a_rate_that_the_encoder_does_not_take(tmp_path):
    made = with_sound(tmp_path / "in.mkv", "aac", seconds=2.0, rate=16000)
    (note,) = write(tmp_path / "out.avi", made).notes
    assert "encoded anew as ac3" in note
    samples, _ = decoded(tmp_path / "out.avi")
    assert abs(len(samples) / 32000 - 2) < 0.15


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
def test_adts_sound_of_mpeg_ts(tmp_path, target):
    made = with_sound(tmp_path / "in.ts", "aac")
    assert write(tmp_path / target, made).notes == ()
    before, after = read(tmp_path / "in.ts"), read(tmp_path / target)
    assert after.sound == [packet[7:] for packet in before.sound]  # without the header that mp4 has no use for


@pytest.mark.parametrize(
    ("codec", "target", "new"),
    [
        ("aac", "out.webm", "opus"),
        ("libmp3lame", "out.webm", "opus"),
        ("aac", "out.avi", "ac3"),
        ("pcm_s16le", "out.mp4", "aac"),
    ],
)
def test_sound_that_does_not_fit_is_encoded_anew_in_time(tmp_path, codec, target, new):
    made = with_sound(tmp_path / "in.mkv", codec, seconds=2.0)
    (note,) = write(tmp_path / target, made).notes
    assert "encoded anew" in note
    found = read(tmp_path / target)
    assert found.sound_codec == new
    assert abs(len(decoded(tmp_path / target)[0]) / 48000 - 2) < 0.06
    assert abs(lag(tmp_path / target) - lag(tmp_path / "in.mkv")) < 12 if new != "ac3" else True


@pytest.mark.parametrize("target", ["out.avi", "out.mp4", "out.mkv"])
@pytest.mark.parametrize("source", ["in.asf", "in.avi"])
def test_sound_whose_times_are_rounded_is_encoded_anew_to_its_end(tmp_path, source, target):
    """Windows Media, whose frames overlap by their times."""
    made = with_sound(tmp_path / source, "wmav2", seconds=2.0)
    (note,) = write(tmp_path / target, made).notes
    assert "cannot hold wmav2, so it was encoded anew" in note
    assert abs(len(decoded(tmp_path / target)[0]) - len(decoded(tmp_path / source)[0])) < 3000
    if source == "in.asf" and target != "out.avi":  # AVI has no times of such sound
        assert abs(lag(tmp_path / target) - lag(tmp_path / source)) < 12


def test_sound_of_which_nothing_can_be_decoded_is_told(tmp_path):
    made = with_sound(tmp_path / "in.nut", "wmav2")  # which does not keep how long its packets are
    *_, note = write(tmp_path / "out.mp4", made).notes
    assert note == "sound: left out, for none of it can be decoded"


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "out.webm"])
@pytest.mark.parametrize("source", ["in.mp4", "in.mkv"])
def test_a_part_of_the_clip_has_its_own_sound_in_time(tmp_path, source, target):
    made = with_sound(tmp_path / source, "aac", count=100, seconds=4.0)
    write(tmp_path / target, made, only=slice(25, 75))
    found = read(tmp_path / target)
    assert found.times[0] == 0
    assert len(found.pts) == 50
    assert -0.03 < found.sound_times[0] < 0.03
    assert 1.9 < found.sound_times[-1] < 2.02
    assert abs(lag(tmp_path / target, start=1.0) - lag(tmp_path / source)) < 12


def test_the_first_part_of_the_clip_ends_its_sound_with_its_picture(tmp_path):
    made = with_sound(tmp_path / "in.mp4", count=100, seconds=4.0)
    write(tmp_path / "out.mp4", made, only=slice(0, 25))
    before, after = read(tmp_path / "in.mp4"), read(tmp_path / "out.mp4")
    assert after.sound == before.sound[: len(after.sound)]
    assert 0.95 < after.sound_times[-1] < 1


def test_sound_that_outlasts_the_picture_of_a_whole_clip_is_kept(tmp_path):
    made = with_sound(tmp_path / "in.mp4", count=25, seconds=15.0)
    write(tmp_path / "out.mp4", made)
    assert read(tmp_path / "out.mp4").sound == read(tmp_path / "in.mp4").sound


def test_skipping_frames_keeps_the_sound(tmp_path):
    made = with_sound(tmp_path / "in.mp4")
    write(tmp_path / "out.mp4", made, only=slice(None, None, 5))
    assert read(tmp_path / "out.mp4").sound == read(tmp_path / "in.mp4").sound


def test_a_late_picture_stays_in_time_with_its_sound(tmp_path):
    made = with_sound(tmp_path / "in.mp4", count=25, offset=6400)
    write(tmp_path / "out.mp4", made)
    found = read(tmp_path / "out.mp4")
    assert found.times[0] == Fraction(1, 2)
    assert found.sound_times[0] <= 0
    assert found.sound == read(tmp_path / "in.mp4").sound


def test_sound_can_be_left_out(tmp_path):
    made = with_sound(tmp_path / "in.mp4")
    sink = write(tmp_path / "out.mp4", made, audio=False)
    assert read(tmp_path / "out.mp4").sound == []
    assert sink.notes == ()


@pytest.mark.parametrize("what", ["gone", "silent", "text", "of an unknown kind"])
def test_a_source_without_readable_sound_costs_only_the_sound(tmp_path, what):
    made = with_sound(tmp_path / "in.mp4")
    content = made.info.path.read_bytes()
    made.info.path.unlink()
    if what == "of an unknown kind":
        made.info.path.write_bytes(content.replace(b"mp4a", b"ac-4").replace(b"esds", b"free"))
    if what == "silent":
        write(made.info.path, clip("x.mp4"))
    if what == "text":
        made.info.path.write_text("no video")
    (note,) = write(tmp_path / "out.mp4", made).notes
    assert note.startswith("sound: left out")
    assert len(read(tmp_path / "out.mp4").pts) == 50


@pytest.mark.parametrize("target", ["out.mkv", "out.webm"])
def test_damaged_sound_costs_only_the_sound(tmp_path, target):
    made = with_sound(tmp_path / "in.mkv", "aac")
    content = bytearray((tmp_path / "in.mkv").read_bytes())
    random = np.random.default_rng(0)
    for place in random.integers(len(content) // 3, len(content), 400):
        content[place] = random.integers(256)
    (tmp_path / "in.mkv").write_bytes(content)
    write(tmp_path / target, made)
    found = read(tmp_path / target)
    assert len(found.pts) == 50
    assert found.times[-1] == Fraction(49, 25)


def test_a_source_that_breaks_off_costs_only_the_rest_of_the_sound(tmp_path):
    made = with_sound(tmp_path / "in.ts", "aac")
    content = (tmp_path / "in.ts").read_bytes()
    (tmp_path / "in.ts").write_bytes(content[: len(content) // 2])
    write(tmp_path / "out.mp4", made)
    found = read(tmp_path / "out.mp4")
    assert len(found.pts) == 50
    assert 10 < len(found.sound) < 90


def test_sound_is_interleaved_with_the_picture(tmp_path):
    made = with_sound(tmp_path / "in.mp4", count=100, seconds=4.0)
    for target in ("out.mkv", "out.mp4"):
        write(tmp_path / target, made)
        with av.open(str(tmp_path / target)) as found:
            packets = [packet for packet in found.demux() if packet.size]
            order = sorted((p.pos, p.stream.type, (p.dts if p.pts is None else p.pts) * p.time_base) for p in packets)
        ahead = {"audio": 0, "video": 0}
        for _, kind, time in order:
            ahead[kind] = time
            assert abs(ahead["audio"] - ahead["video"]) < 1.2


def test_memory_does_not_grow_with_the_sound(tmp_path):
    made = with_sound(tmp_path / "in.mkv", "flac", count=100, seconds=4.0)
    tracemalloc.start()
    write(tmp_path / "out.mkv", made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
    assert len(sound_packets(tmp_path / "out.mkv")) == len(sound_packets(tmp_path / "in.mkv"))

"""Decord in its own process: when PyAV takes over, hangs, bounded memory, and no process left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from array import array
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from media import VFR_TIMES, Clip, Pixels, children, number, picture
from places import ROOT

from videoparts.config import SourceSettings
from videoparts.errors import DecoderHangError, SourceError
from videoparts.sources import check, decord_reader, open_source
from videoparts.sources.index import VideoIndex

pytest.importorskip("decord", reason="decord is not installed")

B_FRAMES = {"preset": "medium", "bf": "3"}
# Answers as the real worker does, then sleeps for good when frames are asked for.
SLEEPER = """
import sys, time, json, struct
sys.stdin.readline()
if {opens}:
    body = json.dumps({{"frames": {frames}, "height": 96, "width": 128}}).encode()
    sys.stdout.buffer.write(struct.pack("<cQ", b"O", len(body)) + body)
    sys.stdout.flush()
time.sleep(60)
"""


def _fake(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(decord_reader, "WORKER", (sys.executable, "-c", code))


class TestTakingOver:
    """In auto mode PyAV takes over, and one line says why."""

    @pytest.mark.parametrize(
        ("name", "clip", "reason"),
        [
            ("b.ts", Clip(frames=60, options=B_FRAMES), "wrong picture for frame 0"),
            ("av1.mp4", Clip(codec="libsvtav1"), "decord cannot open it"),
            ("b.avi", Clip(options=B_FRAMES), "no time stamps"),
            ("long.mkv", Clip(frames=620, gop=1000, options={"x264-params": "scenecut=0"}), "too far apart"),
        ],
        ids=["wrong", "av1", "untimed", "one-key-frame"],
    )
    def test_where_decord_fails(self, tmp_path: Path, name: str, clip: Clip, reason: str) -> None:
        source = open_source(clip.write(tmp_path / name))
        assert source.decoder == "pyav"
        assert len(source.notes) == 1
        assert source.notes[0].startswith(f"{name} is decoded by PyAV: ")
        assert reason in source.notes[0]
        assert "\n" not in source.notes[0]
        assert sum(len(b) for b in source.batches(16)) == clip.frames

    def test_where_it_is_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(decord_reader, "find_spec", lambda name: None)
        path = Clip().write(tmp_path / "a.mp4")
        source = open_source(path)
        assert source.decoder == "pyav"
        assert source.notes == ("a.mp4 is decoded by PyAV: decord cannot be used: it is not installed",)
        with pytest.raises(SourceError, match="not installed; install decord, or try --decoder pyav"):
            open_source(path, SourceSettings(decoder="decord"))

    def test_where_it_hangs_at_opening(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _fake(monkeypatch, SLEEPER.format(opens=False, frames=30))
        path = Clip().write(tmp_path / "a.mp4")
        source = open_source(path, SourceSettings(timeout=1))
        assert source.decoder == "pyav"
        assert "hung" in source.notes[0]

    def test_where_it_crashes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _fake(monkeypatch, "import os; os.abort()")
        source = open_source(Clip().write(tmp_path / "a.mp4"))
        assert source.decoder == "pyav"
        assert "crashed" in source.notes[0]

    def test_forced_decord_says_what_is_wrong(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"av1.mp4: decord failed \(.*\); try --decoder pyav"):
            open_source(Clip(codec="libsvtav1").write(tmp_path / "av1.mp4"), SourceSettings(decoder="decord"))

    def test_a_good_file_stays_with_decord(self, tmp_path: Path) -> None:
        clip = Clip(times=VFR_TIMES, time_base=Fraction(1, 1000), options=B_FRAMES)
        source = open_source(clip.write(tmp_path / "a.mp4"))
        assert (source.decoder, source.notes) == ("decord", ())


class TestFault:
    """The comparison itself, on pictures."""

    truth = {i: picture(i)[::3, ::3] for i in (4, 5, 6)}  # noqa: RUF012

    def test_equal_and_rounded_pictures_pass(self) -> None:
        assert check._fault(5, self.truth[5], self.truth) is None
        assert check._fault(5, self.truth[5] + (self.truth[5] % 2), self.truth) is None

    def test_a_neighbour_is_found_out(self) -> None:
        assert "neighbour" in (check._fault(5, self.truth[4], self.truth) or "")

    def test_a_wrong_picture_is_found_out(self) -> None:
        assert "wrong picture" in (check._fault(5, 255 - self.truth[5], self.truth) or "")

    def test_probes_lie_near_key_frames(self) -> None:
        keys = array("q", range(0, 1000, 100))
        index = VideoIndex(array("q", range(1000)), keys, keys, Fraction(1, 25), True, None, None)
        assert check.probe_positions(index) == [0, 2, 502, 902]


def test_seeking_to_a_key_frame_and_just_past_it(tmp_path: Path) -> None:
    # Sought one frame past a key frame, decord gives the key frame again; the worker steps around that.
    path = Clip(frames=60, gop=20, options={"x264-params": "scenecut=0"}).write(tmp_path / "a.mp4")
    for wanted in (40, 41, 42, 59):
        source = open_source(path, SourceSettings(decoder="decord", start=f"{wanted / 25:.2f}"))
        batch = next(source.batches(1))
        assert source.notes == ()
        assert (int(batch.index[0]), number(batch.pixels[0])) == (wanted, wanted)


@pytest.mark.parametrize("opens", [False, True])
def test_a_hang_is_stopped_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: bool) -> None:
    path, before = Clip().write(tmp_path / "a.mp4"), children()
    source = open_source(path, SourceSettings(timeout=1))
    assert source.decoder == "decord"
    _fake(monkeypatch, SLEEPER.format(opens=opens, frames=30))
    began = time.monotonic()
    with pytest.raises(DecoderHangError, match=r"a\.mp4: decord gave no frame within 1 seconds; try --decoder pyav"):
        next(source.batches(4))
    assert time.monotonic() - began < 3
    assert children() <= before


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 frames that fill 440 MB once decoded; few distinct pictures, so that encoding is quick."""
    pictures: dict[int, Pixels] = {i: picture(i, 480, 768) for i in range(8)}
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    options = {"preset": "ultrafast", "crf": "30"}
    return Clip(400, 480, 768, gop=100, options=options, paint=lambda i, h, w: pictures[i % 8]).write(path)


class TestMemory:
    def test_a_worker_that_is_not_asked_does_not_decode_ahead(self, long_clip: Path) -> None:
        batches = open_source(long_clip, SourceSettings(decoder="decord")).batches(4)
        before = children()
        peak = 0
        for n, batch in enumerate(batches):
            time.sleep(0.15)
            peak = max(peak, *(_resident(child) for child in children() - before), 0)
            assert [number(p) for p in batch.pixels] == [int(i) % 8 for i in batch.index]
            if n == 9:
                break
        batches.close()  # type: ignore[attr-defined]
        # Without back-pressure all 400 frames lie decoded by then: 440 MB and what decord itself takes.
        assert 20 < peak < 330

    def test_what_it_decoded_ahead_is_thrown_away_in_time(
        self, long_clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # No margin at all: it flushes every time it may, and must still give every frame.
        monkeypatch.setattr(decord_reader, "_MARGIN", 0)
        index = [
            (int(i), number(p))
            for batch in open_source(long_clip, SourceSettings(decoder="decord")).batches(8)
            for i, p in zip(batch.index, batch.pixels, strict=True)
        ]
        assert index == [(i, i % 8) for i in range(400)]


def _resident(process: int) -> int:
    """Megabytes in use."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
    except OSError:
        return 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_the_worker_ends_with_its_parent(long_clip: Path, end: signal.Signals) -> None:
    """Also when the parent is killed while the worker is stopped."""
    code = f"""
import json, os, time
from videoparts.config import SourceSettings
from videoparts.sources import decord_reader, open_source
started, real = [], decord_reader.DecordWorker.__init__
def start(self, *a):
    real(self, *a); started.append(self._child.pid)
decord_reader.DecordWorker.__init__ = start
batches = open_source({str(long_clip)!r}, SourceSettings(decoder="decord")).batches(4)
next(batches)
print(json.dumps(started), flush=True)
for batch in batches:
    time.sleep(0.2)
"""
    root = str(ROOT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        assert parent.stdout is not None
        workers = json.loads(parent.stdout.readline())
        assert _alive(workers[-1])
        parent.send_signal(end)
        assert parent.wait(2) != 0
        deadline = time.monotonic() + 3
        while any(map(_alive, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(_alive, workers))
    finally:
        parent.kill()
        parent.wait()


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_worker_imports_nothing_heavy() -> None:
    code = "import sys, videoparts.sources.decord_worker; print(sorted({'torch', 'timm', 'av'} & set(sys.modules)))"
    root = str(ROOT)
    out = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True
    )
    assert out.stdout.strip() == "[]", out.stderr


def test_settings_can_be_replaced(tmp_path: Path) -> None:
    path = Clip(frames=10).write(tmp_path / "a.mp4")
    settings = replace(SourceSettings(), every=4, timeout=5)
    assert [b.index.tolist() for b in open_source(path, settings).batches(2)] == [[0, 4], [8]]


def test_frames_of_another_size_than_told_are_left_to_pyav(tmp_path: Path) -> None:
    path = Clip(height=16, width=16).write(tmp_path / "tiny.mp4")
    source = open_source(path)
    assert source.decoder == "pyav"
    assert "decord gives frames of another size than it says" in " ".join(source.notes)
    assert len(list(source.batches(1))) == 30

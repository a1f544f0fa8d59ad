"""The report on masks against slow oracles, and on scenes whose faults are known."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import cv2
import numpy as np
import pytest
from moving import coloured, moved, texture

from videoparts.evaluation.metrics import temporal_agreement
from videoparts.frames import FrameBatch, Pixels
from videoparts.luma import small_luma
from videoparts.masks import Part, PartMasks
from videoparts.reports.looks import Look
from videoparts.reports.presence import Blink, Moment
from videoparts.reports.report import MaskReport, Report

SIZE = (120, 160)
PARTS = (Part(1, "head", (1, 2, 3)), Part(2, "tail", (4, 5, 6)))


def batches(
    pixels: Sequence[Pixels],
    labels: Sequence[Pixels],
    size: int = 4,
    first: int = 0,
    stems: Sequence[str] | None = None,
) -> Iterator[PartMasks]:
    for start in range(0, len(labels), size):
        some = slice(start, start + size)
        index = np.arange(len(labels), dtype=np.int64)[some] + first
        names = None if stems is None else tuple(stems[some])
        frames = FrameBatch(np.stack(pixels[some]), index, 512 * index, Fraction(1, 12800), names)
        yield PartMasks(frames, np.stack(labels[some]))


def reported(
    pixels: Sequence[Pixels], labels: Sequence[Pixels], parts: Sequence[Part] = PARTS, size: int = 4, first: int = 0
) -> Report:
    report = MaskReport(parts)
    for masks in batches(pixels, labels, size, first):
        report.write(masks)
    return report.finish()


def still(count: int) -> list[Pixels]:
    return [coloured(texture(0, *SIZE))] * count


def square(*boxes: tuple[int, int, int, int, int]) -> Pixels:
    """Labels with boxes of (label, top, left, height, width)."""
    out = np.zeros(SIZE, np.uint8)
    for label, top, left, height, width in boxes:
        out[top : top + height, left : left + width] = label
    return out


BOTH = square((1, 30, 40, 40, 30), (2, 30, 70, 40, 50))
HEAD = square((1, 30, 40, 40, 30))
NOTHING = square()


def shown(pattern: str) -> list[Pixels]:
    """A frame a letter: b head and tail, h head alone, . nothing."""
    return [{"b": BOTH, "h": HEAD, ".": NOTHING}[letter] for letter in pattern]


def of(report: Report, number: int):
    (found,) = (one for one in report.parts if one.number == number)
    return found.presence


class TestTracks:
    @pytest.mark.parametrize("size", [(33, 41), (120, 160), (1, 7), (200, 3)])
    def test_they_are_those_of_the_loop(self, size: tuple[int, int]) -> None:
        random = np.random.default_rng(0)
        parts = [Part(k, f"part{k}", (0, 0, 0)) for k in (1, 3, 9, 255)]
        labels = []
        for density in (0.0, 0.02, 0.02, 0.5, 1.0):
            frame = random.choice([1, 3, 4, 255], size).astype(np.uint8)  # 4 is nobody's, 9 is nowhere
            frame[random.random(size) >= density] = 0
            labels.append(frame)
        labels.append(np.full(size, 9, np.uint8))
        report = MaskReport(parts)
        pixels = [np.zeros((*size, 3), np.uint8)] * len(labels)
        for masks in batches(pixels, labels, first=100):
            report.write(masks)
        assert [track.number for track in report.tracks] == [1, 3, 9, 255]
        seen = 0
        for track in report.tracks:
            assert len(track) == len(labels)
            for i, frame in enumerate(labels):
                y, x = np.nonzero(frame == track.number)
                assert track.area[i] == len(x)
                if len(x):
                    seen += 1
                    wanted = [x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]
                    assert track.box[i].tolist() == wanted
                    assert track.centre[i] == pytest.approx([x.mean(), y.mean()])
        assert seen >= 4
        assert [(frame.index, frame.stem, frame.pts) for frame in report.frames[:2]] == [
            (100, "00100", 51200),
            (101, "00101", 51712),
        ]
        covered = np.mean([np.mean(frame > 0) for frame in labels])
        assert report.finish().object.share == pytest.approx(covered, abs=1e-6)

    def test_two_are_equal_where_the_part_is(self) -> None:
        one, other = MaskReport(PARTS), MaskReport(PARTS)
        for report, tail in ((one, BOTH), (other, HEAD)):
            for masks in batches(still(2), [BOTH, tail]):
                report.write(masks)
        assert one.tracks[0] == other.tracks[0]
        assert one.tracks[1] != other.tracks[1]


class TestCoverage:
    def test_by_hand(self) -> None:
        report = reported(still(8), shown("bbbbhh.."))
        pixels = SIZE[0] * SIZE[1]
        assert of(report, 1).share == pytest.approx(1200 / pixels * 6 / 8, abs=1e-6)
        assert of(report, 2).share == pytest.approx(2000 / pixels * 4 / 8, abs=1e-6)
        assert report.object.share == pytest.approx((3200 * 4 + 1200 * 2) / pixels / 8, abs=1e-6)
        assert (of(report, 1).present, of(report, 2).present, report.object.present) == (0.75, 0.5, 0.75)

    def test_the_size_of_batches_does_not_matter(self) -> None:
        random = np.random.default_rng(0)
        pixels = [coloured(moved(texture(0, *SIZE), 2 * i, i)) for i in range(9)]
        labels = [random.integers(0, 3, SIZE, dtype=np.uint8) for _ in pixels]
        one = reported(pixels, labels, size=1)
        assert one.flicker is not None
        assert reported(pixels, labels, size=4) == reported(pixels, labels, size=9) == one

    def test_no_frame(self) -> None:
        report = MaskReport(PARTS).finish()
        assert (report.frames, report.t160, report.flicker, report.looks) == (0, None, None, ())
        assert (report.object.share, of(report, 1).present) == (0, 0)
        assert Report.from_json(report.to_json()) == report

    def test_no_frame_is_kept(self) -> None:
        pixels, labels = np.zeros((2, *SIZE, 3), np.uint8), np.ones((2, *SIZE), np.uint8)
        frames = FrameBatch(pixels, np.arange(2), np.arange(2), Fraction(1, 25))
        report = MaskReport(PARTS)
        report.write(PartMasks(frames, labels))
        kept = [weakref.ref(pixels), weakref.ref(labels)]
        del pixels, labels, frames
        assert [ref() for ref in kept] == [None, None]


class TestPresence:
    @pytest.mark.parametrize(
        ("pattern", "appears", "vanishes", "flickers"),
        [
            ("bbbbbbbb", [], [], []),
            ("hhhhhhbbbbbb", [6], [], []),
            ("bbbbbbhhhhhh", [], [6], []),
            ("bbhhhhhbb", [7], [2], []),  # five frames are not brief
            ("bbhhhhbb", [], [], [(2, 4)]),  # four are
            ("hhbbbbhh", [], [], [(2, 4)]),
            ("hbbbbbb", [1], [], []),  # it may have been away for long before the clip
            ("bbbbbbh", [], [6], []),
            ("bbbbbbhbhhhhhh", [], [8], [(6, 2)]),  # flickers as it goes
            ("bbhbbhhbb", [], [], [(2, 5)]),  # one stretch
            ("bbhbbbbbhbb", [], [], [(2, 1), (8, 1)]),
            ("hhhhhhhh", [], [], []),
        ],
    )
    def test_events(
        self, pattern: str, appears: list[int], vanishes: list[int], flickers: list[tuple[int, int]]
    ) -> None:
        report = reported(still(len(pattern)), shown(pattern), first=20)
        tail = of(report, 2)
        assert [moment.index - 20 for moment in tail.appears] == appears
        assert [moment.index - 20 for moment in tail.vanishes] == vanishes
        assert [(blink.index - 20, blink.frames) for blink in tail.flickers] == flickers
        assert (of(report, 1).appears, of(report, 1).vanishes, of(report, 1).flickers) == ((), (), ())
        assert (report.object.appears, report.object.vanishes) == ((), ())

    def test_they_are_named_as_files_are(self) -> None:
        report = MaskReport(PARTS)
        for masks in batches(still(9), shown("bbhbbhhhh"), stems=[f"shot-{i}" for i in range(9)], first=5):
            report.write(masks)
        tail = of(report.finish(), 2)
        assert tail.vanishes == (Moment(10, "shot-5"),)
        assert tail.flickers == (Blink(7, "shot-2", 3),)

    def test_a_cut_is_no_event(self) -> None:
        pixels = [coloured(texture(seed, *SIZE)) for seed in [1] * 6 + [2] * 3 + [3] * 6]
        report = reported(pixels, shown("bbbbbbhhhbbbbbb"))
        assert [cut.index for cut in report.cuts] == [6, 9]
        tail = of(report, 2)
        assert (tail.appears, tail.vanishes, tail.flickers) == ((), (), ())
        assert tail.present == 0.8


def moving(count: int, size: tuple[int, int] = (240, 320)) -> tuple[list[Pixels], list[Pixels]]:
    """A picture that moves by (3, 2) a frame, and parts that move with it."""
    big, labels = texture(5, size[0] + 60, size[1] + 60), np.zeros((size[0] + 60, size[1] + 60), np.uint8)
    labels[100:180, 110:170], labels[100:180, 170:250] = 1, 2
    windows = [np.s_[50 - 2 * i :, 50 - 3 * i :] for i in range(count)]
    cropped = [(big[at][: size[0], : size[1]], labels[at][: size[0], : size[1]]) for at in windows]
    return [coloured(luma) for luma, _ in cropped], [np.ascontiguousarray(label) for _, label in cropped]


class TestT:
    @pytest.mark.parametrize("size", [(240, 320), (120, 160)])
    def test_it_is_that_of_metrics_at_160_pixels(self, size: tuple[int, int]) -> None:
        pixels, labels = moving(5, size)
        random = np.random.default_rng(0)
        for frame in labels:  # worse and worse
            frame[random.random(frame.shape) < 0.1] = 2
        report = reported(pixels, labels)
        lumas = [small_luma(frame) for frame in pixels]
        assert lumas[0].shape == (min(160, size[0]), min(160, size[0]) * 4 // 3)
        small = [cv2.resize(frame, lumas[0].shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT) for frame in labels]
        wanted = [temporal_agreement(small[i - 1], small[i], lumas[i - 1], lumas[i]) for i in range(1, 5)]
        assert report.t160_per_frame == (None, *(round(float(t), 4) for t in wanted if t is not None))
        assert report.t160 == pytest.approx(np.mean([t for t in wanted if t is not None]), abs=1e-4)
        assert report.t160 < 0.9

    def test_frames_that_do_not_follow_have_none(self) -> None:
        report = reported([coloured(texture(seed, *SIZE)) for seed in range(6)], shown("bbbhhb"))
        assert [cut.index for cut in report.cuts] == [1, 2, 3, 4, 5]
        assert report.t160 is None
        assert report.flicker is None
        assert report.t160_per_frame == (None,) * 6
        assert (of(report, 2).appears, of(report, 2).vanishes, of(report, 2).flickers) == ((), (), ())
        assert report.looks == ()

    def test_without_parts_there_is_nothing_to_agree_on(self) -> None:
        report = reported(still(4), [NOTHING] * 4)
        assert report.t160 is None
        assert report.flicker is None
        assert report.cuts == ()


class TestFlicker:
    def test_by_hand(self) -> None:
        labels = [BOTH] * 5
        other = BOTH.copy()
        other[30:70, 70:80] = 1  # 400 of 3200 pixels, in one frame
        labels[2] = other
        # Frames 1, 2 and 3 stand between two others, and the frame beside an odd one is not odd itself.
        assert reported(still(5), labels).flicker == pytest.approx(400 / 3200 / 3, abs=1e-3)
        assert reported(still(5), [BOTH] * 5).flicker == 0

    def test_a_change_that_stays_is_none(self) -> None:
        other = np.where(BOTH == 2, 1, BOTH).astype(np.uint8)
        assert reported(still(6), [BOTH] * 3 + [other] * 3).flicker == 0

    def test_it_is_told_from_motion(self) -> None:
        # A bar as thin as its step covers a pixel for one frame only: in place that is flicker, along the flow not.
        pixels, labels = moving(7)
        for frame in labels:
            left = int(np.flatnonzero((frame == 2).any(axis=0))[0])
            frame[:, :left] = 0
            frame[:, left + 3 :] = 0
        in_place = np.mean([(a == c) & (a != b) for a, b, c in zip(labels, labels[1:], labels[2:], strict=False)])
        some = np.mean([(a | b | c) > 0 for a, b, c in zip(labels, labels[1:], labels[2:], strict=False)])
        assert in_place / some > 0.25
        assert reported(pixels, labels).flicker < 0.05

    def test_no_three_frames_follow(self) -> None:
        assert reported(still(2), [BOTH] * 2).flicker is None


def looks(pattern: str) -> list[tuple[int, str]]:
    return [(look.index, look.reason) for look in reported(still(len(pattern)), shown(pattern)).looks]


def grown(by: float) -> Pixels:
    return square((1, 30, 40, 40, 30), (2, 30, 70, 40, round(50 * by)))


class TestLooks:
    def test_a_good_clip_has_none(self) -> None:
        pixels, labels = moving(12)
        assert reported(pixels, labels).looks == ()

    @pytest.mark.parametrize(("gap", "words"), [(1, "for a frame"), (4, "for 4 frames")])
    def test_the_object_is_missing(self, gap: int, words: str) -> None:
        assert looks("b" * 6 + "." * gap + "b" * 6)[0] == (
            6,
            f"no object {words}, but in the frames before and after",
        )

    def test_the_object_goes_for_good(self) -> None:
        assert not any("no object" in reason for _, reason in looks("bbbbbb" + "." * 6 + "bbbbbb"))

    def test_it_is_missing_among_pictures_that_do_not_follow(self) -> None:
        pixels = [coloured(texture(seed, *SIZE)) for seed in range(5)]
        (look,) = reported(pixels, shown("bb.bb")).looks
        assert (look.index, look.stem) == (2, "00002")

    @pytest.mark.parametrize(("factor", "word"), [(0.2, "small"), (1.7, "large")])
    def test_the_area_jumps_and_the_odd_frame_is_meant(self, factor: float, word: str) -> None:
        labels = [grown(1.0)] * 12
        labels[5] = grown(factor)
        first = reported(still(12), labels).looks[0]
        assert (first.index, first.reason.split(":")[0]) == (5, f"the object is {word}")

    def test_a_little_growth_is_none(self) -> None:
        assert reported(still(10), [grown(1 + 0.05 * i) for i in range(10)]).looks == ()

    def test_parts_change_their_numbers(self) -> None:
        swapped = np.array([0, 2, 1], np.uint8)[BOTH]
        (look,) = reported(still(14), [BOTH] * 8 + [swapped] * 6).looks
        assert look == Look(8, "00008", "T from the frame before is 0.00, where 1.00 is usual")

    def test_a_large_part_is_missing_and_a_small_one_is_not_told(self) -> None:
        small, gone = square((1, 30, 40, 60, 70), (2, 90, 40, 10, 10)), square((1, 30, 40, 60, 70))
        assert reported(still(12), [small] * 6 + [gone] + [small] * 5).looks == ()
        whole = np.where(BOTH == 2, 1, BOTH).astype(np.uint8)  # the head takes its place: the area is as ever
        (look,) = reported(still(12), [BOTH] * 6 + [whole] + [BOTH] * 5).looks
        assert look.index == 6
        assert look.reason == "tail is missing for a frame only"

    def test_there_are_ten_at_most_the_worst_first_and_not_beside_each_other(self) -> None:
        labels = [grown(1.0)] * 120
        for i in range(6, 120, 8):
            labels[i] = grown(0.05 + 0.003 * i)
        labels[50] = NOTHING
        found = reported(still(120), labels).looks
        assert len(found) == 10
        assert [look.index for look in found[:3]] == [50, 6, 14]
        order = sorted(look.index for look in found)
        assert min(np.diff(order)) >= 5


class TestJson:
    def report(self) -> Report:
        pixels = still(14) + [coloured(texture(9, *SIZE))] * 6
        return reported(pixels, shown("bbbhbbb.bbbhhhbbbbbb"))

    def test_it_is_read_back(self) -> None:
        report = self.report()
        assert report.looks
        assert report.cuts
        assert of(report, 2).flickers
        assert of(report, 2).vanishes
        assert Report.from_json(json.loads(json.dumps(report.to_json(), allow_nan=False))) == report

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda given: given.pop("cuts"),
            lambda given: given.update(more=1),
            lambda given: given.update(frames="20"),
            lambda given: given["t160_per_frame"].pop(),
            lambda given: given["object"].update(share="much"),
            lambda given: given["cuts"][0].update(index="3"),
            lambda given: given["parts"][0].pop("name"),
            lambda given: given["looks"][0].pop("reason"),
            lambda given: given.update(parts=None),
        ],
    )
    def test_anything_else_is_refused(self, spoil: Callable[[dict], object]) -> None:
        given = self.report().to_json()
        spoil(given)
        with pytest.raises((ValueError, KeyError, TypeError)):
            Report.from_json(given)

    def test_lines_for_people(self) -> None:
        lines = self.report().lines()
        assert lines[0] == "2 of 2 parts found, on 13.8% of the picture"
        assert lines[1].startswith("  1 head")
        assert "in 19 of 20 frames" in lines[1]
        assert lines[2].endswith("in 15 of 20 frames, vanishes at 00011, flickers 1 time")
        assert lines[3].startswith("T at 160 pixels 0.")
        assert lines[4] == "1 cut: 00014"
        assert lines[5:7] == ["worth a look:", "  00007: no object for a frame, but in the frames before and after"]
        assert all("\n" not in line for line in lines)

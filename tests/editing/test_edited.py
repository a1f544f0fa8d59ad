from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from threading import Event

import cv2
import numpy as np
import pytest
import torch

from videoparts import stream
from videoparts.active_area import ActiveArea
from videoparts.cropping import padded
from videoparts.editing.edited import edited, smoothed
from videoparts.editing.edits import Drop, Edition, Merge, Smooth
from videoparts.frames import FrameBatch
from videoparts.masks import Part, PartMasks
from videoparts.refine.mattes import agreeing_matte

PARTS = tuple(Part(k, f"part{k}", (k, k, k)) for k in (1, 2, 3))


def masks(n: int = 1, wrong: int | None = None) -> Iterator[PartMasks]:
    """Three bars of different brightness, with a soft outline; in frame ``wrong`` the first two swap their labels."""
    labels = np.zeros((1, 64, 96), np.uint8)
    for k in (1, 2, 3):
        labels[0, 10:54, 20 * k - 5 : 20 * k + 15] = k
    pixels = np.array([30, 90, 150, 210], np.uint8)[labels][..., None].repeat(3, -1)
    pixels += np.random.default_rng(0).integers(0, 20, pixels.shape, dtype=np.uint8)  # for the flow to hold on to
    matte = np.where(labels > 0, 255, 0).astype(np.uint8)
    matte[0, 9, 15:75] = 100
    matte = agreeing_matte(matte[0], labels[0], labels[0])[None]
    for k in range(n):
        frames = FrameBatch(pixels, np.array([k]), np.array([k]), Fraction(1, 25))
        yield PartMasks(frames, np.array([0, 2, 1, 3], np.uint8)[labels] if k == wrong else labels, matte)


def after(*edits: Drop | Merge | Smooth) -> Edition:
    return Edition.of(PARTS).after(edits, lambda fine, coarse: ())


def test_a_merge_joins_mattes_without_a_seam() -> None:
    (given,) = masks()
    before, merged = edited(given, after(), mattes=True), edited(given, after(Merge((1, 2))), mattes=True)
    assert before.mattes is not None
    assert merged.mattes is not None
    assert merged.mattes.shape == (1, 2, 64, 96)
    assert np.array_equal(merged.mattes[0, 0], before.mattes[0, :2].sum(0))
    assert np.array_equal(merged.labels, np.array([0, 1, 1, 3], np.uint8)[given.labels])
    assert (merged.mattes[0, 0, 10:54, 17:53] == 255).all()


def test_what_is_dropped_still_ends_where_it_ended() -> None:
    (given,) = masks()
    before, left = edited(given, after(), mattes=True), edited(given, after(Drop((2,))), mattes=True)
    assert before.mattes is not None
    assert left.mattes is not None
    assert np.array_equal(left.mattes[0], before.mattes[0, [0, 2]])
    assert np.array_equal(left.labels, np.array([0, 1, 0, 3], np.uint8)[given.labels])


@pytest.mark.parametrize("hidden", [(), (1,), (2, 5), (1, 3, 4)])
def test_labels_and_mattes_agree_whatever_is_hidden(hidden: tuple[int, ...]) -> None:
    """Blocks whose corners lie close to each other and to the outline, where a pixel may be of three parts."""
    random = np.random.default_rng(0)
    labels = cv2.resize(random.integers(0, 6, (16, 24), dtype=np.uint8), (96, 64), interpolation=cv2.INTER_NEAREST)
    matte = cv2.GaussianBlur(np.where(labels > 0, 255, 0).astype(np.uint8), (5, 5), 1.2)
    matte = agreeing_matte(matte, labels, labels)
    pixels = np.zeros((1, 64, 96, 3), np.uint8)
    given = PartMasks(FrameBatch(pixels, np.array([0]), np.array([0]), Fraction(1, 25)), labels[None], matte[None])
    edition = Edition.of([Part(k, f"part{k}", (k, k, k)) for k in range(1, 6)], frozenset(hidden))
    shown = edited(given, edition, mattes=True)
    assert shown.mattes is not None
    whole = shown.mattes[0].sum(0, dtype=np.int64)
    numbers = np.array([part.number for part in edition.parts])
    assert (whole <= matte).all()
    assert np.array_equal(np.where(whole > 127, numbers[shown.mattes[0].argmax(0)], 0), shown.labels[0])


def test_smoothing_mends_a_frame_that_is_unlike_those_around() -> None:
    edition = after(Smooth(5))
    shown = [edited(one, edition, mattes=True) for one in masks(7, wrong=3)]
    (wanted,) = (edited(one, edition, mattes=True) for one in masks())
    assert not np.array_equal(shown[3].labels, wanted.labels)
    smooth = list(smoothed(shown, edition))
    assert len(smooth) == 7
    for one in smooth:
        assert one.mattes is not None
        assert (one.labels != wanted.labels).mean() < 0.01
        assert one.mattes.sum(1, dtype=np.int64).max() <= 255


def test_beside_black_bars_smoothing_is_the_same() -> None:
    edition, area = after(Smooth(5)), ActiveArea(30, 20, 64, 96)
    bare = [edited(one, edition, mattes=True) for one in masks(7, wrong=3)]
    barred = []
    for one in masks(7, wrong=3):
        pixels = np.pad(one.frames.pixels, ((0, 0), (30, 30), (20, 21), (0, 0)))
        given = padded(one, replace(one.frames, pixels=pixels), area)
        barred.append(edited(given, edition, mattes=True))
    for wanted, found in zip(smoothed(bare, edition), smoothed(barred, edition), strict=True):
        assert found.active_area == area
        assert found.frames.size == (124, 137)
        assert np.array_equal(found.labels, area.padded(wanted.labels, (124, 137)))
        assert np.array_equal(found.mattes_of(3), area.padded(wanted.mattes_of(3), (124, 137)))


def test_without_a_window_nothing_is_smoothed() -> None:
    shown = [edited(one, after(), mattes=True) for one in masks(2, wrong=1)]
    assert list(smoothed(shown, after())) == shown


def test_it_can_be_left_while_a_frame_is_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Ctrl-C. What is drawn is closed all the same, by the thread that draws it."""
    monkeypatch.setattr(stream, "_PATIENCE", 0.05)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # so that it is known how far ahead frames are drawn
    edition, at_work, go_on, closed = after(Smooth(3)), Event(), Event(), Event()

    def slow() -> Iterator[PartMasks]:
        try:
            for k, one in enumerate(masks(9)):
                if k == 4:
                    at_work.set()
                    go_on.wait()
                yield edited(one, edition, mattes=True)
        finally:
            closed.set()

    items = slow()
    smooth = smoothed(items, edition)
    assert next(smooth).frames.index == [0]
    assert at_work.wait(10)
    smooth.close()
    assert not closed.is_set()
    go_on.set()
    assert closed.wait(10)

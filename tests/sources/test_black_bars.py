"""Black bars beside a picture are told from a picture that is dark, and found once for a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from media import Clip
from moving import coloured, moved, texture
from PIL import Image

from videoparts.active_area import ActiveArea
from videoparts.config import SourceSettings
from videoparts.frames import Pixels
from videoparts.sources import open_source
from videoparts.sources.black_bars import active_area


def film(count: int = 5) -> list[Pixels]:
    return [coloured(np.maximum(moved(texture(1), 7 * i, 0), 30)) for i in range(count)]  # 160 x 240


def padded(frames: list[Pixels], rows: tuple[int, int], columns: tuple[int, int], black: int = 0) -> list[Pixels]:
    return [np.pad(frame, (rows, columns, (0, 0)), constant_values=black) for frame in frames]


@pytest.mark.parametrize("black", [0, 16])
@pytest.mark.parametrize(("rows", "columns"), [((20, 20), (0, 0)), ((0, 0), (60, 61)), ((30, 29), (18, 18))])
def test_the_picture_between_them_is_found(rows: tuple[int, int], columns: tuple[int, int], black: int) -> None:
    found = active_area(padded(film(), rows, columns, black))
    assert found is not None
    inside = ActiveArea(rows[0], columns[0], 160, 240)
    # Of larger frames, they are measured on a small picture.
    assert [found.top, found.left, *found.size] == pytest.approx([inside.top, inside.left, *inside.size], abs=4)
    assert found.top <= inside.top
    assert found.left <= inside.left
    assert found.top + found.height >= inside.top + 160
    assert found.left + found.width >= inside.left + 240


def test_in_a_small_frame_they_are_found_to_the_pixel() -> None:
    small = [frame[:100] for frame in film()]
    assert active_area(padded(small, (12, 11), (30, 30))) == ActiveArea(12, 30, 100, 240)


def test_noise_of_compression_does_not_hide_them() -> None:
    random = np.random.default_rng(0)
    frames = padded([frame[:100] for frame in film()], (20, 20), (0, 0), 16)
    noisy = [np.clip(frame + random.integers(-2, 3, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
    assert active_area(noisy) == ActiveArea(20, 0, 100, 240)


def test_a_picture_without_them_has_none() -> None:
    assert active_area(film()) is None
    assert active_area([]) is None


def test_no_more_frames_are_drawn_than_it_takes_to_see_that_there_are_none() -> None:
    drawn = []

    def frames() -> Iterator[Pixels]:
        for frame in film():
            drawn.append(frame)
            yield frame

    assert active_area(frames()) is None
    assert len(drawn) == 1


def test_black_frames_tell_nothing_by_themselves_and_do_not_hide_what_others_tell() -> None:
    black = np.zeros((140, 240, 3), np.uint8)
    assert active_area([black] * 3) is None
    bars = padded([frame[:100] for frame in film()], (20, 20), (0, 0))
    assert active_area([black, *bars]) == ActiveArea(20, 0, 100, 240)


def test_one_frame_without_them_is_enough() -> None:
    whole = coloured(texture(2, 200, 240))
    assert active_area([*padded(film(), (20, 20), (0, 0)), whole]) is None


def test_a_dark_night_is_no_bar() -> None:
    night = film()
    for frame in night:
        frame[:40] = frame[-40:] = np.random.default_rng(0).integers(0, 24, (40, frame.shape[1], 1))
    assert active_area(night) is None


def test_something_bright_in_front_of_black_is_not_cut_out() -> None:
    """It may go anywhere between the frames that were looked at."""
    dancer = [np.zeros((160, 240, 3), np.uint8) for _ in range(5)]
    for i, frame in enumerate(dancer):
        frame[45:115, 80 + 10 * i : 120 + 10 * i] = 200
        frame[40:45, 95 + 10 * i : 105 + 10 * i] = 200  # head
        frame[115:120, 85 + 10 * i : 115 + 10 * i] = 200  # feet
    assert active_area(dancer) is None


def test_a_dark_margin_that_is_not_black_is_no_bar() -> None:
    assert active_area(padded(film(), (20, 20), (0, 0), 40)) is None


@pytest.mark.parametrize("rows", [(20, 0), (20, 10)])
def test_black_at_one_side_is_no_bar(rows: tuple[int, int]) -> None:
    assert active_area(padded(film(), rows, (0, 0))) is None


def test_what_is_left_is_not_too_slim() -> None:
    line = [frame[:8] for frame in film()]
    assert active_area(padded(line, (60, 60), (0, 0))) is None


def test_between_wide_bars_narrow_ones_are_found() -> None:
    strip = [frame[:40] for frame in film()]
    assert active_area(padded(strip, (55, 55), (30, 30))) == ActiveArea(55, 30, 40, 240)


@pytest.mark.parametrize("decoder", ["auto", "pyav", "folder"])
def test_all_parts_of_a_source_have_the_same(decoder: str, tmp_path: Path) -> None:
    """Whatever shows in them: else a run that goes on would not do as before."""
    frames = padded(film(12), (40, 40), (0, 0))
    for frame in frames[:4]:
        frame[:] = 0
    path = tmp_path / "clip.mp4"
    if decoder == "folder":
        path.mkdir()
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(path / f"{i:02d}.png")
    else:
        Clip(frames=12, height=240, width=240, paint=lambda i, *_: frames[i]).write(path)
    source = open_source(path, SourceSettings(decoder="pyav" if decoder == "pyav" else "auto"))
    areas = [source.part(0, 4).active_area, source.active_area, source.part(8).part(2).active_area]
    assert areas == [ActiveArea(39, 0, 162, 240)] * 3  # a small picture is 160 high, of 240
    assert source.notes[-1].startswith("clip.mp4 has black bars beside a picture of 240x162;")


@pytest.mark.parametrize("picture", [np.s_[0:4, 100:540], np.s_[60:300, 0:4], np.s_[0:1, 0:1]])
def test_a_picture_of_a_few_rows_at_the_border(picture: tuple[slice, slice]) -> None:
    frame = np.zeros((360, 640, 3), np.uint8)
    frame[picture] = 255
    area = active_area([frame])
    assert area is None or (area.height <= 360 and area.width <= 640)


@pytest.mark.parametrize("size", [(166, 221), (162, 216), (1080, 1440)])
def test_an_area_never_reaches_beyond_the_frame(size: tuple[int, int]) -> None:
    frame = np.full((*size, 3), 200, np.uint8)
    bar = size[0] // 8
    frame[:bar] = frame[-bar:] = 0
    area = active_area([frame])
    assert area is not None
    assert area.top + area.height <= size[0]
    assert area.left + area.width <= size[1]

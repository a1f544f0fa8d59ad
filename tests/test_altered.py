"""On real footage with real weights, what was done to a clip on its way does not hide the object."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import SHARED
from real import found_in, mask_of

from videoparts.frames import Pixels

DAVIS = SHARED / "data/davis"


def with_logo(frame: Pixels, _: int) -> list[Pixels]:
    frame = frame.copy()
    cv2.rectangle(frame, (720, 25), (825, 80), (30, 30, 200), cv2.FILLED)
    cv2.putText(frame, "TV 5", (728, 65), cv2.FONT_HERSHEY_DUPLEX, 1.1, (255, 255, 255), 2, cv2.LINE_AA)
    return [frame]


def with_subtitles(frame: Pixels, place: int) -> list[Pixels]:
    said = ["Where is the dog going?", "I really do not know.", "Look, there he is again!"][place // 12 % 3]
    frame = frame.copy()
    for grey, wide in ((0, 6), (255, 2)):
        cv2.putText(frame, said, (230, 440), cv2.FONT_HERSHEY_DUPLEX, 1, (grey,) * 3, wide, cv2.LINE_AA)
    return [frame]


def twice(frame: Pixels, _: int) -> list[Pixels]:
    return [frame, frame]


def between_bars(frame: Pixels, _: int) -> list[Pixels]:
    return [np.pad(frame, ((0, 0), (160, 160), (0, 0)))]


@pytest.mark.parametrize(
    ("name", "alter", "least"),
    [
        ("libby", with_logo, 0.62),
        ("libby", with_subtitles, 0.62),
        ("libby", twice, 0.62),
        ("drift-straight", between_bars, 0.72),
    ],
)
def test_it_is_found_all_the_same(
    name: str, alter: Callable[[Pixels, int], list[Pixels]], least: float, tmp_path: Path
) -> None:
    clip = DAVIS / name
    if not clip.is_dir():
        pytest.skip("shared/data is not beside the checkout")
    for place, path in enumerate(sorted((clip / "frames").iterdir())):
        for number, frame in enumerate(alter(np.asarray(cv2.imread(str(path)), np.uint8), place)):
            cv2.imwrite(str(tmp_path / f"{path.stem}_{number}.jpg"), frame)
    scores = found_in(tmp_path, lambda stem: mask_of(clip / "masks" / f"{stem.partition('_')[0]}.png"))
    assert np.mean(scores) > least, scores

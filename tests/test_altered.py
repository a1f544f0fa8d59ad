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

CLIP = SHARED / "data/davis/libby"  # whose object is found by its motion


def with_logo(frame: Pixels) -> list[Pixels]:
    frame = frame.copy()
    cv2.rectangle(frame, (720, 25), (825, 80), (30, 30, 200), cv2.FILLED)
    cv2.putText(frame, "TV 5", (728, 65), cv2.FONT_HERSHEY_DUPLEX, 1.1, (255, 255, 255), 2, cv2.LINE_AA)
    return [frame]


def twice(frame: Pixels) -> list[Pixels]:
    return [frame, frame]


@pytest.mark.parametrize("alter", [with_logo, twice])
def test_it_is_found_all_the_same(alter: Callable[[Pixels], list[Pixels]], tmp_path: Path) -> None:
    if not CLIP.is_dir():
        pytest.skip("shared/data is not beside the checkout")
    for path in sorted((CLIP / "frames").iterdir()):
        for number, frame in enumerate(alter(np.asarray(cv2.imread(str(path)), np.uint8))):
            cv2.imwrite(str(tmp_path / f"{path.stem}_{number}.jpg"), frame)
    scores = found_in(tmp_path, lambda stem: mask_of(CLIP / "masks" / f"{stem.partition('_')[0]}.png"))
    assert np.mean(scores) > 0.62, scores

"""The clips that the tests of the sinks are given are what they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
from clips import read, with_sound


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.webm", "libopus")])
def test_clips_are_what_they_claim(tmp_path, name, codec):
    made = with_sound(tmp_path / name, codec)
    found = read(made.info.path)
    assert [round(t * 1000) for t in found.times] == [40 * n for n in range(50)]
    assert np.abs(found.frames.astype(int) - made.pixels).mean() < 8
    assert len(found.sound) > 90
    labels = np.concatenate([masks.labels for masks in made.masks()])
    assert np.array_equal(np.unique(labels), [0, 1, 2, 3])

"""An effect's video read back as a source: it begins with its source, in every container, with and without sound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from clips import clip, with_sound

from videoparts.config import SourceSettings
from videoparts.masks import Part
from videoparts.painting.effects import Effect
from videoparts.sinks.videos.effect_video import Covered, EffectVideo
from videoparts.sources import open_source


def write(path, made):
    covered = Covered.of([Part(1, "head", (9, 9, 9))], [1])
    with EffectVideo(path, made.info, Effect("grey"), covered, 1) as sink:
        for masks in made.masks():
            mattes = np.where(masks.labels == 1, np.uint8(255), np.uint8(0))
            sink.write(replace(masks, mattes=mattes[:, None]))


def times(path, decoder):
    source = open_source(path, SourceSettings(decoder=decoder))
    return [int(p) * source.info.time_base for batch in source.batches(5) for p in batch.pts]


@pytest.mark.parametrize("decoder", ["pyav", "auto"])
@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv", ".mov", ".webm"])
def test_each_frame_is_at_its_time(tmp_path, suffix, decoder):
    made = clip("x.mp4", "25")
    write(tmp_path / f"out{suffix}", made)
    assert times(tmp_path / f"out{suffix}", decoder) == [Fraction(n, 25) for n in range(12)]


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv", ".mov"])
def test_with_sound_too(tmp_path, suffix):
    made = with_sound(tmp_path / "in.mp4", count=20, seconds=0.8)
    write(tmp_path / f"out{suffix}", made)
    assert times(tmp_path / f"out{suffix}", "pyav") == [Fraction(n, 25) for n in range(20)]

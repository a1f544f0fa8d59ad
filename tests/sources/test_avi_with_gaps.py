"""An .avi whose frames do not follow each other at every place, as is written of every second frame of a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from videoparts import OverlayVideo, PartMasks, open_source
from videoparts.config import OverlaySettings, SourceSettings
from videoparts.sources.base import Source


def written(source: Source, path: Path) -> Path:
    with OverlayVideo(path, like=source.info, settings=OverlaySettings(audio=False)) as sink:
        for frames in source.batches(1):
            sink.write(PartMasks(frames, np.zeros(frames.pixels.shape[:3], np.uint8)))
    return path


def test_it_is_whole(short_clip: Path, tmp_path: Path) -> None:
    source = open_source(short_clip, SourceSettings(every=3))
    made = open_source(written(source, tmp_path / "thinned.avi"))
    assert made.notes == ()
    assert made.decoder == "decord"
    assert made.info.frames == source.info.frames
    assert sum(len(frames) for frames in made.batches(4)) == source.info.frames


def test_one_that_breaks_off_is_told(short_clip: Path, tmp_path: Path) -> None:
    content = written(open_source(short_clip), tmp_path / "whole.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) // 2])
    assert any("breaks off" in note for note in open_source(tmp_path / "cut.avi").notes)

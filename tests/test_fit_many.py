"""One fit to many clips: each counts the same, one is open at a time, and memory does not grow with their number."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

import numpy as np
import pytest
from colours import ColourExtractor, MemorySource, frame, truth
from labelled import agreement, assert_same, labels_of
from places import HELPERS

from videoparts.config import FitSettings, Foreground
from videoparts.errors import FitError
from videoparts.fit import fit_parts
from videoparts.foreground import finding
from videoparts.foreground.finding import ClipByClip
from videoparts.frames import Pixels
from videoparts.sampling.sample import FrameSample
from videoparts.sampling.sampler import frames_to_sample
from videoparts.sources.base import Source
from videoparts.sources.in_turn import InTurn

FIT = FitSettings(parts=3, frames=8, motion="off")


def clip(first: int, frames: int = 6) -> Pixels:
    return np.stack([frame(first + i) for i in range(frames)])


class Watched(MemorySource):
    """Counts how many are there at once."""

    there: ClassVar[WeakSet[Watched]] = WeakSet()

    def __init__(self, frames: Pixels, name: str) -> None:
        super().__init__(frames, name)
        self.there.add(self)
        assert len(self.there) == 1, "two clips are open at once"


def in_turn(clips: int) -> InTurn:
    return InTurn([Path(f"{k}") for k in range(clips)], lambda path: Watched(clip(int(path.name)), path.name))


def test_one_source_is_open_at_a_time_and_the_frames_are_those_promised() -> None:
    steps: list[int] = []
    seen: list[str] = []

    def looked_at(source: Source) -> None:
        seen.append(str(source.info.path))

    model = fit_parts(in_turn(5), ColourExtractor(1), FIT, on_frames=steps.append, on_source=looked_at)
    assert sum(steps) == frames_to_sample(FIT, 5) == 20
    assert seen == ["0", "1", "2", "3", "4"]
    held = [MemorySource(clip(k), str(k)) for k in range(5)]
    assert_same(model, fit_parts(held, ColourExtractor(1), FIT))
    assert_same(model, fit_parts((source for source in held), ColourExtractor(1), FIT))


def test_fewer_of_the_clips_are_not_opened() -> None:
    opened: list[Path] = []

    def noted(path: Path) -> Source:
        opened.append(path)
        return MemorySource(clip(0), path.name)

    some = InTurn([Path(name) for name in "abcd"], noted)[1:3]
    assert len(some) == 2
    assert not opened
    assert some[-1].info.path == Path("c")
    assert opened == [Path("c")]


@pytest.mark.parametrize("method", ["probe", "vote"])
def test_three_hundred_clips_make_one_model(method: Foreground, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[list[FrameSample]] = []
    shared = finding.share_of

    def recorded(frames: Sequence[FrameSample], most: int) -> list[FrameSample]:
        kept.append(shared(frames, most))
        return kept[-1]

    monkeypatch.setattr(finding, "share_of", recorded)
    monkeypatch.setattr("videoparts.foreground.evidence._CLUSTERINGS", (6, 10))  # quicker, and enough for three colours
    settings = replace(FIT, foreground=method, threshold=0.3 if method == "vote" else None, descriptors=18_000)
    model = fit_parts(in_turn(300), ColourExtractor(1), settings)
    assert len(kept) == 300
    assert all(0 < sum(f.saliency.size for f in frames) <= 60 for frames in kept)
    right = np.stack([truth(i) for i in range(20)])
    labels = labels_of(MemorySource(clip(0, 20)), ColourExtractor(1), model)
    score, taken = agreement(labels, right)
    assert score > 0.95
    assert sorted(taken) == [1, 2, 3]


def test_a_clip_of_one_colour_teaches_nothing() -> None:
    plain = MemorySource(np.full((6, 96, 160, 3), 99, np.uint8), "plain")
    clips = [MemorySource(clip(k), str(k)) for k in range(3)]
    model = fit_parts([plain, *clips], ColourExtractor(), FIT)
    assert agreement(labels_of(clips[0], ColourExtractor(), model), np.stack([truth(i) for i in range(6)]))[0] > 0.97
    with pytest.raises(FitError, match=r"^plain: every sampled frame is of one colour"):
        fit_parts([plain, plain], ColourExtractor(), FIT)


def test_what_is_marked_in_the_first_clip_is_meant_in_all() -> None:
    dark = (20, 20, 20)  # beside the stripes, on which saliency lies: by itself no clip would take it

    def both(first: int) -> Pixels:
        pixels = clip(first)
        pixels[:, 8:88, 128:152] = dark
        return pixels

    sources = [MemorySource(both(0), "a"), MemorySource(both(1)[:, :, ::-1], "b")]
    marked = replace(FIT, object="140,50@0", parts=1)
    model = fit_parts(sources, ColourExtractor(), marked)
    for source, pixels in zip(sources, (both(0), both(1)[:, :, ::-1]), strict=True):
        labels = labels_of(source, ColourExtractor(), model)
        wanted = (pixels == dark).all(axis=-1)
        assert (labels > 0)[wanted].mean() > 0.95
        assert (labels > 0)[~wanted].mean() < 0.05


def test_a_long_clip_keeps_no_more_patches_than_a_short_one() -> None:
    settings = replace(FIT, foreground="vote", descriptors=1200)
    kept = ClipByClip(settings, 2)
    for number, frames in ((0, 4), (1, 40)):
        looks = np.ones((12, 20, 4), np.float32)
        flat = np.ones((12, 20), np.float32)
        kept.add([FrameSample(looks, looks, flat, flat, 0.6, clip=number) for _ in range(frames)])
    patches = np.bincount([f.clip for f in kept._frames], [f.saliency.size for f in kept._frames])
    assert patches.max() <= 600
    assert patches.max() < 1.5 * patches.min()


GENERATED = """
import resource, sys
from pathlib import Path
from typing import ClassVar
import numpy as np
sys.path.insert(0, sys.argv[2])
from colours import MemorySource, frame
from tiny import tiny_extractor
from videoparts.foreground import evidence
from videoparts.config import FitSettings, Foreground
from videoparts.fit import fit_parts
from videoparts.sources.in_turn import InTurn

evidence._CLUSTERINGS = (6, 10)

def generated(path):
    noise = np.random.default_rng(int(path.name)).integers(0, 60, (3, 96, 160, 3), dtype=np.uint8)
    return MemorySource(np.stack([frame(int(path.name) + i) for i in range(3)]) // 2 + noise, path.name)

clips = InTurn([Path(str(k)) for k in range(int(sys.argv[1]))], generated)
fit_parts(clips, tiny_extractor(load_size=96), FitSettings(parts=2, descriptors=20_000))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak memory this way")
def test_many_clips_take_hardly_more_memory_than_a_few() -> None:
    peaks = []
    for clips in (8, 40):
        command = [sys.executable, "-c", GENERATED, str(clips), str(HELPERS)]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]))
    assert peaks[1] < 1.05 * peaks[0], f"{peaks[0] / 1024:.0f} MiB became {peaks[1] / 1024:.0f} MiB"

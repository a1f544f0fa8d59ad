"""What a batch will do, before it does it: every clip looked at, and what an earlier run has done taken off."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from videoparts.config import SourceSettings
from videoparts.counted import counted
from videoparts.errors import VideoPartsError
from videoparts.files.atomic import atomic_file
from videoparts.files.lock import HOME
from videoparts.results.manifest import FILE as MANIFEST
from videoparts.sources import open_source
from videoparts.sources.source_hash import source_sha256

from .clip import Clip
from .inputs import Skipped
from .journal import Entry, stamp_of

State = Literal["to do", "done", "failed", "bad", "left"]

_CLIPS = "clips.json"
_FIT = 2.0  # seconds to learn the parts of a clip, its frames' features being there
_BESIDE = 0.3  # of what the ViT takes for a frame: all else that is done with it
_BETWEEN = 0.1  # of the frames the ViT sees, beside the regular key frames, since these do not agree on them


@dataclass(frozen=True)
class Planned:
    """One clip, and what is to happen to it."""

    clip: Clip
    # "failed": in an earlier run, and left alone; "bad": cannot be opened, and fails at once; "left": this run takes
    # only those that failed
    state: State
    frames: int | None = None  # None: not known before the end
    size: tuple[int, int] | None = None  # (height, width)
    stamp: str = ""  # of the input as it was when it was looked at, see `stamp_of`
    error: str = ""  # of "failed" and "bad"
    entry: Entry | None = None  # of an earlier run


@dataclass(frozen=True)
class Plan:
    """All clips, in the order in which they are done."""

    clips: tuple[Planned, ...]
    skipped: tuple[Skipped, ...]

    def of(self, *states: State) -> list[Planned]:
        """The clips in some states."""
        return [one for one in self.clips if one.state in states]

    @property
    def frames(self) -> int | None:
        """Of the clips to do; None: not known before the end."""
        each = [one.frames for one in self.of("to do")]
        return None if None in each else sum(frames or 0 for frames in each)

    def lines(self) -> list[str]:
        """The plan for people."""
        counts = [(state, len(self.of(state))) for state in _WORDS]
        head = ", ".join(f"{count} {_WORDS[state]}" for state, count in counts if count)
        width = min(40, max((len(one.clip.name) for one in self.clips), default=0))
        rows = [f"  {one.clip.name:<{width}}  {_about(one)}" for one in self.clips]
        skipped = [f"  skipped {one.path}: {one.reason}" for one in self.skipped]
        first = [f"{counted(len(self.clips), 'clip')}: {head}"] if self.clips else []
        return [line.replace("\n", "\\n") for line in (*first, *rows, *skipped)]

    def about(self) -> dict[str, object]:
        """The plan for programs, as JSON has it."""
        clips = [
            {
                "clip": one.clip.name,
                "input": str(one.clip.path),
                "state": one.state,
                "frames": one.frames,
                "error": one.error,
            }
            for one in self.clips
        ]
        skipped = [{"path": str(one.path), "reason": one.reason} for one in self.skipped]
        return {"kind": "plan", "clips": clips, "skipped": skipped}

    def seconds(self, frame: float, like: Planned, jobs: int, *, keys: int, sampled: int) -> float | None:
        """About how long the clips to do take; None: the number of frames is not known.

        Args:
            frame: what the ViT takes for a frame of the clip ``like``.
            like: one of the clips.
            jobs: how many are done at a time, each with its share of the machine, as the measured one had.
            keys: frames from one key frame to the next, of `RefineSettings`.
            sampled: frames of each clip that are learned from; 0 where its parts are known.
        """
        if self.frames is None or like.size is None:
            return None
        todo = self.of("to do")
        each = _BESIDE + (1 if keys == 1 else 1 / keys + _BETWEEN)
        looks = sum((each * (one.frames or 0) + min(sampled, one.frames or 0)) * _aspect(one) for one in todo)
        fits = _FIT * len(todo) if sampled else 0
        return (frame * looks / _aspect(like) + fits) / min(jobs, len(todo))


_WORDS: dict[State, str] = {
    "to do": "to do",
    "done": "done already",
    "failed": "failed before (--retry-failed takes them again)",
    "bad": "that cannot be read",
    "left": "left for a run without --retry-failed",
}


def plan_of(
    clips: Sequence[Clip],
    skipped: Sequence[Skipped],
    before: Mapping[str, Entry],
    output: Path,
    settings: SourceSettings,
    *,
    retry_failed: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> Plan:
    """Look at every clip.

    Args:
        clips: those found.
        skipped: what was found and is no clip.
        before: how clips have ended in earlier runs with the same settings, by their names.
        output: the folder of the batch.
        settings: which frames of each clip are taken.
        retry_failed: those that failed are to be done, and nothing else.
        advance: called with the number of clips that each step has added.
    """
    looked = []
    for clip in clips:
        looked.append(_look(clip, before.get(clip.name), output, settings, retry_failed))
        advance(1)
    return Plan(tuple(looked), tuple(skipped))


def save_clips(output: Path, plan: Plan) -> None:
    """Keep which clips there are, and how many frames they have, for `saved_clips`.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_file(output / HOME / _CLIPS) as temporary:
        temporary.write_text(json.dumps({one.clip.name: one.frames for one in plan.clips}, indent=0) + "\n")


def saved_clips(output: Path) -> dict[str, int | None]:
    """The clips of the batch in a folder, and how many frames each has where that is known; none if none are kept."""
    try:
        given = json.loads((output / HOME / _CLIPS).read_text())
        return {str(name): None if frames is None else int(frames) for name, frames in given.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _look(clip: Clip, entry: Entry | None, output: Path, settings: SourceSettings, retry_failed: bool) -> Planned:
    if entry is not None and entry.status == "done" and (output / clip.name / MANIFEST).exists():
        entry = _still_valid(entry, clip)
        if entry is not None:
            return Planned(clip, "done", entry.frames, stamp=entry.stamp, entry=entry)
    failed = entry is not None and entry.status == "failed"
    if retry_failed and not failed:
        return Planned(clip, "left")
    if entry is not None and failed and not retry_failed and entry.stamp == stamp_of(clip.path):
        return Planned(clip, "failed", error=entry.error, entry=entry)
    stamp = stamp_of(clip.path)
    try:
        # Which decoder is right is found out when the clip is done; how many frames there are, PyAV tells at once.
        info = open_source(clip.path, replace(settings, decoder="pyav")).info
    except VideoPartsError as error:
        return Planned(clip, "bad", stamp=stamp, error=" ".join(str(error).split()))
    return Planned(clip, "to do", info.frames, (info.height, info.width), stamp)


def _still_valid(entry: Entry, clip: Clip) -> Entry | None:
    """The entry, with the input's present stamp, if its content is what it was."""
    stamp = stamp_of(clip.path)
    if entry.stamp == stamp:
        return entry
    try:
        same = source_sha256(clip.path) == entry.sha256
    except VideoPartsError:
        same = False
    return replace(entry, stamp=stamp) if same else None


def _about(one: Planned) -> str:
    if one.state in ("failed", "bad"):
        return f"{'failed' if one.state == 'failed' else 'cannot be read'}: {one.error}"
    if one.state == "left":
        return f"left  {one.clip.path}"
    frames = "an unknown number of frames" if one.frames is None else f"{one.frames} frames"
    size = "" if one.size is None else f" {one.size[1]}x{one.size[0]}"
    return f"{frames}{size}{' (done)' if one.state == 'done' else ''}  {one.clip.path}"


def _aspect(one: Planned) -> float:
    """Of a frame, long side over short: the short side is the same for all, so it is in proportion to the patches."""
    height, width = one.size or (1, 1)
    return max(height, width) / min(height, width)

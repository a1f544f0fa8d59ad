"""What masks look like over a clip, gathered while they stream by: coverage, gaps, flicker, T, cuts, frames to look at.

Nothing here knows the truth. It finds where masks contradict themselves from frame to frame; what is wrong in the same
way on every frame stays unseen.

Frames hang together as `flow.links` says, on pictures of at most 160 pixels on the short side; T and flicker are
those of that size too, T under the name ``t160``. On seven clips of DAVIS at 480p its mean lies .01 to .05 below that
of T at full size. Pair by pair the two correlate by .94 to .97; by .61 and .77 in two clips where T hardly varies.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..counted import counted
from ..masks import Part, PartMasks
from .joints import Joint, JointCounter
from .looks import Look, Severities
from .presence import Moment, Presence, Timeline, moment_of
from .tracks import FrameEntry, Track, TrackRecorder

_SHOWN = 3  # frames that a line for people names
_SAME = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True)
class PartPresence:
    """A part, and how much of a clip it covers."""

    number: int
    name: str
    presence: Presence


@dataclass(frozen=True)
class Report:
    """What `MaskReport` found. Shares are rounded to six digits behind the point, scores to four."""

    frames: int
    object: Presence
    """All parts together."""
    parts: tuple[PartPresence, ...]
    cuts: tuple[Moment, ...]
    """The first frames of new shots."""
    t160: float | None
    """Mean of T over pairs of frames that follow each other, at 160 pixels on the short side. None: there are none."""
    flicker: float | None
    """Of the object's pixels in three frames that follow each other, the share whose label is the same in the first and
    the last and another in the middle: carried along the flow to the middle frame, at 160 pixels on the short side;
    mean over frames. None: no three follow."""
    looks: tuple[Look, ...]
    """At most ten frames that are worth a look, the worst first; at most one within 5 frames."""
    t160_per_frame: tuple[float | None, ...]
    """(N,) T of each frame and the one before. None: it follows none, or there is nothing to agree on."""

    def to_json(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "frames": self.frames,
            "object": self.object.to_json(),
            "parts": [{"number": one.number, "name": one.name, **one.presence.to_json()} for one in self.parts],
            "cuts": [asdict(moment) for moment in self.cuts],
            "t160": self.t160,
            "flicker": self.flicker,
            "looks": [asdict(look) for look in self.looks],
            "t160_per_frame": list(self.t160_per_frame),
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Report:
        """What `to_json` gave.

        Raises:
            ValueError, KeyError, TypeError: it is no such thing.
        """
        made = cls(
            frames=int(given["frames"]),
            object=Presence.from_json(given["object"]),
            parts=tuple(
                PartPresence(int(one["number"]), str(one["name"]), Presence.from_json(one)) for one in given["parts"]
            ),
            cuts=tuple(map(moment_of, given["cuts"])),
            t160=_float(given["t160"]),
            flicker=_float(given["flicker"]),
            looks=tuple(Look(int(one["index"]), str(one["stem"]), str(one["reason"])) for one in given["looks"]),
            t160_per_frame=tuple(map(_float, given["t160_per_frame"])),
        )
        if made.to_json() != given or len(made.t160_per_frame) != made.frames:
            raise ValueError("this is no report on masks")
        return made

    def lines(self) -> list[str]:
        """A few lines for people."""
        found = sum(one.presence.present > 0 for one in self.parts)
        out = [f"{found} of {len(self.parts)} parts found, on {self.object.share:.1%} of the picture"]
        for one in self.parts:
            out.append(
                f"  {one.number} {one.name:<12}{one.presence.share:7.1%} of the picture, "
                f"in {round(one.presence.present * self.frames)} of {self.frames} frames{_gaps(one.presence)}"
            )
        if self.t160 is not None:
            steady = f"T at 160 pixels {self.t160:.3f}"
            out.append(steady if self.flicker is None else f"{steady}, flicker {self.flicker:.1%}")
        if self.cuts:
            out.append(f"{counted(len(self.cuts), 'cut')}: {_listed(self.cuts)}")
        if self.looks:
            out.append("worth a look:")
            out += [f"  {look.stem}: {look.reason}" for look in self.looks]
        return out


class MaskReport:
    """A sink that looks at masks, and writes nothing.

    Memory: two small frames, and some 40 bytes a frame and part. Time on one core, at 1280 x 720 and four parts: about
    13 ms a frame, 12 of them to count joints that are not given.

    Args:
        parts: those that are shown. Labels of others count as object only.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self._frames: list[FrameEntry] = []
        self._tracks = TrackRecorder(part.number for part in self._parts)
        self._pixels = 0
        self._cuts = array("b")  # whether the frame does not follow the one before
        self._t = array("d")
        self._flicker = array("d")  # of the frame before the last, and all before
        self._counter = JointCounter()

    def write(
        self,
        masks: PartMasks,
        joints: Sequence[Joint] | None = None,
        numbers: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        """Look at the masks of the next frames.

        Args:
            masks: the parts that are shown; pixels are looked at only where there are no joints.
            joints: of these frames, counted of the labels as they were found; None: of the masks' own labels.
            numbers: (L + 1,) the part, or 0, of each label that the joints tell of.
        """
        frames = masks.frames
        if joints is None or numbers is None:
            joints = self._counter.of(masks)
            numbers = _SAME
        for i, (labels, joint) in enumerate(zip(masks.labels, joints, strict=True)):
            self._frames.append(FrameEntry(int(frames.index[i]), frames.stem(i), int(frames.pts[i])))
            self._pixels = labels.size
            self._tracks.add(labels)
            self._cuts.append(joint.cut)
            self._t.append(_nan(joint.agreement(numbers)))
            if len(joint.triples):
                self._flicker.append(_nan(joint.flicker(numbers)))

    @property
    def frames(self) -> tuple[FrameEntry, ...]:
        """The frames so far."""
        return tuple(self._frames)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Where each part is on the frames so far."""
        return self._tracks.tracks

    def finish(self) -> Report:
        """The report on all frames that were written."""
        timeline = Timeline(self._frames, np.array(self._cuts, bool))
        area = self._tracks.object_area
        areas = {track.number: track.area for track in self.tracks}
        t = np.array(self._t)
        severities = Severities(timeline)
        severities.add_missing_object(area)
        for part in self._parts:
            severities.add_blinks(part.name, areas[part.number], area)
        severities.add_jumps(area)
        severities.add_agreement(t)
        return Report(
            frames=len(self._frames),
            object=timeline.presence(area, self._pixels),
            parts=tuple(
                PartPresence(part.number, part.name, timeline.presence(areas[part.number], self._pixels))
                for part in self._parts
            ),
            cuts=tuple(timeline.moment(i) for i in np.flatnonzero(timeline.cuts).tolist()),
            t160=_mean(t),
            flicker=_mean(np.array(self._flicker)),
            looks=severities.looks(),
            t160_per_frame=tuple(None if np.isnan(value) else round(value, 4) for value in t.tolist()),
        )


def _gaps(presence: Presence) -> str:
    out = [
        f", {what} at {_listed(moments)}"
        for what, moments in (("appears", presence.appears), ("vanishes", presence.vanishes))
        if moments
    ]
    if presence.flickers:
        out.append(f", flickers {len(presence.flickers)} time{'s' * (len(presence.flickers) > 1)}")
    return "".join(out)


def _listed(moments: Sequence[Moment]) -> str:
    more = len(moments) - _SHOWN
    stems = [moment.stem for moment in moments[:_SHOWN]]
    return ", ".join([*stems, f"{more} more"] if more > 0 else stems)


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return round(float(known.mean()), 4) if len(known) else None


def _nan(value: float | None) -> float:
    return np.nan if value is None else value


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)

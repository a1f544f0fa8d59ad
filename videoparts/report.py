"""What masks look like over a clip, gathered while they stream by: coverage, gaps, flicker, T, cuts, frames to look at.

Nothing here knows the truth. It finds where masks contradict themselves from frame to frame; what is wrong in the same
way on every frame stays unseen.

Frames hang together as `videoparts.links` says, on pictures of at most 160 pixels on the short side; T and flicker are
those of that size too, T under the name ``t160``. On seven clips of DAVIS at 480p its mean lies .01 to .05 below that
of T at full size. Pair by pair the two correlate by .94 to .97; by .61 and .77 in two clips where T hardly varies.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .frames import Integers, Pixels
from .joints import Joint, JointCounter
from .masks import Part, PartMasks
from .metrics import Mask

_BRIEF = 5  # frames: as many as smoothing looks at by default. What lasts less is not told from noise
_LEAST = 0.25  # severity from which a frame is worth a look: below, they are no worse than others of their clip
_MOST_LOOKS = 10
_SHOWN = 3  # frames that a line for people names

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """One frame of a source."""

    index: int  # in the whole source
    stem: str  # of the files that are made from it
    pts: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame that is pointed at."""

    index: int  # in the whole source
    stem: str


@dataclass(frozen=True, slots=True)
class Blink:
    """Frames in which something is missing, or there, too briefly to be true."""

    index: int  # of the first, in the whole source
    stem: str
    frames: int


@dataclass(frozen=True, slots=True)
class Look:
    """A frame that is worth a look."""

    index: int  # in the whole source
    stem: str
    reason: str


@dataclass(frozen=True, eq=False)
class Track:
    """Where a part is on each frame."""

    number: int  # of the part
    area: Integers  # (N,) pixels; 0: the part is absent, and box and centre say nothing
    box: npt.NDArray[np.int32]  # (N, 4) x and y of its leftmost and topmost pixel, width and height
    centre: npt.NDArray[np.float64]  # (N, 2) x and y, where (0, 0) is the middle of the first pixel

    def __post_init__(self) -> None:
        n = len(self.area)
        if self.area.shape != (n,) or self.box.shape != (n, 4) or self.centre.shape != (n, 2):
            raise ValueError(f"of {n} frames: box {self.box.shape} and centre {self.centre.shape} do not fit")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Track):
            return NotImplemented
        mine, theirs = ((one.area, one.box[one.area > 0], one.centre[one.area > 0].round(2)) for one in (self, other))
        return self.number == other.number and all(map(np.array_equal, mine, theirs))

    def __len__(self) -> int:
        return len(self.area)


@dataclass(frozen=True)
class Presence:
    """How much of a clip something covers, and when.

    A run of frames with it, or without, is brief if it is shorter than 5 frames and another run stands on both sides of
    it in the same shot; what lasts to the end of a shot may have lasted longer. Brief runs between two others are
    flicker, one for each stretch of them. If those two differ, it appeared or vanished on the first frame of the
    second. A cut is neither.
    """

    share: float  # of the picture, mean over all frames
    present: float  # share of the frames that have a pixel of it
    appears: tuple[Moment, ...] = ()
    vanishes: tuple[Moment, ...] = ()  # the first frame without it
    flickers: tuple[Blink, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON has them."""
        return {
            "share": self.share,
            "present": self.present,
            "appears": [asdict(moment) for moment in self.appears],
            "vanishes": [asdict(moment) for moment in self.vanishes],
            "flickers": [asdict(blink) for blink in self.flickers],
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Presence:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError where it did not."""
        return cls(
            float(given["share"]),
            float(given["present"]),
            tuple(map(_moment, given["appears"])),
            tuple(map(_moment, given["vanishes"])),
            tuple(Blink(int(one["index"]), str(one["stem"]), int(one["frames"])) for one in given["flickers"]),
        )


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
            cuts=tuple(map(_moment, given["cuts"])),
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
            out.append(f"{len(self.cuts)} {'cut' if len(self.cuts) == 1 else 'cuts'}: {_listed(self.cuts)}")
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
        self._tracks = {part.number: (array("q"), array("i"), array("d")) for part in self._parts}
        self._pixels = 0
        self._object = array("q")  # its area
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
            joints = [self._counter.add(*one) for one in zip(frames.pixels, masks.labels, strict=True)]
            numbers = _SAME
        for i, (labels, joint) in enumerate(zip(masks.labels, joints, strict=True)):
            self._frames.append(FrameEntry(int(frames.index[i]), frames.stem(i), int(frames.pts[i])))
            self._pixels = labels.size
            self._measure(labels)
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
        return tuple(
            Track(
                number,
                np.array(area, np.int64),
                np.array(box, np.int32).reshape(-1, 4),
                np.array(centre, np.float64).reshape(-1, 2),
            )
            for number, (area, box, centre) in self._tracks.items()
        )

    def finish(self) -> Report:
        """The report on all frames that were written."""
        timeline = _Timeline(self._frames, np.array(self._cuts, bool))
        area = np.array(self._object, np.int64)
        areas = {number: np.array(columns[0], np.int64) for number, columns in self._tracks.items()}
        t = np.array(self._t)
        severities = _Severities(timeline)
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

    def _measure(self, labels: Pixels) -> None:
        left, top, width, height = cv2.boundingRect(labels)  # of all that is not 0
        window = labels[top : top + height, left : left + width]
        self._object.append(cv2.countNonZero(window) if width else 0)
        for number, (areas, boxes, centres) in self._tracks.items():
            area, (x, y, w, h), (u, v) = _place(window, number) if width else _NOWHERE
            areas.append(area)
            boxes.extend((x + left, y + top, w, h) if area else (0, 0, 0, 0))
            centres.extend((u + left, v + top) if area else (0.0, 0.0))


_SAME = np.arange(256, dtype=np.uint8)
_Place = tuple[int, Box, tuple[float, float]]
_NOWHERE: _Place = (0, (0, 0, 0, 0), (0.0, 0.0))


def _place(labels: Pixels, number: int) -> _Place:
    """Area, box and centre of a label, as `Track` has them; `_NOWHERE` where it is absent."""
    mask = (labels == number).view(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return _NOWHERE
    mask = mask[y : y + height, x : x + width]
    columns, rows = (cv2.reduce(mask, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for axis in (0, 1))
    area = int(columns.sum(dtype=np.int64))
    right, down = (float(count @ np.arange(len(count), dtype=np.float64)) / area for count in (columns, rows))
    return area, (x, y, width, height), (x + right, y + down)


class _Timeline:
    """When things are there, within shots.

    Args:
        frames: N of them.
        cuts: (N,) whether a frame begins a new shot; the first one does not count.
    """

    def __init__(self, frames: Sequence[FrameEntry], cuts: Mask) -> None:
        self.cuts = cuts
        self._frames = frames
        edges = [0, *np.flatnonzero(cuts).tolist(), len(frames)]
        self.shots = [range(start, stop) for start, stop in pairwise(edges) if start < stop]

    def moment(self, i: int) -> Moment:
        """Frame ``i``."""
        return Moment(self._frames[i].index, self._frames[i].stem)

    def presence(self, area: Integers, pixels: int) -> Presence:
        """Of something that covers ``area`` (N,) of a frame's ``pixels``."""
        there = area > 0
        appears: list[Moment] = []
        vanishes: list[Moment] = []
        flickers: list[Blink] = []
        for shot in self.shots:
            for before, brief, after in _settled(_runs(there, shot)):
                if brief is not None:
                    first = self._frames[brief.start]
                    flickers.append(Blink(first.index, first.stem, len(brief)))
                if there[before.start] != there[after.start]:
                    (appears if there[after.start] else vanishes).append(self.moment(after.start))
        share, present = (round(float(what.mean()), 6) if len(area) else 0.0 for what in (area / max(1, pixels), there))
        return Presence(share, present, tuple(appears), tuple(vanishes), tuple(flickers))


def _runs(there: Mask, within: range) -> list[range]:
    """The stretches of equal values."""
    here = there[within.start : within.stop]
    edges = [within.start, *(np.flatnonzero(here[1:] != here[:-1]) + within.start + 1).tolist(), within.stop]
    return [range(start, stop) for start, stop in pairwise(edges)]


def _settled(runs: Sequence[range]) -> Iterator[tuple[range, range | None, range]]:
    """Two by two the runs that are not brief, with the stretch of brief ones between them, if there is one."""
    lasting = [run for i, run in enumerate(runs) if len(run) >= _BRIEF or i in (0, len(runs) - 1)]
    for before, after in pairwise(lasting):
        yield before, range(before.stop, after.start) if before.stop < after.start else None, after


class _Severities:
    """Frames with how bad they are, 0 to 1, and why: what is told first should say most."""

    def __init__(self, timeline: _Timeline) -> None:
        self._timeline = timeline
        self._found: dict[int, tuple[float, str]] = {}

    def add_missing_object(self, area: Integers) -> None:
        """Frames without the object, briefly, while the frames on both sides have it, be there a cut or not."""
        for run in _runs(area > 0, range(len(area)))[1:-1]:
            if area[run.start] == 0 and len(run) < _BRIEF:
                self._add(run.start, 1.0, f"no object{_for(run)}, but in the frames before and after")

    def add_jumps(self, area: Integers) -> None:
        """The object grows or shrinks from a frame to the next. Of the two that one is meant whose area is less like
        those around; by how much the area falls, or fell if time ran backwards, is how bad it is."""
        for shot in self._timeline.shots:
            for i in shot[1:]:
                low, high = sorted((int(area[i - 1]), int(area[i])))
                if low == 0 or 1 - low / high < _LEAST:
                    continue
                around = area[max(shot.start, i - _BRIEF) : min(shot.stop, i + _BRIEF)]
                usual = float(np.median(around[around > 0]))
                odd = max((i - 1, i), key=lambda k: abs(np.log(area[k] / usual)))
                what = "small" if area[odd] < area[2 * i - 1 - odd] else "large"
                other = "before" if odd == i else "after"
                self._add(
                    odd,
                    1 - low / high,
                    f"the object is {what}: {area[odd] / area[2 * i - 1 - odd]:.2f} of the frame {other}",
                )

    def add_agreement(self, t: npt.NDArray[np.float64]) -> None:
        """T (N,) is lower than the clip's median; by what share of it is how bad it is."""
        known = t[~np.isnan(t)]
        usual = float(np.median(known)) if len(known) else 0.0
        for i in np.flatnonzero(t < (1 - _LEAST) * usual).tolist():
            self._add(i, 1 - float(t[i]) / usual, f"T from the frame before is {t[i]:.2f}, where {usual:.2f} is usual")

    def add_blinks(self, name: str, area: Integers, whole: Integers) -> None:
        """A part is missing or there briefly; its share of the object where it is there is how bad it is."""
        there = area > 0
        for shot in self._timeline.shots:
            runs = _runs(there, shot)
            for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
                if len(run) >= _BRIEF:
                    continue
                shown = there[run.start]
                frames = list(run) if shown else [before[-1], after[0]]
                share = float(area[frames].sum() / whole[frames].sum())
                self._add(run.start, share, f"{name} is {'there' if shown else 'missing'}{_for(run)} only")

    def _add(self, i: int, severity: float, reason: str) -> None:
        if severity >= _LEAST:
            before, told = self._found.get(i, (0.0, reason))
            self._found[i] = max(before, severity), told

    def looks(self) -> tuple[Look, ...]:
        """The worst, none within `_BRIEF` frames of a worse one."""
        chosen: list[int] = []
        for i in sorted(self._found, key=lambda i: (-self._found[i][0], i)):
            if len(chosen) < _MOST_LOOKS and all(abs(i - other) >= _BRIEF for other in chosen):
                chosen.append(i)
        moments = map(self._timeline.moment, chosen)
        return tuple(Look(at.index, at.stem, self._found[i][1]) for i, at in zip(chosen, moments, strict=True))


def _for(run: range) -> str:
    return " for a frame" if len(run) == 1 else f" for {len(run)} frames"


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


def _moment(given: Mapping[str, Any]) -> Moment:
    return Moment(int(given["index"]), str(given["stem"]))


def _nan(value: float | None) -> float:
    return np.nan if value is None else value


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)

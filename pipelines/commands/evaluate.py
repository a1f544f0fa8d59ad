"""``videoparts evaluate``: label pictures against annotated ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..aligned import aligned
from ..json_report import STDOUT, check_json, write_report
from ..options import Quiet
from ..terminal import Terminal

if TYPE_CHECKING:
    from videoparts.evaluation.folders import ClipScores, Scores
    from videoparts.evaluation.label_folders import MatchedClips

_HEAD = ("clip", "frames", "J", "F", "T", "coverage", "spill", "NMI (position)", "ARI (position)", "worst frame (J)")
_LEFT = (0, len(_HEAD) - 1)  # columns of text


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Score label pictures against annotated ones.

    J: intersection over union with the object. F: agreement of the boundaries, as DAVIS defines it. T: agreement of a
    frame's parts with those of the frame before, along the optical flow. Coverage: share of the object that has a
    label. Spill: share of the labelled pixels outside of the object. NMI, ARI: agreement of parts, where the truth
    has two or more, beside that of a baseline that knows nothing but a pixel's position in the object.
    """

    prediction: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PREDICTION")]
    """A folder of label pictures, as videoparts masks writes them; or a folder of such folders, one for each clip."""
    truth: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TRUTH")]
    """The annotated ones: 0 is background. Frames are matched by name, and so are clips."""
    frames: Path | None = None
    """The frames themselves, in a folder built like the other two: T needs them."""
    common: bool = False
    """Score only frames and clips that have a prediction. Without it, those that have none score 0."""
    json: Path | None = None
    """Write the scores, those of every frame too, to this file (.json). With - to standard output, and the table to
    standard error."""
    quiet: Quiet = False
    """No progress bar and no notes."""

    def run(self) -> None:
        """Run the command."""
        from videoparts.evaluation.folders import evaluate_clip
        from videoparts.evaluation.label_folders import match_clips
        from videoparts.files.transaction import finish_commit

        check_json(self.json)
        for folder in (self.prediction, *self.prediction.glob("*")):
            finish_commit(folder)
        terminal = Terminal(self.quiet)
        matched = match_clips(self.prediction, self.truth, self.frames, common=self.common)
        with terminal.bar("evaluate", sum(len(clip.stems) for clip in matched.clips)) as advance:
            results = [evaluate_clip(clip, on_frame=advance) for clip in matched.clips]
        print("\n".join(table_of(results)), file=sys.stderr if self.json == STDOUT else sys.stdout)
        if self.json is not None:
            write_report(self._report(results, matched), self.json)
        terminal.note(*self._notes(results, matched))

    def _report(self, results: Sequence[ClipScores], matched: MatchedClips) -> dict[str, Any]:
        from videoparts.evaluation.folders import Scores

        return {
            "prediction": str(self.prediction),
            "truth": str(self.truth),
            "frames": None if self.frames is None else str(self.frames),
            "common": self.common,
            "clips_without_prediction": list(matched.without_prediction),
            "clips_without_truth": list(matched.without_truth),
            "mean": _named(Scores.mean([result.scores for result in results])),
            "clips": [_report_of(result) for result in results],
        }

    def _notes(self, results: Sequence[ClipScores], matched: MatchedClips) -> list[str]:
        notes = []
        if self.frames is None:
            notes.append("T is not scored: give --frames FOLDER with the frames that the masks belong to")
        elif not any(result.pairs for result in results):
            notes.append("T is not scored: no two frames with parts follow each other in all three folders")
        fate = "they are left out" if self.common else "they score 0, --common leaves them out"
        begun = [result for result in results if result.name not in matched.without_prediction]
        counts = {
            f"clips without a prediction: {{}}; {fate}": len(matched.without_prediction),
            f"annotated frames without a prediction: {{}}; {fate}": sum(result.without_prediction for result in begun),
            "predicted clips without truth, left out: {}": len(matched.without_truth),
            "predicted frames without truth, left out: {}": sum(result.without_truth for result in results),
            "predictions brought to the size of the truth: {}": sum(result.resized for result in results),
        }
        notes += [line.format(count) for line, count in counts.items() if count]
        return notes


def table_of(results: Sequence[ClipScores]) -> list[str]:
    """The lines of a table: a row for each clip, and one of the means if there are several."""
    from videoparts.evaluation.folders import Scores

    rows: list[tuple[str, ...]] = [_HEAD]
    for result in results:
        worst = f"{result.worst.stem} ({result.worst.j:.3f})"
        rows.append((result.name, str(len(result.frames)), *_cells(result.scores), worst))
    if len(results) > 1:
        frames = sum(len(result.frames) for result in results)
        rows.append(("mean", str(frames), *_cells(Scores.mean([result.scores for result in results])), ""))
    return aligned(rows, _LEFT)


def _cells(scores: Scores) -> list[str]:
    plain = [_cell(value) for value in (scores.j, scores.f, scores.t, scores.coverage, scores.spill)]
    beside = ((scores.nmi, scores.position_nmi), (scores.ari, scores.position_ari))
    return plain + ["-" if value is None else f"{_cell(value)} ({_cell(position)})" for value, position in beside]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _report_of(result: ClipScores) -> dict[str, Any]:
    return {
        "clip": result.name,
        **_named(result.scores),
        "frames": len(result.frames),
        "frames_without_prediction": result.without_prediction,
        "predictions_without_truth": result.without_truth,
        "predictions_resized": result.resized,
        "pairs_of_frames": result.pairs,
        "parts": result.parts,
        "truth_parts": result.truth_parts,
        "worst_frame": {"frame": result.worst.stem, "J": result.worst.j},
        "per_frame": [
            {"frame": frame.stem, "J": frame.j, "F": frame.f, "missing": frame.missing} for frame in result.frames
        ],
    }


def _named(scores: Scores) -> dict[str, float | None]:
    return {
        "J": scores.j,
        "F": scores.f,
        "T": scores.t,
        "coverage": scores.coverage,
        "spill": scores.spill,
        "share_of_frame": scores.share,
        "NMI": scores.nmi,
        "NMI_position": scores.position_nmi,
        "ARI": scores.ari,
        "ARI_position": scores.position_ari,
    }

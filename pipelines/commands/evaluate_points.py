"""``videoparts evaluate-points``: found points against true ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from videoparts.errors import SettingsError, SourceError

from ..aligned import aligned
from ..json_report import STDOUT, check_json, write_report
from ..options import Quiet
from ..terminal import Terminal

if TYPE_CHECKING:
    from videoparts.pairs.point_scores import PairScores


@dataclass(frozen=True, kw_only=True)
class EvaluatePoints:
    """Score points that correspond has found against true ones: PCK, the share that is near enough.

    Both are JSON files as correspond writes them, or folders of such, matched by name. A true point is found where it
    has the same name, or without a name the same number; one without a prediction counts as wrong.
    """

    prediction: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PREDICTION")]
    """A file of points, or a folder of files."""
    truth: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TRUTH")]
    """The true ones: with "other" of each point, and with a "box" around the object of the other picture."""
    alpha: str = "0.05,0.1,0.15"
    """How far a point may be off, in longer sides of the box or the picture: one number or several."""
    of: Literal["box", "image"] = "box"
    """What alpha is measured by. SPair-71k takes the box."""
    common: bool = False
    """Score only pairs of pictures that have a prediction. Without it, those that have none score 0."""
    json: Path | None = None
    """Write the scores, those of every pair too, to this file (.json), or with - to standard output."""
    quiet: Quiet = False
    """No notes."""

    def __post_init__(self) -> None:
        self.alphas()  # raises what is wrong with them

    def alphas(self) -> tuple[float, ...]:
        """``alpha`` as numbers."""
        try:
            alphas = tuple(float(one) for one in self.alpha.split(","))
        except ValueError:
            alphas = ()
        if not alphas or not all(0 < alpha < float("inf") for alpha in alphas):
            raise SettingsError(f"--alpha must be positive numbers, as in 0.05,0.1, got {self.alpha}")
        return alphas

    def run(self) -> None:
        """Run the command."""
        from videoparts.pairs.pair_files import read_pairs
        from videoparts.pairs.point_scores import mean_scores, score_pair

        check_json(self.json)
        alphas = self.alphas()
        truths, found = _files(self.truth), _files(self.prediction)
        if self.truth.is_file() and self.prediction.is_file():  # two files belong together whatever they are called
            found = dict(zip(truths, found.values(), strict=True))
        names = [name for name in truths if name in found or not self.common]
        if not any(name in found for name in truths):
            raise SourceError(f"{self.prediction}: has no file of a name in {self.truth}; give what correspond wrote")
        predictions = {name: read_pairs(found[name]) for name in names if name in found}
        scores = [score_pair(name, predictions.get(name), read_pairs(truths[name]), alphas, self.of) for name in names]
        by_pair, by_point = mean_scores(scores)
        table = _table(scores, alphas, by_pair, by_point)
        print("\n".join(table), file=sys.stderr if self.json == STDOUT else sys.stdout)
        if self.json is not None:
            report = {
                "alpha": alphas,
                "of": self.of,
                "pck_mean_of_pairs": by_pair,
                "pck_of_all_points": by_point,
                "pairs": [
                    {"pair": one.name, "pck": one.shares, "points": one.points, "missing": one.missing}
                    for one in scores
                ],
            }
            write_report(report, self.json)
        without = sum(name not in found for name in names)
        fate = "they score 0, --common leaves them out"
        terminal = Terminal(self.quiet)
        if without:
            terminal.note(f"pairs of pictures without a prediction: {without}; {fate}")
        if missing := sum(one.missing for one in scores if one.name in found):
            terminal.note(f"points without a prediction: {missing}; they count as wrong")


def _files(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        return {path.stem: path}
    found = {file.stem: file for file in sorted(path.glob("*.json"))}
    if not found:
        raise SourceError(f"{path}: the folder holds no .json files; give what correspond wrote")
    return found


def _table(
    scores: Sequence[PairScores], alphas: Sequence[float], by_pair: Sequence[float], by_point: Sequence[float]
) -> list[str]:
    """A row a pair, and the means: over pairs, and over all points."""
    total = str(sum(one.points for one in scores))
    rows = [("pair", "points", *(f"PCK@{alpha:g}" for alpha in alphas))]
    rows += [(one.name, str(one.points), *(f"{share:.3f}" for share in one.shares)) for one in scores]
    rows += [
        (what, total, *(f"{x:.3f}" for x in m)) for what, m in (("mean of pairs", by_pair), ("all points", by_point))
    ]
    return aligned(rows, text=(0,))

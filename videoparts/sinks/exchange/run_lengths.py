"""COCO's run-length code of masks.

As `maskApi.c` of https://github.com/cocodataset/cocoapi has it: pixels column by column; the lengths of the runs,
alternately of zeros and of ones, zeros first; each length from the fourth on less the one two before it; each number
in groups of five bits, the lowest first, with a sixth bit that says whether more follow; each group plus 48 as ASCII.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...equal_runs import equal_runs
from ...frames import Integers, Pixels

_BITS = 5
_GROUPS = 13  # enough for 64 bits


@dataclass(frozen=True, eq=False)
class Runs:
    """Where one part is in a frame, column by column. ``starts`` and ``ends`` (R,) int64, ends excluded; R > 0."""

    starts: Integers
    ends: Integers
    height: int
    width: int

    @property
    def area(self) -> int:
        """How many pixels."""
        return int((self.ends - self.starts).sum())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) of the smallest rectangle around the part."""
        left, first = np.divmod(self.starts, self.height)
        right, last = np.divmod(self.ends - 1, self.height)
        several = (left != right).any()  # a run over columns has their lower and their upper end
        x, y = int(left.min()), 0 if several else int(first.min())
        bottom = self.height - 1 if several else int(last.max())
        return x, y, int(right.max()) - x + 1, bottom - y + 1

    @property
    def counts(self) -> str:
        """The compressed code."""
        edges = np.empty(2 * len(self.starts) + 1, np.int64)
        edges[0], edges[1::2], edges[2::2] = 0, self.starts, self.ends
        lengths = np.diff(edges)
        rest = self.height * self.width - int(self.ends[-1])
        return compress(np.append(lengths, rest) if rest else lengths)


def runs_of(labels: Pixels) -> dict[int, Runs]:
    """The runs of every label but 0 that is in ``labels`` (H, W) uint8."""
    height, width = labels.shape
    values, lengths = equal_runs(labels.T.ravel())
    ends = np.cumsum(lengths)
    starts = ends - lengths
    found = {}
    for label in np.unique(values).tolist():
        if label:
            here = values == label
            found[label] = Runs(starts[here], ends[here], height, width)
    return found


def compress(lengths: Integers) -> str:
    """The code of some runs' lengths.

    >>> compress(np.array([6, 1, 40, 4, 5, 4, 5, 4, 21]))
    '61X13mN000`0'
    """
    rest = lengths.copy()
    rest[3:] -= lengths[1:-2]
    codes = np.zeros((len(rest), _GROUPS), np.uint8)
    sent: npt.NDArray[np.bool_] = np.zeros(codes.shape, np.bool_)
    more = np.ones(len(rest), np.bool_)
    for group in range(_GROUPS):
        bits = rest & 31
        rest >>= _BITS  # keeps the sign
        sent[:, group] = more
        more = more & (rest != np.where(bits & 16, -1, 0))
        codes[:, group] = bits + 32 * more + 48
        if not more.any():
            break
    return codes[sent].tobytes().decode("ascii")

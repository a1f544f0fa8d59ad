"""The pictures of a set with their descriptors, each looked at once where memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import combinations

from videoparts.features import Extractor
from videoparts.frames import Pixels
from videoparts.pairs.described import Described, describe
from videoparts.sources.picture_set import Picture

_BUDGET = 1 << 30  # bytes of descriptors that are kept


class DescribedPictures:
    """Describes pictures when they are asked for; keeps those that were asked for last, within a budget.

    Args:
        pictures: the set.
        extractor: makes the descriptors.
        budget: bytes; two pictures are kept in any case.
    """

    def __init__(self, pictures: Sequence[Picture], extractor: Extractor, budget: int = _BUDGET) -> None:
        self._pictures, self._extractor, self._budget = pictures, extractor, budget
        self._kept: OrderedDict[int, tuple[Pixels, Described]] = OrderedDict()

    def get(self, k: int) -> tuple[Pixels, Described]:
        """Picture k, (H, W, 3) uint8, and what is known of it.

        Raises:
            SourceError: it cannot be decoded, is smaller than a patch, or too slim.
        """
        if k not in self._kept:
            pixels = self._pictures[k].pixels()
            self._kept[k] = pixels, describe(pixels, self._extractor, self._pictures[k].path)
            while len(self._kept) > 2 and sum(map(_size, self._kept.values())) > self._budget:
                self._kept.popitem(last=False)
        self._kept.move_to_end(k)
        return self._kept[k]

    def in_good_order(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Pairs so that few pictures have to be looked at again: square after square of the table of all pairs."""
        if not pairs:
            return []
        side = max(1, self._budget // _size(self.get(pairs[0][0])) // 2)
        return sorted(pairs, key=lambda pair: (pair[0] // side, pair[1] // side, pair))


def every_pair(count: int) -> list[tuple[int, int]]:
    """All pairs of so many pictures, each once."""
    return list(combinations(range(count), 2))


def _size(kept: tuple[Pixels, Described]) -> int:
    return kept[0].nbytes + kept[1].nbytes

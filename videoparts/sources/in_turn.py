"""Many clips, of which none is open but the one that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

from .base import Source


class InTurn(Sequence[Source]):
    """Clips that are opened each time they are taken, and not held.

    Args:
        paths: of the clips.
        opened: opens one.
    """

    def __init__(self, paths: Sequence[Path], opened: Callable[[Path], Source]) -> None:
        self._paths, self._opened = paths, opened

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, which: int) -> Source: ...
    @overload
    def __getitem__(self, which: slice) -> InTurn: ...
    def __getitem__(self, which: int | slice) -> Source | InTurn:
        """Open one clip; or fewer of the clips, unopened.

        Raises:
            SourceError: it cannot be opened.
        """
        if isinstance(which, slice):
            return InTurn(self._paths[which], self._opened)
        return self._opened(self._paths[which])

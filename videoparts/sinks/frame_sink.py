"""What sinks that write masks frame by frame have in common: their targets appear together, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ..errors import OutputError
from ..files.atomic import AtomicFile, ensure_not_input, output_errors
from ..masks import PartMasks

_Sink = TypeVar("_Sink", bound="FrameSink")


class FrameSink:
    """A context manager over files and folders in the making; a format says what it does with a frame.

    A frame is called by `FrameBatch.stem`: its file's stem in a folder of frames, else its five-digit number in the
    source. What is made appears when the ``with`` ends without exception.

    Args:
        path: what messages are about.
        targets: what is made.
        inputs: files and folders that must not be written over.

    Raises:
        OutputError: a target cannot be written, two frames have one name, or no frame came.
    """

    notes: tuple[str, ...] = ()  # lines that the user should read

    def __init__(self, path: Path, targets: Sequence[AtomicFile], inputs: Iterable[Path] = ()) -> None:
        inputs = list(inputs)
        self.path = path
        self.outputs = tuple(target.given for target in targets)
        for output in {path: None, **dict.fromkeys(self.outputs)}:
            ensure_not_input(output, inputs)
        self._targets = tuple(targets)
        self._stems: dict[str, None] = {}  # in the order of their frames

    def __enter__(self: _Sink) -> _Sink:
        try:
            for target in self._targets:
                target.start()
            with output_errors(self.path):
                self._begin()
        except BaseException:
            self._discard()
            raise
        return self

    def write(self, masks: PartMasks) -> None:
        """Write the masks of the next frames."""
        for i in range(len(masks)):
            stem = masks.frames.stem(i)
            if stem in self._stems:
                raise OutputError(f"{self.path}: two frames are called {stem}; rename the input frames")
            self._stems[stem] = None
            with output_errors(self.path):
                self._frame(masks, i, stem)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or not self._stems:
            self._discard()
            if kind is None:
                raise OutputError(f"{self.path}: there is no frame to write; look at --start and --end")
            return
        try:
            with output_errors(self.path):
                self._end()
            for target in self._targets:
                target.commit()
        except BaseException:
            self._discard()
            raise

    def _begin(self) -> None:
        """Open what stays open; the temporary files and folders exist."""

    def _frame(self, masks: PartMasks, i: int, stem: str) -> None:
        """Write frame ``i`` of ``masks``."""
        raise NotImplementedError

    def _end(self) -> None:
        """Write what comes last and close what is open."""

    def _close(self) -> None:
        """Close what is open, however far writing came."""

    def _discard(self) -> None:
        try:
            self._close()
        finally:
            for target in reversed(self._targets):  # the first made the folders above
                target.discard()

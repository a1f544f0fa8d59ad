"""Masks as one or several video files, which appear together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Generic

from ...errors import OutputError
from ...masks import PartMasks
from ..encoding.content import T
from ..encoding.video_file import VideoFile


class VideoFiles(Generic[T]):
    """What the sinks have in common that write videos; used like them.

    Times, size and pixel aspect are the source's, as `VideoFile` keeps them, and sound where a file asks for it.

    Args:
        folder: where the files lie.
        files: those to make.
    """

    def __init__(self, folder: Path, files: Sequence[VideoFile[T]]) -> None:
        self._folder = folder
        self._files = tuple(files)
        self._empty = True

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files that it makes."""
        return tuple(file.path for file in self._files)

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read, each once."""
        return tuple(dict.fromkeys(note for file in self._files for note in file.notes))

    def __enter__(self) -> VideoFiles[T]:
        try:
            for file in self._files:
                file.start()
        except BaseException:
            self._abort()
            raise
        return self

    def write(self, masks: PartMasks) -> None:
        """Encode the masks of some frames, later ones than those before."""
        frames = masks.frames
        for i in range(len(masks)):
            for file, given in zip(self._files, self._contents(masks, i), strict=True):
                file.write(given, int(frames.pts[i]), int(frames.index[i]))
            self._empty = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abort()
            return
        try:
            if self._empty:
                raise OutputError(f"{self._folder}: there is no frame to write; look at --start and --end")
            for file in self._files:  # none gets its name before all are whole
                file.end()
            for file in self._files:
                file.commit()
        except BaseException:
            self._abort()
            raise

    @abstractmethod
    def _contents(self, masks: PartMasks, i: int) -> Iterable[T]:
        """What each file gets for frame ``i``, in the order of the files."""

    def _abort(self) -> None:
        for file in reversed(self._files):  # the first made the folders that they share
            file.abort()

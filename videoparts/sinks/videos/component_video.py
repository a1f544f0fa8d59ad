"""The clip as its principal components."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from ...frames import VideoInfo
from ...pca.components import PaintedFrames
from ..encoding.content import RGB
from ..encoding.encoder import Encoding
from ..encoding.video_file import VideoFile


class ComponentVideo:
    """Encodes the first three components as red, green and blue; times, size and sound are the source's.

    The file appears when the ``with`` ends without exception: see `VideoFile`, for errors too.

    Args:
        path: .mp4, .mov, .mkv, .webm or .avi.
        like: the source's info.
        encoding: the encoder and what is asked of it.
        audio: whether to keep the sound.
        inputs: files that must not be written over, besides the source.
    """

    def __init__(
        self,
        path: Path,
        like: VideoInfo,
        encoding: Encoding | None = None,
        *,
        audio: bool = True,
        inputs: Iterable[Path] = (),
    ) -> None:
        size = (like.height, like.width)
        self._video = VideoFile(path, like, size, RGB(), encoding, audio=audio, inputs=inputs)

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read. Complete when the ``with`` ended."""
        return self._video.notes

    def __enter__(self) -> ComponentVideo:
        self._video.start()
        return self

    def write(self, painted: PaintedFrames) -> None:
        """Encode some frames, later ones than those before."""
        frames = painted.frames
        for i, pixels in enumerate(painted.rgb):
            self._video.write(pixels, int(frames.pts[i]), int(frames.index[i]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._video.abort()
            return
        self._video.finish()

"""The video with its parts painted on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from ...clock import StageClock
from ...config import OverlaySettings
from ...frames import Pixels, VideoInfo
from ...masks import PartMasks
from ...painting.overlay import paint, side_by_side
from ...painting.palette import palette
from ..encoding.content import RGB
from ..encoding.encoder import Encoding
from ..encoding.video_file import VideoFile


class OverlayVideo:
    """Paints masks over their frames and encodes them; the file appears when the ``with`` ends without exception.

    ::

        with OverlayVideo(Path("parts.mp4"), like=source.info) as sink:
            for masks in segment(...):
                sink.write(masks)

    Times, colours and sound are the source's: see `VideoFile`. Wrong names and options are found at birth where
    that needs no file, the rest when the ``with`` begins.

    Args:
        path: .mp4, .mov, .mkv, .webm or .avi.
        like: the source's info.
        colours: (P+1, 3) uint8, the colour of each label; None: `palette()`.
        settings: how it looks and is encoded.
        inputs: files that must not be written over, besides the source.
        clock: counts the time of "paint" and "encode".

    Raises:
        OutputError: the file cannot be written there, or no frame came.
        SettingsError: the encoder is not there, does not suit the file, or refuses an option.
    """

    def __init__(
        self,
        path: Path | str,
        like: VideoInfo,
        colours: Pixels | None = None,
        settings: OverlaySettings | None = None,
        *,
        inputs: Iterable[Path] = (),
        clock: StageClock | None = None,
    ) -> None:
        self._settings = settings = settings or OverlaySettings()
        self._colours = palette() if colours is None else colours
        self._paint = side_by_side if settings.side_by_side else paint
        self._clock = clock or StageClock()
        self._video = VideoFile(
            Path(path),
            like,
            (like.height, like.width * 2 if settings.side_by_side else like.width),
            RGB(),
            Encoding(settings.codec, settings.quality, settings.speed),
            audio=settings.audio,
            inputs=inputs,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read, such as why the sound was left out. Complete when the ``with`` ended."""
        return self._video.notes

    def __enter__(self) -> OverlayVideo:
        self._video.start()
        return self

    def write(self, masks: PartMasks) -> None:
        """Paint and encode some frames, later ones than those before."""
        frames, look = masks.frames, self._settings
        for i in range(len(masks)):
            one = slice(i, i + 1)
            with self._clock.stage("paint"):
                painted = self._paint(frames.pixels[one], masks.labels[one], self._colours, look.alpha, look.outline)
            with self._clock.stage("encode"):
                self._video.write(painted[0], int(frames.pts[i]), int(frames.index[i]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._video.abort()
            return
        with self._clock.stage("encode"):
            self._video.finish()

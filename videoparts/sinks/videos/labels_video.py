"""The labels as one lossless grey video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ...frames import Pixels, VideoInfo
from ...masks import Part, PartMasks
from ..encoding.content import Numbers
from ..encoding.encoder import THREADS, Encoding
from ..encoding.video_file import VideoFile
from .video_files import VideoFiles


class LabelsVideo(VideoFiles[Pixels]):
    """Writes ``<folder>/labels.mkv``: FFV1 ``gray`` of full range, whose values are the labels, 0 the background.

    Matroska rounds each time to the nearest millisecond. No tags of colour: see `Numbers`.

    Args:
        folder: made if missing.
        like: the source's info.
        parts: those that are shown; the file does not depend on them.
        threads: of the encoder.

    Raises:
        OutputError: the file cannot be written there, or no frame came.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part] = (), *, threads: int = THREADS) -> None:
        # Version 3, the one that archives read; every frame a key frame, so that editors go to any at once: 2 % more.
        # 3 ms and 3 kB a frame of 720p. FFmpeg splits frames alike whatever the number of threads.
        encoding = Encoding("ffv1", pixel_format="gray", options={"level": "3", "g": "1"}, threads=threads)
        file = VideoFile(folder / "labels.mkv", like, (like.height, like.width), Numbers(), encoding, audio=False)
        super().__init__(folder, [file])

    def _contents(self, masks: PartMasks, i: int) -> Iterable[Pixels]:
        return [masks.labels[i]]

"""The video again, with an effect on some of its parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ...clock import StageClock
from ...frames import Pixels, VideoInfo
from ...masks import Part, PartMasks
from ...painting.effects import Effect
from ..encoding.content import RGB
from ..encoding.encoder import Encoding
from ..encoding.video_file import VideoFile
from .prores import ProResAlpha
from .video_files import VideoFiles
from .webm import WebMAlpha


@dataclass(frozen=True)
class Covered:
    """Which mattes an effect is for."""

    planes: tuple[int, ...]  # of `PartMasks.mattes`
    others: bool = False  # everything but those

    @classmethod
    def of(cls, parts: Sequence[Part], numbers: Sequence[int], others: bool = False) -> Covered:
        """The parts of those numbers, of all that are shown."""
        return cls(tuple(k for k, part in enumerate(parts) if part.number in numbers), others)

    def matte(self, mattes: Pixels) -> Pixels:
        """(K, H, W) to (H, W)."""
        matte = mattes[list(self.planes)].sum(0, dtype=np.uint8)  # together they are at most 255
        return np.asarray(255 - matte if self.others else matte, dtype=np.uint8)


class EffectVideo:
    """Encodes frames with an effect; times, colours and sound are the source's. Used like `OverlayVideo`.

    Args:
        path: .mp4, .mov, .mkv, .webm or .avi.
        like: the source's info.
        effect: what is done.
        covered: to what.
        count: parts that the masks have mattes of.
        encoding: the encoder and what is asked of it.
        transparent: cut out with alpha instead of a colour behind: .mov in ProRes 4444, .webm in VP9.
        audio: whether to keep the sound.
        clock: counts the time of "effect" and "encode".

    Raises:
        OutputError: the file cannot be written there, or no frame came.
        SettingsError: the encoder is not there, does not suit the file, or refuses an option.
    """

    def __init__(
        self,
        path: Path,
        like: VideoInfo,
        effect: Effect,
        covered: Covered,
        count: int,
        *,
        encoding: Encoding | None = None,
        transparent: bool = False,
        audio: bool = True,
        clock: StageClock | None = None,
    ) -> None:
        self._effect, self._covered, self._count, self._clock = effect, covered, count, clock or StageClock()
        self._transparent = transparent
        self._video: VideoFiles[Any]
        if transparent:
            kind = WebMAlpha if path.suffix.lower() == ".webm" else ProResAlpha
            self._video = kind(path, [path], like, audio=audio)
        else:
            self._video = _Frames(
                path, [VideoFile(path, like, (like.height, like.width), RGB(), encoding, audio=audio)]
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that the user should read; complete when the ``with`` has ended."""
        return self._video.notes

    def __enter__(self) -> EffectVideo:
        self._video.__enter__()
        return self

    def write(self, masks: PartMasks) -> None:
        """Change and encode some frames, later ones than those before."""
        for i, mattes in enumerate(masks.mattes_of(self._count)):
            one = masks.frames[i : i + 1]
            with self._clock.stage("effect"):
                matte = self._covered.matte(mattes)
                if not self._transparent:
                    one = replace(one, pixels=self._effect(one.pixels[0], matte)[None])
            with self._clock.stage("encode"):
                self._video.write(PartMasks(one, masks.labels[i : i + 1], mattes=matte[None, None]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._clock.stage("encode"):
            self._video.__exit__(kind, error, trace)


class _Frames(VideoFiles[Pixels]):
    """Writes the frames' pixels."""

    def _contents(self, masks: PartMasks, i: int) -> Iterable[Pixels]:
        return [masks.frames.pixels[i]]

"""The overlay video among the formats of masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...frames import VideoInfo
from ...masks import Part, colour_table
from .overlay_video import OverlayVideo

FILE = "overlay.mp4"


class OverlayClip(OverlayVideo):
    """Writes ``<folder>/overlay.mp4``: the source with the parts in their colours, as `OverlayVideo` does by default.

    Args:
        folder: of the masks.
        like: the source's info.
        parts: those that are shown.

    Raises:
        OutputError: see `OverlayVideo`.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part]) -> None:
        self.outputs: tuple[Path, ...] = (folder / FILE,)
        super().__init__(folder / FILE, like, colour_table(parts))

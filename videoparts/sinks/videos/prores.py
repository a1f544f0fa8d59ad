"""Mattes in ProRes 4444: as the alpha of the source's colours, or four to a file as its red, green, blue and alpha."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import numpy as np

from ...frames import ColourTags, Pixels, VideoInfo
from ...masks import Part, PartMasks
from ..encoding.colour import FrameMaker, tags_for
from ..encoding.content import ColoursAndAlpha, limited
from ..encoding.encoder import THREADS, Encoding
from ..encoding.video_file import VideoFile
from ..formats import part_stem
from .video_files import VideoFiles

_COLOURS, _WITH_ALPHA, _ENCODER = "yuv444p10le", "yuva444p10le", "prores_ks"
# Measured on 1280 x 720 of film, CPU time and size a frame, colours read back: prores_ks choosing its quantisers
# 112 ms, 1082 kB, 61.3 dB; with the finest given, 27 ms and the same pictures, for it need not search;
# prores_aw 36 ms, 771 kB, 54.1 dB, and no odd widths. The alpha is off by at most 0.16 of 255 (prores_aw 0.28).
# The flat matrix adds 0.7 to 1 dB to that, and 2 % of size.
_OPTIONS = {
    "profile": "4444",
    "alpha_bits": "16",
    "flags": "+qscale",
    "global_quality": str(118),  # FFmpeg's unit of quantisers, FF_QP2LAMBDA: 1
    "quant_mat": "default",
}
_A_FILE = 4  # mattes: R, G, B, A
# What every player and editor takes a video for: 255 is white, 940 of 10 bits, and comes back as 255.
_PACKED = ColourTags(primaries=1, transfer=1, matrix=1, range=1)

_Given = tuple[av.VideoFrame, Pixels]


class ProResAlpha(VideoFiles[_Given]):
    """Writes a file for each matte: the source's colours, straight, and the matte as alpha.

    Colours are tagged as the source's, of limited range, the only one ProRes knows. The colours of a frame are
    converted once for all files. Times are exact.

    Args:
        folder: for messages.
        paths: of the files, in the order of the mattes.
        like: the source's info.
        audio: whether to keep the sound.
        threads: of each encoder.

    Raises:
        OutputError: a file cannot be written there, or no frame came.
    """

    def __init__(
        self, folder: Path, paths: Sequence[Path], like: VideoInfo, *, audio: bool = False, threads: int = THREADS
    ) -> None:
        tags = limited(tags_for(like, _WITH_ALPHA, _ENCODER))
        super().__init__(folder, [_file(path, like, tags, threads, audio) for path in paths])
        self._maker = FrameMaker(_COLOURS, tags)

    def _contents(self, masks: PartMasks, i: int) -> Iterable[_Given]:
        mattes = masks.mattes_of(len(self._files))[i]
        colours = self._maker(np.ascontiguousarray(masks.frames.pixels[i]))
        return ((colours, matte) for matte in mattes)


class ProResParts(ProResAlpha):
    """Writes ``<folder>/prores/<part>.mov`` for each part; see `ProResAlpha`.

    Args:
        folder: made if missing.
        like: the source's info.
        parts: those that are shown, in the order of the mattes.
        threads: of each encoder.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part], *, threads: int = THREADS) -> None:
        paths = [folder / "prores" / f"{part_stem(part)}.mov" for part in parts]
        super().__init__(folder, paths, like, threads=threads)


class ProResPacked(VideoFiles[_Given]):
    """Writes ``<folder>/packed-<first>-<last>.mov`` for each four parts: their mattes as R, G, B and A.

    The numbers are those of the parts. A file of fewer than four parts has 0 for the colours that are missing, and
    an alpha of 255, so that players show it. Tagged BT.709 whatever the source is, for these are no colours of its.
    Read back, the alpha is exact when rounded to 8 bits; R, G and B are where mattes are flat, and elsewhere off by
    at most 3 of 255, by 0 or 1 in 999 of 1000 pixels (76 dB on mattes with noisy soft edges at 1280 x 720).

    Args and raises: see `ProResParts`.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part], *, threads: int = THREADS) -> None:
        packs = [parts[first : first + _A_FILE] for first in range(0, len(parts), _A_FILE)]
        paths = [folder / f"packed-{pack[0].number}-{pack[-1].number}.mov" for pack in packs]
        super().__init__(folder, [_file(path, like, _PACKED, threads) for path in paths])
        self._count = len(parts)
        self._maker = FrameMaker(_COLOURS, _PACKED)

    def _contents(self, masks: PartMasks, i: int) -> Iterable[_Given]:
        mattes = masks.mattes_of(self._count)[i]
        for first in range(0, self._count, _A_FILE):
            some = mattes[first : first + _A_FILE]
            rgb = np.zeros((*some.shape[1:], 3), np.uint8)
            for channel, matte in enumerate(some[:3]):
                rgb[..., channel] = matte
            alpha = some[3] if len(some) == _A_FILE else np.full(some.shape[1:], 255, np.uint8)
            yield self._maker(rgb), alpha


def _file(path: Path, like: VideoInfo, tags: ColourTags, threads: int, audio: bool = False) -> VideoFile[_Given]:
    encoding = Encoding(_ENCODER, pixel_format=_WITH_ALPHA, options=_OPTIONS, threads=threads)
    return VideoFile(path, like, (like.height, like.width), ColoursAndAlpha(tags), encoding, audio=audio)

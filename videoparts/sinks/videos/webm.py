"""VP9 with alpha: the source's colours, and the matte of a part as alpha."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import av
import numpy as np
from av.packet import PacketSideData, packet_sidedata_type_from_literal
from av.video.frame import PictureType

from ...errors import OutputError
from ...frames import Pixels, VideoInfo
from ...masks import Part, PartMasks
from ..encoding.colour import FrameMaker, apply_tags, tags_for
from ..encoding.content import Content, samples
from ..encoding.encoder import THREADS, Encoding, lone_encoder
from ..encoding.video_file import VideoFile
from ..formats import part_stem
from .video_files import VideoFiles

if TYPE_CHECKING:
    from ..encoding.content import Packet

    _Given = tuple[Packet, Pixels]

_ENCODER = "libvpx-vp9"
# Each frame's packet comes at once: no look-ahead, no hidden frames. With row-mt the bytes would tell one thread from
# several.
_AT_ONCE = {"auto-alt-ref": "0", "lag-in-frames": "0", "row-mt": "0"}
_ALPHA_ID = (1).to_bytes(8, "big")  # of a block's addition that is VP9's alpha, as FFmpeg's muxer wants to be told


class AlphaBeside(Content["_Given"]):
    """Alpha for colours that are encoded already: (packet of the colours, (H, W) uint8).

    VP9 with alpha is two videos: the colours', and in an addition to each of its blocks a grey one's, whose luma is
    the alpha. (WebM project, "Alpha channel".) The file's own encoder makes the second.
    """

    metadata: ClassVar[Mapping[str, str]] = {"alpha_mode": "1"}

    def __init__(self) -> None:
        self._waiting: deque[Packet] = deque()  # colours of the frames that are being encoded

    def frame(self, given: _Given) -> av.VideoFrame:
        """See `Content.frame`."""
        colours, alpha = given
        self._check(alpha)
        frame = av.VideoFrame(alpha.shape[1], alpha.shape[0], self._format)
        samples(frame.planes[0], np.uint8)[:] = alpha
        for plane in frame.planes[1:]:
            samples(plane, np.uint8)[:] = 128
        apply_tags(frame, self._tags)
        if colours.is_keyframe:  # who starts to play there needs both
            frame.pict_type = PictureType.I
        self._waiting.append(colours)
        return frame

    def packet(self, encoded: Packet) -> Packet:
        """See `Content.packet`."""
        colours = self._waiting.popleft()
        both = cast("Packet", av.Packet(bytes(colours)))
        both.pts, both.dts, both.duration, both.time_base = (
            encoded.pts,
            encoded.dts,
            encoded.duration,
            encoded.time_base,
        )
        both.is_keyframe = colours.is_keyframe
        addition = _ALPHA_ID + bytes(encoded)
        beside = PacketSideData(packet_sidedata_type_from_literal("matroska_block_additional"), len(addition))  # type: ignore[call-arg]
        beside.update(addition)
        both.set_sidedata(beside, move=True)
        return both


class WebMAlpha(VideoFiles["_Given"]):
    """Writes a file for each matte: the source's colours, straight, and the matte as alpha.

    The colours are encoded once and shared by all files; the alpha is lossless. WebM rounds each time to the nearest
    millisecond. libvpx halves odd sizes itself, so that they are kept.
    FFmpeg shows the alpha with its decoder ``libvpx-vp9``; the one it takes by default leaves it out.

    Args and raises: see `ProResAlpha`.
    """

    # Measured on 1280 x 720 of film and noisy soft edges, CPU time and size a frame, largest error of the alpha:
    # both by one encoder at CRF 30 18 ms, 17 kB, 69 of 255; CRF 4 28 ms, 107 kB, 11; lossless 55 ms, 381 kB, 0.
    # Apart: colours at CRF 30 13 ms and 14 kB, once; alpha at CRF 4 4 ms, 7 kB, 11; lossless 6 ms, 7 kB, 0.

    def __init__(
        self, folder: Path, paths: Sequence[Path], like: VideoInfo, *, audio: bool = False, threads: int = THREADS
    ) -> None:
        self._like = like
        self._colours = Encoding(_ENCODER, pixel_format="yuv420p", options=_AT_ONCE, threads=threads)
        options = _AT_ONCE | {"lossless": "1"}
        alpha = Encoding(_ENCODER, quality=0, pixel_format="yuv420p", options=options, threads=threads)
        size = (like.height, like.width)
        super().__init__(folder, [VideoFile(path, like, size, AlphaBeside(), alpha, audio=audio) for path in paths])
        self._count = 0

    def __enter__(self) -> WebMAlpha:
        like = self._like
        self._maker = FrameMaker("yuv420p", tags_for(like, "yuv420p", _ENCODER))
        self._encoder = lone_encoder(like, (like.height, like.width), self._colours, tags_for)
        super().__enter__()
        return self

    def _contents(self, masks: PartMasks, i: int) -> Iterable[_Given]:
        mattes = masks.mattes_of(len(self._files))[i]
        colours = self._encode(masks.frames.pixels[i])
        return ((colours, matte) for matte in mattes)

    def _encode(self, pixels: Pixels) -> Packet:
        frame = self._maker(np.ascontiguousarray(pixels))
        frame.pts, frame.time_base = self._count, self._encoder.time_base
        self._count += 1
        try:
            (packet,) = self._encoder.encode(frame)
        except av.FFmpegError as error:
            raise OutputError(f"cannot write {self._folder}: the encoder fails ({error})") from error
        return packet


class WebMParts(WebMAlpha):
    """Writes ``<folder>/webm/<part>.webm`` for each part; see `WebMAlpha`.

    Args: see `ProResParts`.
    """

    def __init__(self, folder: Path, like: VideoInfo, parts: Sequence[Part], *, threads: int = THREADS) -> None:
        paths = [folder / "webm" / f"{part_stem(part)}.webm" for part in parts]
        super().__init__(folder, paths, like, threads=threads)

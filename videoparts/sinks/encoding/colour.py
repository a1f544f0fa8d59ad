"""Which colour tags an output carries, and the conversion that makes its numbers mean what the source's meant."""

from __future__ import annotations

from dataclasses import replace

import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from ...frames import ColourTags, Pixels, VideoInfo

_RGB, _UNSPECIFIED = 0, 2  # H.273 matrices
_BT601, _BT2020 = 5, 9
_MATRICES = {1: 1, 4: 4, 5: _BT601, 6: _BT601, 7: 7, _BT2020: _BT2020}  # to libswscale's numbers
_BT709 = ColourTags(primaries=1, transfer=1, matrix=1, range=1)
_FULL = 2


def tags_for(like: VideoInfo, pixel_format: str, codec: str) -> ColourTags:
    """The tags of a video in ``pixel_format`` that ``codec`` encodes from the frames of ``like``.

    A video's own. An untagged one stays untagged: its frames were decoded with BT.601, are encoded with BT.601, and
    so every player shows the output as it shows the source, whatever it takes untagged to mean. Pictures that were
    RGB (a folder of images, an RGB codec) have no such past and are tagged BT.709.
    """
    rgb = like.colour.matrix == _RGB or (like.path.is_dir() and like.colour.matrix == _UNSPECIFIED)
    tags = _BT709 if rgb else like.colour
    if "yuv" not in pixel_format:
        return replace(tags, matrix=_RGB, range=_FULL)
    return replace(tags, range=_FULL) if codec == "mjpeg" else tags  # JPEG has no other range


class FrameMaker:
    """Turns RGB pixels into frames of ``pixel_format`` that carry ``tags``."""

    def __init__(self, pixel_format: str, tags: ColourTags) -> None:
        self._format = pixel_format
        self._tags = tags
        self._reformatter = VideoReformatter()

    def __call__(self, pixels: Pixels) -> av.VideoFrame:
        """(H, W, 3) uint8, C-contiguous, to a frame without a time."""
        rgb = av.VideoFrame.from_numpy_buffer(pixels, "rgb24")
        if self._tags.matrix == _BT2020:
            rgb.colorspace = _BT2020  # copied to the new frame: PyAV 17 ignores the argument for this one
        frame = self._reformatter.reformat(
            rgb,
            format=self._format,
            dst_colorspace=_MATRICES.get(self._tags.matrix, _BT601),
            dst_color_range=ColorRange.JPEG if self._tags.range == _FULL else ColorRange.MPEG,
            # As fast as bilinear here, and the only one that averages the four pixels of a chroma sample.
            interpolation=Interpolation.AREA,
            # Several threads share the frame by rows, and where a width fills no whole vector each writes past the end
            # of its last row, into the first pixels of another's: these then differ from run to run.
            threads=1,
        )
        apply_tags(frame, self._tags)
        return frame


def apply_tags(target: av.VideoFrame | av.VideoStream | VideoCodecContext, tags: ColourTags) -> None:
    """Write ``tags`` onto a frame, or an output stream or encoder that is not open yet."""
    target.colorspace = tags.matrix
    target.color_range = tags.range
    target.color_primaries = tags.primaries
    target.color_trc = tags.transfer

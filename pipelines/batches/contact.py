"""A clip's picture on the contact sheet: one of its frames, and beside it the same frame with its parts in colour."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from videoparts.config import OverlaySettings
from videoparts.errors import OutputError, SourceError
from videoparts.files.atomic import atomic_file
from videoparts.frames import Pixels, VideoInfo
from videoparts.masks import Part, colour_table
from videoparts.painting.overlay import paint
from videoparts.reports.tracks import Track
from videoparts.sources.base import Source

from ..result import Result, opened_result

FILE = "contact.jpg"
HEIGHT, WIDTH = 240, 320  # of each half, at most

_QUALITY = 80
_WHOLE = 0.5  # a part is well to be seen where it has so much of the area that it usually has


def write_contact(folder: Path, source: Source) -> Path:
    """Write ``<folder>/contact.jpg``: a frame on the left, the same with its parts in colour on the right.

    The parts are those that edits have made. They are not smoothed, which would take the frames around as well and
    could hardly be seen at this size. The same masks give the same bytes.

    Args:
        folder: the output folder of a clip.
        source: what its masks were made of. One frame of it is decoded.

    Returns:
        The picture's path.

    Raises:
        SourceError: there is no manifest, or the source gives another frame than before, or none.
        OutputError: the masks are not there any more, or the picture cannot be written.
        SettingsError: the edits cannot be read.
    """
    result = opened_result(folder)
    position = showing(result.manifest.tracks, len(result.manifest.frames))
    pixels, labels = _frame(result, source, position)
    path = folder / FILE
    image = Image.fromarray(_picture(pixels, labels, result.edition.parts, source.info))
    with atomic_file(path) as temporary:
        image.save(temporary, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)  # colours are what it is for
    return path


def showing(tracks: Sequence[Track], frames: int) -> int:
    """The position of the frame that shows the most: many parts, each of a fair size, in a usual view of the object.

    Of the frames on which the most parts have at least half of their usual area, the one where the object is nearest
    to its usual size; the first of equals. A speck of a part shows nothing, and where the object is largest it is often
    cut off by the edge of the picture. Usual is the median over the frames that have any of it.

    Args:
        tracks: of the parts that are shown.
        frames: how many there are. The middle one is taken where no frame has a part.
    """
    areas = np.array([track.area for track in tracks]).reshape(len(tracks), frames)
    whole = areas.sum(0)
    if not whole.any():
        return frames // 2
    usual = [np.median(area[area > 0]) if area.any() else 1 for area in areas]
    parts = (areas >= _WHOLE * np.array(usual)[:, None]).sum(0)
    unusual = np.abs(whole - np.median(whole[whole > 0]))
    return int(np.lexsort((unusual, -parts))[0])


def _frame(result: Result, source: Source, position: int) -> tuple[Pixels, Pixels]:
    """The pixels (H, W, 3) of a frame, and the labels (H, W) that edits have made of those that were found."""
    edition = result.edition
    store = result.run.finer(edition.levels)
    kept = next(store.read(position), None)
    if kept is None:
        raise OutputError(f"{store.folder}: does not hold all masks any more; run videoparts masks again")
    frame = source.frame(kept.index)
    if (int(frame.pts[0]), frame.size) != (kept.pts, kept.labels.shape):
        raise SourceError(f"{source.info.path}: gives other frames than those that the masks were made of")
    return frame.pixels[0], edition.labels(kept.labels)


def _picture(pixels: Pixels, labels: Pixels, parts: Sequence[Part], info: VideoInfo) -> Pixels:
    height, width = _size(info)
    line = max(1, round(info.height / height))  # one pixel of the picture
    painted = paint(pixels[None], labels[None], colour_table(parts), OverlaySettings().alpha, line)[0]
    return np.concatenate([_small(half, height, width) for half in (pixels, painted)], axis=1)


def _size(info: VideoInfo) -> tuple[int, int]:
    """(height, width) of a half: square pixels, never enlarged."""
    height, width = info.square_size
    scale = min(Fraction(1), HEIGHT / height, WIDTH / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _small(pixels: Pixels, height: int, width: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)

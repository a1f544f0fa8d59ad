"""PNGs of pictures whose colours run into one another: filtered and searched, as `png` is not."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, PngImagePlugin

from ...frames import Pixels

_EFFORT = 3  # of zlib, 0 to 9: more takes longer and gains little


def save_photograph(path: Path, pixels: Pixels) -> None:
    """Write a PNG that `is_our_png` knows again. The same pixels give the same bytes.

    Args:
        path: of the file; see `AtomicFolder` for how it appears whole.
        pixels: (H, W), (H, W, 3) or, with alpha, (H, W, 4) uint8.
    """
    mark = PngImagePlugin.PngInfo()
    mark.add_text("Software", "videoparts")
    Image.fromarray(pixels).save(path, "PNG", pnginfo=mark, compress_level=_EFFORT)

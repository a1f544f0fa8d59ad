"""A page in which a click on one picture shows what in both is like that point. One file, no server, no network."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ...clustering import Floats
from ...files.atomic import atomic_file
from ...frames import Pixels
from ...pairs.described import Described
from ..images.similarity_picture import heat_colours
from .page_text import ascii_text, filled, policy_hash
from .viewer_page import bytes_element, json_element

_LONG = 1280  # pixels of the longer side of a picture in the page, at most
_QUALITY = 88
_AXES = 256  # along which descriptors are kept, the longest ones of both pictures together
_SAMPLE = 4096  # patches of each picture that the axes are found from


def write_similarity_page(
    path: Path,
    names: Sequence[str],
    pictures: Sequence[Pixels],
    described: Sequence[Described],
    point: tuple[float, float] | None,
) -> None:
    """Write the page.

    It holds both pictures, not larger than 1280 pixels, and the descriptors of their patches along few axes in 8 bits,
    so that a cosine in it is right to about 0.01.

    Args:
        path: of the page, .html.
        names: of the two pictures.
        pictures: (H, W, 3) uint8 each.
        described: the same, described by one extractor.
        point: x and y in pixels of the first picture that are shown first; None: its middle.

    Raises:
        OutputError: it cannot be written.
    """
    style, script = _text("page.css"), '"use strict";\n' + _text("page.js")
    policy = (
        f"default-src 'none'; script-src '{policy_hash(script)}'; style-src '{policy_hash(style)}'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    title = ascii_text(html.escape(" and ".join(names)))
    coded = [_coded(one) for one in _along_axes([one.descriptors for one in described])]
    facts = {
        "format": "videoparts.similarity/1",
        "point": point,
        "colours": heat_colours().tolist(),
        "pictures": [
            {
                "name": name,
                "width": one.size[1],
                "height": one.size[0],
                "rows": one.grid.rows,
                "columns": one.grid.columns,
                "patch": one.grid.patch,
                "stride": one.grid.stride,
                "gridWidth": one.grid.width,
                "gridHeight": one.grid.height,
                "axes": numbers.shape[1],
            }
            for name, one, (numbers, _) in zip(names, described, coded, strict=True)
        ],
    }
    data = [json_element("facts", facts)]
    for pixels, (numbers, scale) in zip(pictures, coded, strict=True):
        data.append(bytes_element("picture", _jpeg(pixels)))
        data.append(bytes_element("descriptors", numbers.tobytes()))
        data.append(bytes_element("scale", scale.astype("<f4").tobytes()))
    told = {"policy": policy, "title": title, "style": style, "script": script, "data": "".join(data)}
    text = filled(_text("template.html"), told)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _along_axes(descriptors: Sequence[torch.Tensor]) -> list[Floats]:
    """Descriptors (n, D) of several pictures along the same few axes, (n, axes): products stay nearly the same."""
    some = torch.cat([one[:: max(1, -(-len(one) // _SAMPLE))].double() for one in descriptors])
    axes = torch.linalg.eigh(some.T @ some)[1][:, -_AXES:].float() if min(some.shape) > _AXES else None
    return [np.asarray((one if axes is None else one @ axes).cpu().numpy(), dtype=np.float32) for one in descriptors]


def _coded(rows: Floats) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int8]], Floats]:
    """Rows (n, axes) as int8, each with a scale (n,) of its own."""
    scale = np.maximum(np.abs(rows).max(axis=1), 1e-12) / 127
    return np.rint(rows / scale[:, None]).astype(np.int8), scale


def _jpeg(pixels: Pixels) -> bytes:
    image = Image.fromarray(pixels)
    image.thumbnail((_LONG, _LONG), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _text(name: str) -> str:
    return (files(__package__) / "similarity" / name).read_text(encoding="utf-8")

"""One picture of what the layers and facets of a ViT know: the paper's figure of principal components."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ..config import Facet
from ..devices import on_all_cores
from ..features import Features
from ..frames import FrameBatch, Pixels
from ..resize import resize
from ..vit.extractor import ViTExtractor
from .components import add_patches
from .incremental import IncrementalPCA
from .pictures import filled_in, planes

_CELL = 192  # height of a cell in pixels
_GAP = 6
_TEXT = 20  # height of letters
_HEAD = 34  # of the line above the cells
_SIDE = 104  # width of the column beside them
_MOST_WIDE = 2.5  # times its height that a cell is wide at most


def layers_and_facets(
    pictures: Sequence[FrameBatch],
    extractor: ViTExtractor,
    layers: Sequence[int],
    facets: Sequence[Facet],
    *,
    chances: Sequence[torch.Tensor] | None = None,
    each: bool = False,
    on_cell: Callable[[int], None] | None = None,
) -> Pixels:
    """The first three components of each layer and facet as red, green and blue: a row a layer, a column a facet.

    Args:
        pictures: of one picture each, shown one below the other. All features of a cell are in memory together.
        extractor: whose model is looked at.
        layers: blocks, from 0.
        facets: of each.
        chances: how likely each patch is on the object, (1, h, w) a picture; all else is left black. None: everything
            is shown.
        each: whether each picture has components of its own, and not all together.
        on_cell: called with 1 when a layer's facet has been done for all pictures.

    Returns:
        (y, x, 3) uint8.

    Raises:
        SettingsError: the model has no such block.
        FitError: too few patches.
    """
    cells: list[list[list[Pixels]]] = [[] for _ in pictures]  # by picture, layer, facet
    wanted = ((layer, facet, picture) for layer in layers for facet in facets for picture in pictures)

    def extract(one: tuple[int, Facet, FrameBatch]) -> Features:
        layer, facet, picture = one
        return extractor.at(layer, facet).extract(picture.pixels)

    with closing(on_all_cores(extract, wanted, extractor.device)) as extracted:
        for _ in layers:
            for rows in cells:
                rows.append([])
            for _ in facets:
                features = list(islice(extracted, len(pictures)))
                for rows, cell in zip(cells, _row(pictures, features, chances, each), strict=True):
                    rows[-1].append(cell)
                if on_cell is not None:
                    on_cell(1)
    blocks = [_block(*one, layers, facets) for one in zip(pictures, cells, strict=True)]
    width = max(block.width for block in blocks)
    sheet = Image.new("RGB", (width, sum(block.height for block in blocks)), "white")
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return np.array(sheet)


def _row(
    pictures: Sequence[FrameBatch],
    features: Sequence[Features],
    chances: Sequence[torch.Tensor] | None,
    each: bool,
) -> list[Pixels]:
    """One layer's facet of each picture."""
    of: Sequence[torch.Tensor | None] = [None] * len(pictures) if chances is None else chances
    pcas = [IncrementalPCA() for _ in pictures] if each else [IncrementalPCA()] * len(pictures)
    for one in zip(pcas, features, of, strict=True):
        add_patches(*one)
    cells = []
    for pca, some, chance, picture in zip(pcas, features, of, pictures, strict=True):
        shades = pca.components(3).shades(some.descriptors[0])
        size = _cell_size(picture)
        matte = None
        if chance is not None:
            shades = filled_in(shades, chance[0])
            matte = torch.from_numpy(planes(chance[0][..., None], some.grid, size)[0])
        cells.append(planes(shades, some.grid, size, matte).transpose(1, 2, 0))
    return cells


def _cell_size(picture: FrameBatch) -> tuple[int, int]:
    """(height, width): a cell is as high as all others, but for very wide pictures."""
    height, width = picture.size
    scale = min(_CELL / height, _CELL * _MOST_WIDE / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _block(
    picture: FrameBatch, rows: Sequence[Sequence[Pixels]], layers: Sequence[int], facets: Sequence[Facet]
) -> Image.Image:
    """One picture with its cells: itself on the left, names above and beside the cells."""
    height, width = _cell_size(picture)
    left = width + _SIDE
    size = (left + len(facets) * (width + _GAP), _HEAD + len(layers) * (height + _GAP))
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    small = resize(torch.from_numpy(picture.pixels), (height, width), "bicubic")[0].permute(1, 2, 0).numpy()
    sheet.paste(Image.fromarray(np.ascontiguousarray(small)), (0, _HEAD))
    for column, facet in enumerate(facets):
        at = left + column * (width + _GAP) + width // 2
        draw.text((at, _HEAD // 2), facet, "black", font, anchor="mm")
    for row, (layer, cells) in enumerate(zip(layers, rows, strict=True)):
        top = _HEAD + row * (height + _GAP)
        draw.text((left - _GAP * 2, top + height // 2), f"layer {layer}", "black", font, anchor="rm")
        for column, cell in enumerate(cells):
            sheet.paste(Image.fromarray(np.ascontiguousarray(cell)), (left + column * (width + _GAP), top))
    return sheet

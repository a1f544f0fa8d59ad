"""Which parts cover each pixel, the one that covers most first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...frames import Pixels

Keys = npt.NDArray[np.uint16]

_LAST = 255


def ranked(mattes: Pixels, ranks: int) -> Keys:
    """The first ``ranks`` parts of every pixel, as keys that `split` takes apart.

    Sorting by insertion, with whole planes: 3 ms for four mattes of 1280 x 720, where `numpy.argsort` takes 100.

    Args:
        mattes: (K, H, W), K up to 255: how much of each pixel a part covers.
        ranks: how many parts of a pixel to keep.

    Returns:
        (ranks, H, W): the coverage times 256, plus 255 less the part's place among the K; so of two parts that cover
        as much, the first comes first. Below 256 where no part is left.
    """
    keys = np.zeros((ranks, *mattes.shape[1:]), np.uint16)
    for k, matte in enumerate(mattes):
        rows = np.flatnonzero(matte.any(axis=1))
        if len(rows) == 0:
            continue
        band = slice(rows[0], rows[-1] + 1)
        new = matte[band].astype(np.uint16) << 8
        new |= np.uint16(_LAST - k)
        for rank in range(min(k + 1, ranks)):
            here = keys[rank, band]
            less = np.minimum(here, new)
            np.maximum(here, new, out=here)
            new = less
    return keys


def split(keys: Keys) -> tuple[npt.NDArray[np.intp], Pixels]:
    """Keys of at least 256 as (places among the K, coverages)."""
    return _LAST - (keys & 255).astype(np.intp), (keys >> 8).astype(np.uint8)

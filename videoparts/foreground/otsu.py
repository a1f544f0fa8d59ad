"""Otsu's threshold."""

from __future__ import annotations

import numpy as np

from .evidence import Values

_BINS = 256


def otsu(values: Values) -> float:
    """The threshold that parts values (n,) into two classes with the least variance within (Otsu 1979)."""
    count, edges = np.histogram(values, _BINS)
    share = count / max(1, count.sum())
    centre = (edges[1:] + edges[:-1]) / 2
    below, mean = np.cumsum(share), np.cumsum(share * centre)
    between = (mean[-1] * below - mean) ** 2 / np.maximum(below * (1 - below), 1e-12)
    # Where nothing lies between the classes, every threshold there is as good: then the middle.
    return float(centre[between == between.max()][[0, -1]].mean())

"""What holds a stage back."""

from __future__ import annotations

from .measuring import Measured
from .spending import cpus, walls

_NEAR = 0.6  # share of a limit from which on it is that limit that holds a stage back
_ONE = 1.3  # cores at work, up to which they count as one


def held_back_by(measured: Measured, stage: str) -> str:
    """In a few words: a limit of the machine that is near, else what is left."""
    if stage == "extract":
        near = measured.of_limit(stage).median >= _NEAR
        return "matrix products" if near else "work between the products"
    if measured.of_limit(stage).median >= _NEAR:
        return "memory"
    at_work = cpus(measured.spent[stage]).median / max(walls(measured.spent[stage]).median, 1e-9)
    one = measured.cores > 1 and at_work <= _ONE
    if stage in ("decode", "encode"):
        return "the codec, on one core" if one else "the codec"
    return "arithmetic, on one core" if one else "arithmetic"


def slowest(measured: Measured) -> str:
    """The stage with most of the work."""
    return max((stage for stage in measured.spent if stage != "resize"), key=measured.share)

"""Data classes of arrays or tensors are not compared field by field, which would raise: they can be put into sets."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from typing import Any, get_args, get_origin

import numpy as np
import pytest
import torch

import videoparts
from videoparts.features import Features
from videoparts.frames import FrameBatch
from videoparts.grid import Grid
from videoparts.masks import PartMasks


def of_arrays(hint: Any) -> bool:
    """Whether that annotation allows an array, a tensor, or a mapping or sequence of them."""
    kinds = (np.ndarray, torch.Tensor)
    return hint in kinds or get_origin(hint) in kinds or any(map(of_arrays, get_args(hint)))


def resolved(annotation: str, module: Any) -> Any:
    try:
        return eval(annotation, vars(module))
    except (NameError, TypeError):  # of names for type checkers alone, and array.array[int]
        return None


def public_data_classes() -> Iterator[tuple[Any, type[Any]]]:
    for found in pkgutil.walk_packages(videoparts.__path__, "videoparts."):
        if not found.name.startswith("videoparts.pipelines"):
            module = importlib.import_module(found.name)
            for name, kind in vars(module).items():
                if is_dataclass(kind) and kind.__module__ == found.name and not name.startswith("_"):  # type: ignore[attr-defined]
                    yield module, kind  # type: ignore[misc]


def test_all_that_hold_arrays_are_compared_by_identity() -> None:
    holding = {
        kind
        for module, kind in public_data_classes()
        if any(of_arrays(resolved(str(field.type), module)) for field in fields(kind))
    }
    assert len(holding) > 25
    params = {kind: kind.__dataclass_params__ for kind in (*holding, videoparts.PartModel)}
    assert [kind.__name__ for kind, asked in params.items() if asked.eq] == []


def made() -> list[Any]:
    frames = FrameBatch(np.zeros((2, 4, 4, 3), np.uint8), np.arange(2), np.arange(2), Fraction(1, 25))
    return [
        frames,
        PartMasks(frames, np.zeros((2, 4, 4), np.uint8)),
        Features(torch.zeros(2, 2, 2, 3), Grid.fit((4, 4), 4, 2, 2)),
    ]


@pytest.mark.parametrize("one", made(), ids=lambda one: type(one).__name__)
def test_to_compare_does_not_raise(one: Any) -> None:
    assert one == one
    assert one != replace(one)
    assert {one, replace(one), one} > {one}

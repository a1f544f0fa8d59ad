"""The examples in docstrings tell the truth."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest
from places import ROOT

WITH_EXAMPLES = [
    path.relative_to(ROOT)
    for package in ("videoparts", "pipelines")
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>>" in path.read_text()
]


def test_there_are_some() -> None:
    assert len(WITH_EXAMPLES) > 10


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples(path: Path) -> None:
    parts = path.with_suffix("").parts
    module = ".".join(parts if parts[0] == "videoparts" else ("videoparts", *parts)).removesuffix(".__init__")
    failed, tried = doctest.testmod(import_module(module))
    assert tried
    assert not failed

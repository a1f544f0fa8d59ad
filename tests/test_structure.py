"""The house: what imports what, and that all of it is installed."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from places import ROOT

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib  # type: ignore[no-redef]

LIBRARY, PIPELINES = ROOT / "videoparts", ROOT / "pipelines"


def imported(path: Path) -> Iterator[str]:
    """What a file imports, wherever in it; of its own project with all dots: ``videoparts.files.atomic``."""
    inside = ["videoparts", *path.relative_to(LIBRARY if LIBRARY in path.parents else ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else []
            module = [*above, *(node.module or "").split(".")]
            yield from (".".join([*filter(None, module), name.name]) for name in node.names)


def room(module: str) -> str:
    """The package of the library, or the file right in it, in which a module lies."""
    return ".".join(module.split(".")[:2])


def test_rooms_import_in_one_direction() -> None:
    known = {f"videoparts.{path.stem}" for path in LIBRARY.iterdir() if path.stem != "__init__"}
    below = defaultdict(set)
    for path in LIBRARY.rglob("*.py"):
        here = room(".".join(["videoparts", *path.relative_to(LIBRARY).with_suffix("").parts]))
        if here != "videoparts.__init__":
            below[here] |= {room(name) for name in imported(path)} & known - {here}
    assert len(below) > 30
    assert sum(map(len, below.values())) > 100
    tuple(TopologicalSorter(below).static_order())  # raises where there is a circle, and names it


def test_the_library_does_not_know_the_commands() -> None:
    assert not [path for path in LIBRARY.rglob("*.py") for name in imported(path) if "pipelines" in name]


@pytest.mark.parametrize(
    ("package", "who"),
    [
        ("faiss", {"clustering.py"}),
        ("timm", {"vit"}),
        ("openvino", {"vit"}),
        ("threadpoolctl", {"one_thread.py"}),
        ("decord", {"sources"}),
        ("tyro", set()),
    ],
)
def test_one_room_of_the_library_knows_a_package(package: str, who: set[str]) -> None:
    knows = [path for path in LIBRARY.rglob("*.py") if any(name.split(".")[0] == package for name in imported(path))]
    assert {path.relative_to(LIBRARY).parts[0] for path in knows} == who


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = [path.parent for folder in (LIBRARY, PIPELINES) for path in folder.rglob("__init__.py")]
    names = [".".join(path.relative_to(ROOT).parts) for path in found]
    assert sorted(listed) == sorted(name if name.startswith("videoparts") else f"videoparts.{name}" for name in names)

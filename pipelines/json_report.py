"""Figures as JSON, in a file or on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videoparts.errors import OutputError
from videoparts.files.atomic import AtomicFile, atomic_file

STDOUT = Path("-")  # as people name it


def check_json(path: Path | None) -> None:
    """Say before the work, and not after, why the file cannot be written."""
    if path is None or path == STDOUT:
        return
    if path.suffix.lower() != ".json":
        raise OutputError(f"{path}: figures are written to a file that ends in .json; with - to standard output")
    trial = AtomicFile(path)
    trial.start()
    trial.discard()


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Write a report to a file, or to standard output if that is what the path names.

    Raises:
        OutputError: the file cannot be written; nothing is left under its name.
    """
    text = json.dumps(report, indent=2, allow_nan=False) + "\n"
    if path == STDOUT:
        sys.stdout.write(text)
    else:
        with atomic_file(path) as temporary:
            temporary.write_text(text)

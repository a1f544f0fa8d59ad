"""Figures as JSON, in a file or on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videoparts.files.atomic import atomic_file

STDOUT = Path("-")  # as people name it


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

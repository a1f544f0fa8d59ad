"""The clips of a folder that have a ground truth: what those scripts share that measure on such a folder."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path


def add_data(parser: argparse.ArgumentParser) -> None:
    """Let a script be told a folder of clips, and which of them."""
    parser.add_argument("data", type=Path, help="a folder of clips, each with frames/ and masks/")
    parser.add_argument("--clips", nargs="+", help="only these")


def given_clips(parser: argparse.ArgumentParser, data: Path, only: Collection[str] | None) -> list[Path]:
    """The clips of a folder, by name, one at least; the script ends with a line where there is none.

    Args:
        parser: the script's.
        data: holds a folder for each clip, with frames/ and masks/.
        only: the names of those that are wanted; None: all.
    """
    if not data.is_dir():
        parser.error(f"{data}: there is no such folder; give one of clips, each with frames/ and masks/")
    clips = sorted(path for path in data.iterdir() if (path / "frames").is_dir() and (path / "masks").is_dir())
    if not clips:
        parser.error(f"{data}: holds no clip; each is a folder with frames/ and masks/")
    names = [clip.name for clip in clips]
    if unknown := set(only or ()) - set(names):
        parser.error(f"{data}: holds no clip {', '.join(sorted(unknown))}, but {', '.join(names)}")
    return [clip for clip in clips if not only or clip.name in only]

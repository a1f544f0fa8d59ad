"""Where things are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
HELPERS = Path(__file__).parent
SHARED = ROOT.parent / "shared"  # footage with its truth, where the checkout has it beside it

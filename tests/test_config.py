"""Settings refuse what they cannot mean when they are made."""

from __future__ import annotations

from typing import Any

import pytest

from videoparts.config import MOST_PARTS, FitSettings
from videoparts.errors import SettingsError


@pytest.mark.parametrize("parts", ["6", "many", 2.5, 0, MOST_PARTS + 1, None])
def test_parts_are_a_number_or_auto(parts: Any) -> None:
    with pytest.raises(SettingsError, match=rf"--parts must be 1 to {MOST_PARTS} or auto, got "):
        FitSettings(parts=parts)


@pytest.mark.parametrize("parts", ["auto", 1, MOST_PARTS])
def test_these_are_fine(parts: Any) -> None:
    assert FitSettings(parts=parts).parts == parts

"""Text of the pages that are written: templates filled in, and what a Content-Security-Policy knows a script by."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping


def filled(template: str, told: Mapping[str, str]) -> str:
    """A template with ``{{name}}`` replaced by what is told under that name.

    In one pass: what is put in is never looked at again, whatever it says.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda found: told[found[1]], template)


def policy_hash(text: str) -> str:
    """The content of a style or script element, as a Content-Security-Policy allows it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def ascii_text(text: str) -> str:
    """With references for all other characters, so that names that are no proper text can be told too."""
    return text.encode("ascii", "xmlcharrefreplace").decode()

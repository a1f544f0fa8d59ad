"""The text of the viewer's page: its template with styles and scripts put in, in pieces around what is embedded."""

from __future__ import annotations

import base64
import html
import json
from importlib.resources import files

from .page_text import ascii_text, filled, policy_hash

_SCRIPTS = ("store.js", "parts.js", "player.js", "screen.js", "list.js", "page.js")  # in the order they need


def around(title: str) -> tuple[str, str]:
    """The page before and after its embedded data.

    The Content-Security-Policy allows this style sheet and this script by their hashes, the picture from memory,
    and nothing else: no network.
    """
    style = _text("page.css")
    script = '"use strict";\n' + "\n".join(_text(name) for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; script-src '{policy_hash(script)}'; style-src '{policy_hash(style)}'; "
        "img-src data: blob:; media-src blob:; base-uri 'none'; form-action 'none'"
    )
    told = {"policy": policy, "title": ascii_text(html.escape(title)), "style": style, "script": script}
    before, after = _text("template.html").split("{{data}}")
    return filled(before, told), filled(after, told)


def json_element(identifier: str, content: object) -> str:
    """An element that holds JSON in plain ASCII. No text in ``content`` can end it or become markup."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    for sign in "<>&":  # only ever inside of strings
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{identifier}">{text}</script>\n'


def bytes_element(kind: str, content: bytes) -> str:
    """An element that holds bytes, for the script to find by its class."""
    return f'<script type="text/plain" class="{kind}">{base64.b64encode(content).decode()}</script>\n'


def _text(name: str) -> str:
    return (files(__package__) / "page" / name).read_text(encoding="utf-8")

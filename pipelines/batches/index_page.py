"""The contact sheet of a batch: a page with a card for each clip, which needs neither a server nor the network.

It is complete as it is written; its script only finds and orders the cards.
"""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from urllib.parse import quote

from videoparts.counted import counted
from videoparts.masks import Part
from videoparts.sinks.pages.page_text import ascii_text, filled, policy_hash
from videoparts.sinks.pages.viewer import NAME as VIEWER

from .contact import FILE as CONTACT
from .rows import STATUSES, Facts, Told


def page(told: Sequence[Told], *, parts_shared: bool) -> Iterator[str]:
    """The page, piece by piece, in plain ASCII.

    The Content-Security-Policy allows this style sheet and this script by their hashes, pictures that lie beside the
    page, and nothing else.

    Args:
        told: the clips.
        parts_shared: whether a part means the same in every clip: then names are told once, above the cards.
    """
    legend = _legend(told) if parts_shared else ()
    style, script = _read("sheet.css") + _colours(told), _read("sheet.js")
    policy = (
        f"default-src 'none'; script-src '{policy_hash(script)}'; style-src '{policy_hash(style)}'; "
        "img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
    )
    about = {
        "policy": policy,
        "style": style,
        "script": script,
        "title": counted(len(told), "clip", form=","),
        "summary": _summary(told),
        "statuses": _statuses(told),
        "legend": _legend_element(legend),
    }
    before, after = _read("template.html").split("{{clips}}")
    yield filled(before, about)
    for one in told:
        yield _card(one, legend)
    yield filled(after, about)


def _card(told: Told, legend: Sequence[Part]) -> str:
    row, facts = told.row, told.facts
    name = f"<bdi>{_text(row.name)}</bdi>"
    folder = f"{_address(row.name)}/"
    values = f' data-coverage="{facts.coverage:f}" data-frames="{facts.frames}"' if facts else ""
    return "".join(
        (
            f'<li class="clip {told.status}" data-status="{told.status}"{values}>\n',
            _picture(told, folder),
            f'<div class="line"><h2>{_link(folder + VIEWER, name) if told.viewer else name}</h2>',
            f'<span class="badge">{told.status}</span></div>\n<div class="line">',
            _facts(facts) if facts else "<p></p>",
            _link(folder, "Folder", f"Folder of {row.name}") if told.folder else "",
            "</div>\n",
            _parts(facts, legend) if facts else "",
            "</li>\n",
        )
    )


def _picture(told: Told, folder: str) -> str:
    if not told.picture:
        why = told.error or {"done": "There is no picture.", "waiting": "Not done yet."}.get(told.status, "")
        return f'<p class="picture">{_text(why)}</p>\n'
    alt = f"A frame of {told.row.name}, and the same frame with its parts in colour"
    image = f'<img src="{folder}{CONTACT}" alt="{_text(alt)}" loading="lazy" decoding="async">'
    # The name is a link to the same page: one stop for the tabulator key is enough.
    link = f'<a href="{folder}{VIEWER}" tabindex="-1">{image}</a>' if told.viewer else image
    tall = " tall" if told.facts and told.facts.height > told.facts.width else ""
    return f'<div class="picture{tall}">{link}</div>\n'


def _facts(facts: Facts) -> str:
    told = (
        counted(facts.frames, "frame", form=","),
        f"{facts.width}&#8239;&#215;&#8239;{facts.height}",
        _duration(facts.seconds),
        f"{_percent(facts.coverage)} covered",
    )
    return f'<p class="facts">{_items(told)}</p>'


def _parts(facts: Facts, legend: Sequence[Part]) -> str:
    chips = []
    for part, share in facts.parts:
        # In the legend already: the eye has its colour, and the name is for those who do not see it.
        told = f'<span class="{"unseen" if part in legend else "name"}">{_text(part.name)}</span>'
        kind = "part" if share else "part absent"
        chips.append(f'<li class="{kind}">{_swatch(part)}{told} <span class="quiet">{_percent(share)}</span></li>')
    return (
        f'<ul class="parts" aria-label="Parts">{"".join(chips)}</ul>\n' if chips else '<p class="quiet">No parts</p>\n'
    )


def _legend(told: Sequence[Told]) -> tuple[Part, ...]:
    """Of each number the part that most clips have: edits may have changed some."""
    counts = Counter(part for one in told if one.facts for part, _ in one.facts.parts)
    usual: dict[int, Part] = {}
    for part, _ in counts.most_common():
        usual.setdefault(part.number, part)
    return tuple(usual[number] for number in sorted(usual))


def _legend_element(parts: Sequence[Part]) -> str:
    if not parts:
        return ""
    chips = (f'<li class="part">{_swatch(part)}<span class="name">{_text(part.name)}</span></li>' for part in parts)
    return (
        '<div id="legend"><p id="legend-title" class="quiet">Parts, the same in every clip</p>'
        f'<ul class="parts" aria-labelledby="legend-title">{"".join(chips)}</ul></div>\n'
    )


def _summary(told: Sequence[Told]) -> str:
    known = [one.facts for one in told if one.facts]
    found = [f"{count:,} {status}" for status, count in _by_status(told)]
    frames = sum(facts.frames for facts in known)
    whole = [counted(frames, "frame", form=","), _duration(sum(facts.seconds for facts in known))] if known else []
    return _items([*found, *whole])


def _statuses(told: Sequence[Told]) -> str:
    """The choices of the status to be shown."""
    choices = [("", "All", len(told)), *((status, status.title(), count) for status, count in _by_status(told))]
    return "".join(
        f'<label><input type="radio" name="status" value="{status}"{"" if status else " checked"}>'
        f"<span>{title} <small>{count:,}</small></span></label>"
        for status, title, count in choices
    )


def _by_status(told: Sequence[Told]) -> list[tuple[str, int]]:
    counts = Counter(one.status for one in told)
    return [(status, counts[status]) for status in STATUSES if counts[status]]


def _colours(told: Sequence[Told]) -> str:
    """A class for each colour: the policy allows no style in an element."""
    colours = sorted({_hex(part) for one in told if one.facts for part, _ in one.facts.parts})
    return "".join(f".c{colour} {{ background: #{colour}; }}\n" for colour in colours)


def _swatch(part: Part) -> str:
    return f'<i class="c{_hex(part)}"></i>'


def _hex(part: Part) -> str:
    return bytes(part.colour).hex()


def _link(address: str, content: str, label: str = "") -> str:
    told = f' aria-label="{_text(label)}"' if label else ""
    return f'<a href="{address}"{told}>{content}</a>'


def _address(name: str) -> str:
    """A folder beside the page as a relative address; the bytes of its name whatever they are."""
    return quote(os.fsencode(name))


def _text(text: str) -> str:
    return ascii_text(html.escape(text))


def _items(told: Sequence[str]) -> str:
    return " ".join(f"<span>{one}</span>" for one in told)


def _percent(share: float) -> str:
    return f"{share * 100:.1f}&#8239;%"


def _duration(seconds: float) -> str:
    """Seconds below a minute, else hours, minutes and seconds.

    >>> _duration(3.24), _duration(59.97), _duration(3725.0)
    ('3.2 s', '1:00', '1:02:05')
    """
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"


def _read(name: str) -> str:
    return (files(__package__) / "sheet" / name).read_text(encoding="ascii")

"""What help says, and how."""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import pairwise

import pytest
from videoparts.pipelines.command_line import COMMANDS, parse
from videoparts.pipelines.help_texts import describe, summary
from videoparts.pipelines.main import main

from videoparts.errors import SettingsError


def help_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines, without their frames."""
    with pytest.raises(SystemExit) as stop:
        parse([*arguments, "--help"])
    assert not stop.value.code
    return [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]


def test_the_list_says_each_command_and_no_more_than_its_first_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(" ".join(help_of([], capsys)).split())
    for name, kind in COMMANDS.items():
        assert f"• {name} {summary(kind)}" in said
    assert "goes on where it was" not in said


@pytest.mark.parametrize("name", COMMANDS)
def test_lines_end_where_they_are_full(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    width = 100
    monkeypatch.setenv("COLUMNS", str(width))
    lines = help_of([name], capsys)
    for line, following in pairwise(lines):
        goes_on = re.match(r"\(?[a-z0-9]", following) and re.search(r"[a-z0-9,]$", line) and " " in line
        if goes_on and not line.startswith(("-", "PATH", "usage")):
            assert len(line) + 1 + len(following.split()[0]) > width - 26, (line, following)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_wider_than_the_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    usage, *lines = help_of([name], capsys)
    assert usage.startswith(f"usage: videoparts {name} ")
    assert max(map(len, lines)) <= 80
    assert "\n".join(lines).count("\n\n\n") == 0
    assert " ".join((COMMANDS[name].__doc__ or "").split()) in " ".join(" ".join(lines).split())  # not a word is lost


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_says_that_an_option_is_none(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(help_of([name], capsys))
    assert not re.search(r"{None}|default: (?:None|none|)\)|\[\[", said)


def test_what_is_required_and_what_has_a_default_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(" ".join(help_of(["correspond"], capsys)).split())
    assert said.startswith("usage: videoparts correspond [-h] [OPTIONS] PATH ... ")
    assert "--layer INT" in said
    assert "--points PATH" in said
    assert "of any sizes. (required)" in said
    assert "-o PATH, --output PATH The folder to write into. (required)" in said
    assert "(default: 448)" in said


def test_a_part_of_a_docstring_stays_a_paragraph() -> None:
    class Some:
        """Say something
        in two lines.

        And more.
        """

    assert summary(Some) == "Say something in two lines."


def test_help_texts_are_those_of_all_fields() -> None:
    for kind in COMMANDS.values():
        describe(kind)
        for field in fields(kind):
            assert field.metadata.get("help") or "Settings" in str(field.type), (kind, field.name)


@pytest.mark.parametrize(
    ("name", "said"),
    [("maks", "'maks' is no command, but masks is; see"), ("clip.mp4", "'clip.mp4' is no command; see")],
)
def test_what_is_no_command(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match=said):
        parse([name])
    assert main([name]) == 2
    assert capsys.readouterr().err == f"videoparts: {said} videoparts --help\n"

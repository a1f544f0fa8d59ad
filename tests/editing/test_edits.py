from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from videoparts.editing.edits import (
    Drop,
    Edit,
    Edition,
    Merge,
    Recolor,
    Rename,
    Reorder,
    Smooth,
    Split,
    load_edits,
    save_edits,
)
from videoparts.errors import SettingsError
from videoparts.masks import Part

PARTS = tuple(Part(k, f"part{k}", (k, k, k)) for k in range(1, 5))
EVERYTHING = np.arange(5, dtype=np.uint8)

# A tree whose cuts of 4, 5 and 6 parts divide each other: which coarser part each finer one lies in.
_WITHIN = {(4, 1): (1, 1, 1, 1), (4, 2): (1, 1, 2, 2), (4, 3): (1, 1, 2, 3), (5, 1): (1,) * 5, (5, 2): (1, 1, 1, 2, 2)}
_WITHIN |= {(5, 3): (1, 1, 1, 2, 3), (6, 1): (1,) * 6, (6, 2): (1, 1, 1, 2, 2, 2), (6, 3): (1, 1, 1, 2, 2, 3)}
_WITHIN |= {(4, 4): (1, 2, 3, 4), (5, 4): (1, 1, 2, 3, 4), (6, 5): (1, 2, 3, 4, 4, 5), (6, 4): (1, 1, 2, 3, 3, 4)}


def coarser(fine: int, coarse: int) -> tuple[int, ...]:
    if fine == coarse:
        return tuple(range(1, fine + 1))
    if fine > 6:
        raise SettingsError("this model has 1 to 6 parts")
    return _WITHIN[fine, coarse]


def after(*edits: Edit, edition: Edition | None = None) -> Edition:
    return (edition or Edition.of(PARTS)).after(edits, coarser)


def named(edition: Edition) -> dict[int, str]:
    return {part.number: part.name for part in edition.parts}


def test_nothing_edited_is_what_was_found() -> None:
    assert np.array_equal(after().labels(EVERYTHING), EVERYTHING)
    hidden = Edition.of(PARTS, frozenset({2}))
    assert named(hidden) == {1: "part1", 3: "part3", 4: "part4"}
    assert hidden.labels(EVERYTHING).tolist() == [0, 1, 0, 3, 4]


def test_a_merge_keeps_the_first_number_and_all_others_keep_theirs() -> None:
    edition = after(Rename(1, "head"), Merge((3, 2), "body"), Drop((4,)), Recolor(3, "#3fA7d6"))
    assert named(edition) == {1: "head", 3: "body"}
    assert edition.labels(EVERYTHING).tolist() == [0, 1, 3, 3, 0]
    assert edition.parts[1].colour == (63, 167, 214)


def test_a_merge_without_a_name_keeps_the_first_ones() -> None:
    assert named(after(Rename(2, "leg"), Merge((2, 1)))) == {2: "leg", 3: "part3", 4: "part4"}


def test_a_part_that_is_merged_takes_the_name_of_a_member() -> None:
    assert named(after(Rename(1, "tail"), Merge((3, 1), "tail"))) == {2: "part2", 3: "tail", 4: "part4"}


def test_reorder_numbers_anew() -> None:
    edition = after(Drop((2,)), Reorder((4, 1)))
    assert named(edition) == {1: "part4", 2: "part1", 3: "part3"}
    assert edition.labels(EVERYTHING).tolist() == [0, 2, 0, 3, 1]


def test_smooth() -> None:
    assert after(Smooth(5)).window == 5
    assert after(Smooth(5), Smooth(0)).window == 0


def test_a_split_goes_as_fine_as_it_must() -> None:
    edition = after(Split(1, 2))
    assert edition.levels == (4, 5)
    assert named(edition) == {1: "part1", 2: "part2", 3: "part3", 4: "part4", 5: "part1-5"}
    assert edition.labels(np.arange(6, dtype=np.uint8)).tolist() == [0, 1, 5, 2, 3, 4]
    further = after(Split(3, 2), edition=edition)
    assert further.levels == (4, 5, 6)
    assert further.labels(np.arange(7, dtype=np.uint8)).tolist() == [0, 1, 5, 2, 3, 6, 4]


def test_a_merged_part_is_split_into_what_it_was_made_of() -> None:
    edition = after(Merge((2, 4), "body"), Split(2, 2))
    assert edition.levels == (4,)
    assert named(edition) == {1: "part1", 2: "body", 3: "part3", 4: "body-4"}
    assert edition.labels(EVERYTHING).tolist() == EVERYTHING.tolist()
    assert named(after(Merge((1, 4)), Split(1, 2))) == {1: "part1", 2: "part2", 3: "part3", 4: "part1-4"}


def test_a_part_of_several_labels_is_split_as_the_tree_joins_them() -> None:
    edition = after(Merge((1, 2, 3)), Split(1, 2))
    assert edition.levels == (4,)
    assert edition.labels(EVERYTHING).tolist() == [0, 1, 1, 5, 4]
    levels = Edition.of(PARTS[:2], within=(1, 1, 2, 2))  # two parts are shown of the four that were labelled
    assert levels.after([Split(2, 2)], coarser).labels(EVERYTHING).tolist() == [0, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: [Rename(7, "x")], "rename 7=x: there is no part 7; there are 1, 2, 3, 4"),
        (lambda: [Rename(1, "head"), Drop((7,))], r"there are 1 \(head\), 2, 3, 4"),
        (lambda: [Rename(1, "part2")], "rename 1=part2: another part is called part2"),
        (lambda: [Rename(1, "a,b")], 'name cannot be "a,b"; give a line of text that is no number and has no comma'),
        (lambda: [Rename(1, "3")], 'name cannot be "3"'),
        (lambda: [Merge((1, 2), "part3")], "another part is called part3"),
        (lambda: [Merge((1, 2), "2,3")], 'name cannot be "2,3"'),
        (lambda: [Merge((1,))], "merge 1: name two parts or more"),
        (lambda: [Merge((1, 1))], "merge 1,1: a part is named twice"),
        (lambda: [Drop((1,)), Rename(1, "x")], "there is no part 1"),
        (lambda: [Drop((1, 2, 3, 4))], "leaves no part"),
        (lambda: [Drop((1, 1))], "drop 1,1: a part is named twice"),
        (lambda: [Recolor(1, "red")], "'red' is no colour"),
        (lambda: [Smooth(4)], "smooth 4: give an odd number"),
        (lambda: [Smooth(-1)], "smooth -1: give an odd number"),
        (lambda: [Split(2, 2)], "split 2 into 2: the part model cannot divide it"),
        (lambda: [Split(1, 3)], "the part model tells 2 parts of it; divide it into 2 or fewer"),
        (lambda: [Split(1, 1)], "divide it into 2 parts or more"),
        (lambda: [Reorder((1, 1))], "a part is named twice"),
    ],
)
def test_what_cannot_be_done_says_why(make: Callable[[], list[Edit]], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        after(*make())


def test_parts_are_found_by_number_and_by_name() -> None:
    edition = after(Rename(3, "left ear"))
    assert edition.number_of("left ear") == edition.number_of("3") == edition.number_of("03") == 3
    with pytest.raises(SettingsError, match="there is no part 9"):
        edition.number_of("9" * 5000)
    with pytest.raises(SettingsError, match=r"there is no part ear; there are 1, 2, 3 \(left ear\), 4"):
        edition.number_of("ear")


def test_edits_are_a_line_each_and_come_back(tmp_path: Path) -> None:
    edits: list[Edit] = [
        Rename(1, 'Kopf "<b>"'),
        Merge((2, 3), "body"),
        Merge((1, 2)),
        Drop((4,)),
        Recolor(1, "#3fa7d6"),
        Reorder((2, 1)),
        Smooth(5),
        Split(1, 2),
    ]
    file = tmp_path / "edits.json"
    save_edits(file, edits, "abc")
    assert load_edits(file) == (edits, "abc")
    assert len(file.read_text().splitlines()) == len(edits) + 2
    save_edits(file, [])
    assert load_edits(file) == ([], None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "no file of edits"),
        ({"format": "videoparts.edits/2", "edits": []}, "no file of edits"),
        ([{"do": "paint"}], "do is one of rename, merge"),
        ([{"do": "rename", "part": 1}], "name is missing"),
        ([{"do": "rename", "part": "1", "name": "x"}], 'part cannot be "1"'),
        ([{"do": "rename", "part": 1, "name": "a\nb"}], "name cannot be"),
        ([{"do": "rename", "part": 1, "name": ""}], "name cannot be"),
        ([{"do": "drop", "parts": []}], "parts cannot be"),
        ([{"do": "drop", "parts": [True]}], "parts cannot be"),
        ([{"do": "recolor", "part": 1, "colour": "#12"}], "is no colour"),
        ([{"do": "drop", "parts": [1], "more": 1}], "more is unknown"),
        (["drop"], "no edit"),
        ([{"do": ["drop"]}], "do is one of"),
        ([{"do": "rename", "part": 1, "name": "a,b"}], 'name cannot be "a,b"'),
        ([{"do": "drop", "parts": [1, 1]}], "a part is named twice"),
        ([{"do": "drop", "parts": [*range(1, 999), 1]}], r"\.\.\. \("),
        ({"format": "videoparts.edits/1", "edits": [], "part_model": 3}, "no file of edits"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('{"format": "videoparts.edits/1", "edits": [' + "[" * 400 + "]" * 400 + "]}", "no edit"),
    ],
)
def test_a_file_that_holds_something_else(tmp_path: Path, content: object, said: str) -> None:
    file = tmp_path / "edits.json"
    if isinstance(content, list) and content:
        content = {"format": "videoparts.edits/1", "edits": content}
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(SettingsError, match=said) as caught:
        load_edits(file)
    assert "\n" not in str(caught.value)


def test_labels_of_no_part_are_told() -> None:
    with pytest.raises(SettingsError, match="the masks hold part 5 of 4"):
        after().labels(np.array([0, 5], np.uint8))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        load_edits(tmp_path / "x.json")

"""Files of points: what is written is read again, and nothing else is."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from videoparts.errors import SettingsError, SourceError
from videoparts.pairs.correspondences import Correspondence
from videoparts.pairs.pair_files import (
    FORMAT,
    PairFile,
    PictureOfPair,
    PointPair,
    pair_file,
    read_pairs,
    write_csv,
    write_json,
)
from videoparts.pairs.point_scores import mean_scores, score_pair

ONE, OTHER = PictureOfPair("a", 131, 97), PictureOfPair("b", 200, 100, (10, 20, 110, 60.5))
PAIRS = (
    Correspondence((1.5, 2.25), (3, 4.123456), 0.61234567, 0.5),
    Correspondence((0, 97), (200, 100), -0.25, name='no,"se\n'),
)


def test_there_and_back(tmp_path: Path) -> None:
    content = pair_file(ONE, OTHER, PAIRS)
    write_json(tmp_path / "a--b.json", content)
    assert read_pairs(tmp_path / "a--b.json") == content
    assert content.pairs[0] == PointPair(1, (1.5, 2.25), (3, 4.1235), 0.6123, 0.5)
    text = (tmp_path / "a--b.json").read_text()
    assert "null" not in text
    write_csv(tmp_path / "a--b.csv", content)
    with (tmp_path / "a--b.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(float(row["x1"]), float(row["y2"])) for row in rows] == [(1.5, 4.1235), (0, 100)]
    assert rows[1]["name"] == 'no,"se\n'
    assert rows[1]["saliency"] == ""


def given(**more: Any) -> dict[str, Any]:
    pairs = [{"number": 1, "one": [1, 2]}]
    return {"format": FORMAT, "one": {"name": "a", "width": 9, "height": 9}, "pairs": pairs} | more


def test_points_need_no_other_picture(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(given()))
    assert read_pairs(tmp_path / "p.json").pairs == (PointPair(1, (1, 2)),)


POINT = {"number": 1, "one": [1, 2]}
WRONG = {
    "no object": "[1, 2]",
    "a number": "3",
    "nothing": "",
    "cut off": '{"format": ',
    "deep": "[" * 100_000,
    "not text": b"\xff\xfe\x00",
    "another format": json.dumps(given(format="other/1")),
    "more": json.dumps(given(extra=1)),
    "no pairs": json.dumps({k: v for k, v in given().items() if k != "pairs"}),
    "no picture": json.dumps({k: v for k, v in given().items() if k != "one"}),
    "pairs is text": json.dumps(given(pairs="abc")),
    "a pair is a number": json.dumps(given(pairs=[1])),
    "no number": json.dumps(given(pairs=[{"one": [1, 2]}])),
    "a point is text": json.dumps(given(pairs=[POINT | {"one": "12"}])),
    "one coordinate": json.dumps(given(pairs=[POINT | {"one": [1]}])),
    "three coordinates": json.dumps(given(pairs=[POINT | {"other": [1, 2, 3]}])),
    "a coordinate is text": json.dumps(given(pairs=[POINT | {"one": [1, "2"]}])),
    "a coordinate is true": json.dumps(given(pairs=[POINT | {"one": [1, True]}])),
    "not a number": json.dumps(given(pairs=[POINT | {"one": [1, float("nan")]}])),
    "infinite": json.dumps(given(pairs=[POINT | {"one": [1, float("inf")]}])),
    "too large for a float": json.dumps(given()).replace("[1, 2]", "[1, 1e999]"),
    "a huge whole number": json.dumps(given()).replace("[1, 2]", "[1, 1" + "0" * 400 + "]"),
    "a number twice": json.dumps(given(pairs=[POINT, POINT])),
    "a name twice": json.dumps(given(pairs=[POINT | {"name": "x"}, POINT | {"name": "x", "number": 2}])),
    "an unknown field": json.dumps(given(pairs=[POINT | {"z": 1}])),
    "no size": json.dumps(given(one={"name": "a", "width": 0, "height": 9})),
    "a huge size": json.dumps(given(one={"name": "a", "width": 10**400, "height": 9})),
    "an empty box": json.dumps(given(other={"name": "b", "width": 9, "height": 9, "box": [5, 5, 5, 9]})),
}


@pytest.mark.parametrize("what", WRONG)
def test_anything_else_is_one_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "points.json"
    content = WRONG[what]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourceError) as caught:
        read_pairs(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    assert len(said) < 400


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(SourceError, match="give a JSON file of points"):
            read_pairs(path)


# ---- PCK


def points(*ends: tuple[float, float] | None, names: tuple[str, ...] = (), other: PictureOfPair = OTHER) -> PairFile:
    pairs = [
        PointPair(k + 1, (0, 0), end, name=names[k] if names else None) for k, end in enumerate(ends) if end is not None
    ]
    return PairFile(ONE, other, tuple(pairs))


TRUTH = points((50, 50), (60, 50), (70, 50), (80, 50))


def test_pck_is_counted_by_hand() -> None:
    # the longer side of the box is 100: 5, 10 and 15 pixels
    found = points((55, 50), (60, 59.9), (70 + 9, 50 + 12), None)
    score = score_pair("a--b", found, TRUTH, (0.05, 0.1, 0.15), "box")
    assert score.shares == (0.25, 0.5, 0.75)
    assert (score.points, score.missing) == (4, 1)
    # that of the picture is 200
    assert score_pair("a--b", found, TRUTH, (0.05,), "image").shares == (0.5,)


def test_points_are_the_same_by_name() -> None:
    truth = points((50, 50), (90, 50), names=("nose", "tail"))
    found = points((90, 50), (50, 50), names=("tail", "nose"))
    assert score_pair("p", found, truth, (0.01,), "box").shares == (1.0,)
    assert score_pair("p", points((90, 50), (50, 50)), truth, (0.01,), "box").missing == 2


def test_without_a_prediction_all_are_wrong() -> None:
    score = score_pair("p", None, TRUTH, (0.1, 1.0), "box")
    assert score.shares == (0.0, 0.0)
    assert score.missing == 4


def test_means_over_pairs_and_over_points() -> None:
    scores = [score_pair("a", TRUTH, TRUTH, (0.1,), "box"), score_pair("b", None, points((1, 1)), (0.1,), "box")]
    assert mean_scores(scores) == ((0.5,), (0.8,))


def test_truth_that_cannot_be_scored_against() -> None:
    bare = PictureOfPair("b", 200, 100)
    with pytest.raises(SettingsError, match=r"p: the truth has no box.*--of image"):
        score_pair("p", TRUTH, points((1, 1), other=bare), (0.1,), "box")
    with pytest.raises(SettingsError, match="p: the truth has no points"):
        score_pair("p", TRUTH, points(), (0.1,), "box")
    with pytest.raises(SettingsError, match="of 201x100 pixels, the truth of 200x100"):
        score_pair("p", points((1, 1), other=PictureOfPair("b", 201, 100)), TRUTH, (0.1,), "box")

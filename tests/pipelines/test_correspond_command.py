"""``correspond``, ``similarity`` and ``evaluate-points`` as a user runs them, with real weights."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from colours import ColourExtractor
from patches import picture
from PIL import Image
from videoparts.pipelines.described_pictures import DescribedPictures, every_pair
from videoparts.pipelines.main import main

from videoparts.pairs.pair_files import FORMAT, PairFile, read_pairs
from videoparts.sources.picture_set import Picture

QUICK = ["--load-size", "168", "--offline", "--device", "cpu", "-q"]
SHIFT = 48  # pixels


@pytest.fixture(scope="module")
def pictures(photograph: npt.NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cut-outs of one photograph, of odd sizes: what they show lies SHIFT pixels to the left in the second."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(photograph[:351, 40:541]).save(folder / "a.png")
    Image.fromarray(photograph[:351, 40 + SHIFT : 541 + SHIFT]).save(folder / "b.png")
    Image.fromarray(photograph[3:352, 20:600]).save(folder / "c.jpg", quality=95)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("videoparts: ")
    assert "\n" not in said
    return said


def test_two_pictures(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "pairs"
    assert (
        main(["correspond", str(pictures / "a.png"), str(pictures / "b.png"), "-o", str(out), "--pairs", "8", *QUICK])
        == 0
    )
    assert names(out) == ["a--b.csv", "a--b.json", "a--b.png"]
    found = read_pairs(out / "a--b.json")
    assert (found.one.width, found.one.height) == (501, 351)
    assert [pair.number for pair in found.pairs] == list(range(1, 9))
    off = [(pair.one[0] - pair.other[0] - SHIFT, pair.one[1] - pair.other[1]) for pair in found.pairs if pair.other]
    patch = 14 * 351 / 168
    assert np.median(np.abs(off), axis=0).max() <= patch / 2 + 0.01
    assert len({pair.one for pair in found.pairs}) == 8
    with (out / "a--b.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["x2"]) for row in rows] == [pair.other[0] for pair in found.pairs if pair.other]
    with Image.open(out / "a--b.png") as image:
        assert image.height == 480


def test_every_pair_of_a_set_the_same_each_time(pictures: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert main(["correspond", str(pictures), "-o", str(tmp_path / out), *QUICK]) == 0
    assert len(names(tmp_path / "one")) == 9
    for name in names(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_given_points_and_their_score(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [(150.0, 100.0), (250.5, 200.0), (300.0, 150.25), (340.0, 260.0)]
    truth = {
        "format": FORMAT,
        "one": {"name": "a", "width": 501, "height": 351},
        "other": {"name": "b", "width": 501, "height": 351, "box": [50, 20, 350, 320]},
        "pairs": [
            {"number": k, "one": [x, y], "other": [x - SHIFT, y], "name": f"p{k}"} for k, (x, y) in enumerate(places, 1)
        ],
    }
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "a--b.json").write_text(json.dumps(truth))
    assert (
        main(["correspond", str(pictures), "-o", str(tmp_path / "o"), "--points", str(tmp_path / "truth"), *QUICK]) == 0
    )
    assert names(tmp_path / "o") == ["a--b.csv", "a--b.json", "a--b.png"]
    found = read_pairs(tmp_path / "o" / "a--b.json")
    assert [pair.one for pair in found.pairs] == places
    assert [pair.name for pair in found.pairs] == ["p1", "p2", "p3", "p4"]

    report = tmp_path / "scores.json"
    arguments = [
        "evaluate-points",
        str(tmp_path / "o"),
        str(tmp_path / "truth"),
        "--alpha",
        "0.001,0.1",
        "--json",
        str(report),
    ]
    assert main(arguments) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["pair", "points", "PCK@0.001", "PCK@0.1"]
    assert table[1].startswith("a--b")
    scores = json.loads(report.read_text())
    assert scores["pairs"][0]["pck"][1] >= 0.75  # of a mere shift
    assert scores["pck_mean_of_pairs"] == scores["pck_of_all_points"] == scores["pairs"][0]["pck"]
    # one file of points goes from the first picture to all others
    one = str(tmp_path / "truth" / "a--b.json")
    assert main(["correspond", str(pictures), "-o", str(tmp_path / "all"), "--points", one, *QUICK]) == 0
    assert [name for name in names(tmp_path / "all") if name.endswith(".json")] == ["a--b.json", "a--c.json"]
    assert read_pairs(tmp_path / "all" / "a--b.json") == found
    assert main(["evaluate-points", str(tmp_path / "all" / "a--b.json"), one, "-q"]) == 0
    # and what the picture was called then is told
    renamed = tmp_path / "renamed.png"
    shutil.copy(pictures / "a.png", renamed)
    given = [str(renamed), str(pictures / "b.png"), "-o", str(tmp_path / "again"), "--points", one]
    assert main(["correspond", *given, *QUICK[:-1]]) == 0
    assert f"{one}: points of a, taken for points of {renamed}" in capsys.readouterr().err


def test_pairs_without_a_prediction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    side = {"name": "a", "width": 9, "height": 9}
    told = {"format": FORMAT, "one": side, "other": side, "pairs": [{"number": 1, "one": [1, 1], "other": [1, 1]}]}
    for path in ("found/a--b.json", "truth/a--b.json", "truth/a--c.json"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(json.dumps(told))
    arguments = ["evaluate-points", str(tmp_path / "found"), str(tmp_path / "truth"), "--of", "image", "--alpha", "0.1"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].split() == ["all", "points", "2", "0.500"]
    assert "pairs of pictures without a prediction: 1" in said.err
    assert main([*arguments, "--common"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["all", "points", "1", "1.000"]
    assert "the truth has no box" in fails([*arguments[:3]], capsys)
    for alpha in ("0", "a", "", "nan", "-1", "inf"):
        assert "--alpha must be positive" in fails([*arguments, f"--alpha={alpha}"], capsys)


@pytest.mark.parametrize(
    ("more", "first", "second", "by_pair", "by_point"),
    [
        # the box's longer side is 80 high in the first pair, 40 wide in the second: 8 and 4 pixels
        ([], 0.5, 0.0, 0.25, 1 / 3),
        # the picture's is 200: 20 pixels in both
        (["--of", "image"], 0.75, 1.0, 0.875, 5 / 6),
    ],
)
def test_pck_by_hand(
    more: list[str], first: float, second: float, by_pair: float, by_point: float, tmp_path: Path
) -> None:
    one = {"name": "one", "width": 50, "height": 50}
    boxes = {"a--b": [10, 10, 50, 90], "a--c": [100, 0, 140, 30]}
    # where points are and how far off they were found: 8 is near enough, and just beyond is not; one was not found
    off = {"a--b": [(8, 0), (0, -8), (5, 6.3), None], "a--c": [(3, 4), (-20, 0)]}
    for folder in ("found", "truth"):
        (tmp_path / folder).mkdir()
        for name, box in boxes.items():
            other = {"name": name[-1], "width": 200, "height": 120} | ({"box": box} if folder == "truth" else {})
            pairs = []
            for number, by in enumerate(off[name], start=1):
                x, y = 60.0 + number, 50.0
                if folder == "found" and by is not None:
                    x, y = x + by[0], y + by[1]
                if folder == "truth" or by is not None:
                    pairs.append({"number": number, "one": [1, 1], "other": [x, y]})
            told = {"format": FORMAT, "one": one, "other": other, "pairs": pairs}
            (tmp_path / folder / f"{name}.json").write_text(json.dumps(told))
    report = tmp_path / "scores.json"
    folders = [str(tmp_path / "found"), str(tmp_path / "truth")]
    assert main(["evaluate-points", *folders, "--alpha", "0.1", "--json", str(report), "-q", *more]) == 0
    scores = json.loads(report.read_text())
    assert [(one["pair"], one["pck"], one["points"], one["missing"]) for one in scores["pairs"]] == [
        ("a--b", [first], 4, 1),
        ("a--c", [second], 2, 0),
    ]
    assert scores["pck_mean_of_pairs"] == pytest.approx([by_pair])
    assert scores["pck_of_all_points"] == pytest.approx([by_point])


def test_each_picture_is_looked_at_once(tmp_path: Path) -> None:
    extractor = ColourExtractor()
    Image.fromarray(picture([0, 1, 2, 3, 4, 5], 16, 24)).save(tmp_path / "a.png")
    some = [Picture(tmp_path / "a.png", f"{k}") for k in range(7)]
    pairs = every_pair(7)
    assert len(pairs) == 21
    whole = DescribedPictures(some, extractor)
    for a, b in whole.in_good_order(pairs):
        whole.get(a), whole.get(b)
    assert extractor.frames == 7
    size = sum(one.nbytes for one in whole.get(0))
    extractor.frames = 0
    little = DescribedPictures(some, extractor, budget=4 * size)
    order = little.in_good_order(pairs)
    assert sorted(order) == pairs
    for a, b in order:
        little.get(a), little.get(b)
        assert len(little._kept) <= 4
    assert 7 <= extractor.frames <= 16


def test_what_cannot_be_compared(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, out = str(pictures / "a.png"), str(pictures / "b.png"), str(tmp_path / "out")

    def said(*arguments: str) -> str:
        return fails(["correspond", *QUICK, *arguments, "-o", out], capsys)

    assert "no input is given" in said()
    assert "one picture only" in said(a)
    assert "there is no such picture" in said(a, str(tmp_path / "none.png"))
    (tmp_path / "broken.png").write_bytes((pictures / "b.png").read_bytes()[:5000])
    assert "broken.png" in said(a, str(tmp_path / "broken.png"))
    Image.new("RGB", (300, 9)).save(tmp_path / "thin.png")
    assert "thin.png: is 300x9, smaller than one patch of 14x14" in said(a, str(tmp_path / "thin.png"))
    assert "below one patch" in said(a, b, "--load-size", "13")
    assert "--pairs must be" in said(a, b, "--pairs", "0")
    assert "--layer 12" in said(a, b, "--layer", "12")
    points = tmp_path / "points.json"
    one = {"name": "a", "width": 501, "height": 351}
    points.write_text(json.dumps({"format": FORMAT, "one": one, "pairs": [{"number": 1, "one": [502, 3]}]}))
    assert "the point 502,3 lies outside" in said(a, b, "--points", str(points))
    points.write_text(
        json.dumps({"format": FORMAT, "one": one | {"width": 500}, "pairs": [{"number": 1, "one": [5, 3]}]})
    )
    assert "of a picture of 500x351" in said(a, b, "--points", str(points))
    points.write_text(json.dumps({"format": FORMAT, "one": one, "pairs": []}))
    assert "no points of a are given" in said(a, b, "--points", str(points))
    for option in ("--pairs", "--seed"):
        assert f"{option} is of points that are looked for" in said(a, b, "--points", str(points), option, "3")
    # b is of a's size: but for the names, its points would be taken for a's
    assert f"points.json: the points are of a; give {a} first" in said(b, a, "--points", str(points))
    (tmp_path / "empty").mkdir()
    assert "holds no points of two of the pictures" in said(a, b, "--points", str(tmp_path / "empty"))
    assert not Path(out).exists()
    Path(out).touch()
    assert "is a file: give the name of a folder" in said(a, b)
    assert "a part of its path is a file" in fails(["correspond", a, b, "-o", f"{out}/pairs", *QUICK], capsys)
    Path(out).unlink()
    (tmp_path / "x").mkdir()
    Image.new("RGB", (50, 50)).save(tmp_path / "x" / "a--b.png")
    Image.new("RGB", (50, 50)).save(tmp_path / "x" / "a.png")
    Image.new("RGB", (50, 50)).save(tmp_path / "x" / "b.png")
    x = str(tmp_path / "x")
    assert "is an input too" in fails(["correspond", x, "-o", x, *QUICK], capsys)
    both = [f"{x}/a.png", f"{x}/a--b.png", f"{x}/b.png"]  # what is written of two of them is the third
    assert "a--b.png is an input too" in fails(["correspond", *both, "-o", x, *QUICK], capsys)


def test_pictures_that_cannot_be_used_are_named_and_the_rest_is_done(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(pictures, mixed)
    (mixed / "b.png").write_bytes((mixed / "b.png").read_bytes()[:5000])
    Image.new("RGB", (300, 9)).save(mixed / "d.png")
    assert main(["correspond", str(mixed), "-o", str(tmp_path / "out"), *QUICK]) == 1
    first, second, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"left out: {mixed / 'b.png'}: the picture cannot be decoded")
    assert second == f"left out: {mixed / 'd.png'}: is 300x9, smaller than one patch of 14x14; leave it out"
    assert last == "videoparts: 2 of 4 pictures could not be used, the others are done"
    assert names(tmp_path / "out") == ["a--c.csv", "a--c.json", "a--c.png"]
    # given points are of the first picture: where that is broken, they are not taken for another's
    told = {"format": FORMAT, "one": {"name": "b", "width": 501, "height": 351}}
    points = tmp_path / "points"
    points.mkdir()
    (points / "b--a.json").write_text(json.dumps(told | {"pairs": [{"number": 1, "one": [5, 3]}]}))
    given = [str(mixed / name) for name in ("b.png", "a.png", "c.jpg")]
    for one in (points, points / "b--a.json"):
        assert "b.png" in fails(["correspond", *given, "-o", str(tmp_path / "p"), "--points", str(one), *QUICK], capsys)
    # and a file of pictures that are not given is told
    shutil.copy(points / "b--a.json", points / "x--y.json")
    assert main(["correspond", str(pictures), "-o", str(tmp_path / "p"), "--points", str(points), *QUICK[:-1]]) == 0
    assert "1 of 2 files are of other pictures, as x--y" in capsys.readouterr().err


def test_stopped_it_says_how_far_it_came(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from videoparts.pairs import pair_files

    write, count = pair_files.write_json, [0]

    def stopped(path: Path, content: PairFile) -> None:
        write(path, content)
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(pair_files, "write_json", stopped)
    assert main(["correspond", str(pictures), "-o", str(tmp_path / "out"), *QUICK]) == 130
    assert capsys.readouterr().err.strip() == "videoparts: stopped; 2 of 3 pairs of pictures are written"
    assert sum(name.endswith(".csv") for name in names(tmp_path / "out")) == 3  # of the third all but the end is known


def test_no_point_in_common(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videoparts.pairs.described._LEAST", 2.0)  # nothing is on an object
    out = tmp_path / "out"
    assert "no two points on their objects" in fails(["correspond", str(pictures), "-o", str(out), *QUICK], capsys)
    assert not out.exists()


def test_similarity(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = str(pictures / "a.png"), str(pictures / "b.png")
    out = tmp_path / "new" / "sim.png"
    arguments = ["similarity", a, b, "--point", "250,170", "-o", str(out), *QUICK[:-1]]
    assert main(arguments) == 0
    told = capsys.readouterr().err
    x, y = map(float, told.partition("most alike: ")[2].split(" ")[0].split(","))
    assert max(abs(x - 250 + SHIFT), abs(y - 170)) <= 1.5 * 14 * 351 / 168  # patches of the other
    before = out.read_bytes()
    assert main(arguments) == 0
    assert out.read_bytes() == before
    for more in (["--layer", "11", "--facet", "key", "--binned", "--marks", "0"], ["--stride", "7"]):
        assert main([*arguments, *more]) == 0
        assert out.read_bytes() != before
    assert main(["similarity", a, a, "--page", "-o", str(tmp_path / "sim.html"), *QUICK]) == 0
    assert names(tmp_path) == ["new", "sim.html"]


def test_similarity_refuses(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, out = str(pictures / "a.png"), str(pictures / "b.png"), str(tmp_path / "sim.png")

    def said(*arguments: str, output: str = out) -> str:
        return fails(["similarity", *arguments, "-o", output, *QUICK], capsys)

    assert "--point x,y" in said(a, b)
    for point in ("1", "1,2,3", "a,b", ""):
        assert "give x,y in pixels" in said(a, b, f"--point={point}")
    for point in ("502,3", "3,352", "-1,3", "nan,3"):
        assert "lies outside" in said(a, b, f"--point={point}")
    assert "must end in .png" in said(a, b, "--point", "1,2", output=str(tmp_path / "sim.html"))
    assert "must end in .html" in said(a, b, "--page")
    assert "no such picture" in said(a, str(tmp_path / "none.png"), "--point", "1,2")
    assert "is a folder: give one picture" in said(a, str(pictures), "--point", "1,2")
    assert "is an input too" in said(a, b, "--point", "1,2", output=b)
    assert "--marks" in said(a, b, "--point", "1,2", "--marks", "-1")
    page = str(tmp_path / "sim.html")
    assert "--marks is of the picture, and --page writes none" in said(a, b, "--page", "--marks", "5", output=page)
    assert names(tmp_path) == []

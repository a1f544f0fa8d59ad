"""``videoparts edit``, ``effect`` and ``view`` as a user runs them."""

from __future__ import annotations

import copy
import json
import shutil
import webbrowser
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from commands import QUICK, davis, files, forget_chances
from PIL import Image
from videoparts.pipelines import finer
from videoparts.pipelines.main import main
from videoparts.pipelines.result import entries_without_pixels, kept_entries, opened_result

from videoparts.editing.edited import edited
from videoparts.editing.edits import Drop, Edit, Merge, Recolor, Rename, Reorder, Smooth, load_edits, save_edits
from videoparts.errors import VideoPartsError
from videoparts.files.atomic import remove
from videoparts.reports.report import Report
from videoparts.results.manifest import Manifest

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def found(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("found") / "out"
    given = ["--formats", "davis,mattes", "--keep-features", *QUICK]
    assert main(["masks", str(short_clip), "-o", str(out), *given]) == 0
    return out


@pytest.fixture
def out(found: Path, tmp_path: Path) -> Path:
    shutil.copytree(found, tmp_path / "out")
    return tmp_path / "out"


def mattes(folder: Path) -> dict[str, Pixels]:
    return {
        part.name: np.stack([np.asarray(Image.open(path)) for path in sorted(part.iterdir())])
        for part in sorted((folder / "mattes").iterdir())
    }


def nearly_equal(one: Pixels, other: Pixels) -> None:
    """But where three parts meet: there the one that the label names has a tenth more than the next, and who is next
    depends on which are one. At most where all three have a third: 0.645 and 0.355 of the pixel, or 0.476 and 0.524."""
    difference = np.abs(one.astype(int) - other)
    assert (difference > 1).mean() < 1e-3
    assert difference.max() <= 44


def without_the_dropped(one: Pixels, two: Pixels, labels: Pixels) -> tuple[Pixels, Pixels]:
    """The mattes of two parts, with more than half of a pixel of theirs, and at most half of one of a dropped part."""
    whole = one.astype(int) + two
    lacking = np.maximum(128 - whole, 0)
    share = np.where((labels == 0) & (whole > 127), 127 / np.maximum(whole, 1), 1)
    first, second = one * share + lacking * (labels == 1), two * share + lacking * (labels == 2)
    return first.astype(np.uint8), second.astype(np.uint8)


def named(folder: Path) -> dict[int, str]:
    return {part.number: part.name for part in Manifest.load(folder).parts}


def test_edits_are_what_they_say_in_all_formats(found: Path, out: Path) -> None:
    before, planes = davis(found), mattes(found)
    given = ["--rename", "1=head", "--merge", "2,3=body", "--drop", "4", "--recolor", "head=#3fa7d6", "-q"]
    assert main(["edit", str(out), *given]) == 0
    assert np.array_equal(davis(out), np.array([0, 1, 2, 2, 0], np.uint8)[before])
    after = mattes(out)
    assert list(after) == ["01-head", "02-body"]
    head, body = without_the_dropped(planes["01-part1"], planes["02-part2"] + planes["03-part3"], davis(out))
    nearly_equal(after["01-head"], head)
    nearly_equal(after["02-body"], body)
    with Image.open(min((out / "davis").iterdir())) as image:
        assert image.getpalette()[3:6] == [0x3F, 0xA7, 0xD6]
    manifest = Manifest.load(out)
    assert named(out) == {1: "head", 2: "body"}
    assert manifest.edits == 4
    assert [part.name for part in manifest.report.parts] == ["head", "body"]
    assert load_edits(out / "edits.json")[0] == [
        Rename(1, "head"),
        Merge((2, 3), "body"),
        Drop((4,)),
        Recolor(1, "#3fa7d6"),
    ]
    assert '"name":"head"' in (out / "viewer.html").read_text(encoding="utf-8")


def test_an_overlay_is_painted_anew_in_the_colours_of_the_edit(out: Path, short_clip: Path) -> None:
    from videoparts.masks import colour_table
    from videoparts.painting.overlay import paint
    from videoparts.sources import open_source

    given = ["--formats", "overlay", "--recolor", "1=#3fa7d6", "--drop", "2", "-q"]
    assert main(["edit", str(out), *given]) == 0
    colours = colour_table(Manifest.load(out).parts)
    assert colours[1].tolist() == [0x3F, 0xA7, 0xD6]
    assert not colours[2].any()
    painted = open_source(out / "overlay.mp4").batches(1)
    for batch, labels, found in zip(open_source(short_clip).batches(1), davis(out), painted, strict=True):
        wanted = paint(batch.pixels, labels[None], colours, 0.55, 1)
        assert np.abs(found.pixels.astype(int) - wanted).mean() < 3


def test_the_report_after_a_merge_is_that_of_a_report_on_the_merged_labels(out: Path, short_clip: Path) -> None:
    from videoparts.frames import FrameBatch
    from videoparts.masks import PartMasks
    from videoparts.reports.report import MaskReport
    from videoparts.sources import open_source

    assert main(["edit", str(out), "--merge", "1,3", "-q"]) == 0
    manifest = Manifest.load(out)
    anew = MaskReport(manifest.parts)
    for batch, labels in zip(open_source(short_clip).batches(1), davis(out), strict=True):
        frames = FrameBatch(batch.pixels, batch.index, batch.pts, batch.time_base)
        anew.write(PartMasks(frames, labels[None]))
    assert manifest.report == Report.from_json(json.loads(json.dumps(anew.finish().to_json())))


def test_other_levels_stay_as_they_were_found_and_that_is_told(
    out: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["masks", str(short_clip), "-o", str(out), *QUICK, "--levels", "2", "--keep-features"]) == 0
    assert main(["edit", str(out), "--drop", "1"]) == 0
    assert "levels/ stays as it was found" in capsys.readouterr().err
    assert (np.asarray(Image.open(next(iter(sorted((out / "levels" / "2").iterdir()))))) == 1).any()
    assert not (np.asarray(Image.open(out / "davis" / "00000.png")) == 1).any()


def test_undone_everything_is_as_it_was(found: Path, out: Path) -> None:
    for edit in (["--rename", "1=head"], ["--merge", "1,2"], ["--split", "4"], ["--smooth", "3"], ["--reorder", "3,1"]):
        assert main(["edit", str(out), *edit, "-q"]) == 0
    assert len(load_edits(out / "edits.json")[0]) == 5
    assert not np.array_equal(davis(out), davis(found))
    assert main(["edit", str(out), "--undo", "5", "-q"]) == 0
    before, after = files(found), files(out)
    kept = [name for name in after if name not in before]
    assert all(name == "edits.json" or "/level-" in name for name in kept)
    assert [name for name in before if after[name] != before[name]] == []


def test_a_split_divides_a_part_and_nothing_else(found: Path, out: Path) -> None:
    assert main(["edit", str(out), "--split", "1", "--into", "3", "-q"]) == 0
    before, after = davis(found), davis(out)
    assert set(np.unique(after)) == {0, 1, 2, 3, 4, 5, 6}
    assert np.array_equal(np.array([0, 1, 2, 3, 4, 1, 1])[after], before)
    planes, parts = mattes(found), mattes(out)
    together = parts["01-part1"] + parts["05-part1-5"] + parts["06-part1-6"]
    nearly_equal(together, planes["01-part1"])


def test_kept_features_divide_as_the_vit_does(found: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["edit", str(out), "--split", "1", "--into", "2", "--offline", "-q"]) == 0
    with_vit = out.parent / "with"
    shutil.copytree(found, with_vit)
    forget_chances(with_vit)
    again = finer.segment_again
    monkeypatch.setattr(finer, "segment_again", None)
    assert main(["edit", str(with_vit), "--split", "1", "--into", "2", "--offline", "-q"]) == 0
    assert (davis(out) == davis(with_vit)).mean() > 0.999
    monkeypatch.setattr(finer, "segment_again", again)


def test_edits_are_replayed_on_another_clip_of_the_same_part_model(
    out: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = next(out.glob(".videoparts/*/parts.safetensors"))
    assert main(["edit", str(out), "--merge", "1,2=body", "--split", "4", "-q"]) == 0
    other = ["masks", str(short_clip), "--start", "0.3", "--offline", "--device", "cpu", "-q", "--no-page"]
    assert main([*other, "-o", str(tmp_path / "same"), "--model-file", str(model)]) == 0
    assert main(["edit", str(tmp_path / "same"), "--edits", str(out / "edits.json"), "-q"]) == 0
    assert named(tmp_path / "same") == named(out) == {1: "body", 3: "part3", 4: "part4", 5: "part4-5"}
    assert load_edits(tmp_path / "same" / "edits.json") == load_edits(out / "edits.json")
    assert main(["masks", str(short_clip), "-o", str(tmp_path / "else"), *QUICK, "--parts", "3", "-q"]) == 0
    capsys.readouterr()
    assert main(["edit", str(tmp_path / "else"), "--edits", str(out / "edits.json")]) == 2
    assert "about the parts of another part model" in capsys.readouterr().err


def test_edits_of_the_page_are_applied(out: Path, tmp_path: Path) -> None:
    saved = tmp_path / "edits.json"
    edits: list[Edit] = [Rename(1, 'the "left" <ear> = 耳'), Merge((3, 2), "body")]
    save_edits(saved, edits)
    assert main(["edit", str(out), "--edits", str(saved), "-q"]) == 0
    assert named(out) == {1: 'the "left" <ear> = 耳', 3: "body", 4: "part4"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rename", "9=x"], "rename"),
        (["--rename", "head=x"], "there is no part head; there are 1, 2, 3, 4"),
        (["--rename", "1=part2"], "another part is called part2"),
        (["--rename", "1"], "write it as 1=head"),
        (["--rename", "1="], "name cannot be"),
        (["--rename", "1=head,neck"], "has no comma"),
        (["--drop", "1,1"], "drop 1,1: a part is named twice"),
        (["--merge", "1=body"], "name two parts or more"),
        (["--drop", "1,2,3,4"], "leaves no part"),
        (["--recolor", "1=blue"], "'blue' is no colour"),
        (["--split", "1", "--into", "99"], "divide it into"),
        (["--rename", "1=x", "--into", "3"], "--into 3 is of --split: say which part is divided, or leave it out"),
        (["--smooth", "2"], "an odd number"),
        (["--undo", "1"], "there are 0 edits to take back"),
        (["--edits", "nowhere.json"], "there is no such file"),
        (["--formats", "gif"], "--formats gif: unknown"),
        ([], "nothing to do"),
        (["--merge", "1,2=body", "--drop", "2"], "there is no part 2"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    options: list[str], said: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(out)
    assert main(["edit", str(out), *options]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("videoparts: ")
    if said != "rename":
        assert said in last
    assert files(out) == before


def test_a_clip_that_has_moved_is_asked_for_when_it_is_needed(
    found: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, out = tmp_path / "a.mp4", tmp_path / "out"
    shutil.copy(short_clip, clip)
    assert main(["masks", str(clip), "-o", str(out), *QUICK, "-q"]) == 0
    clip.rename(tmp_path / "b.mp4")
    assert main(["edit", str(out), "--merge", "1,2", "-q"]) == 0  # needs no pixels
    before = files(out)
    assert main(["edit", str(out), "--formats", "webm", "-q"]) == 2
    assert "a.mp4: the clip that the masks were made of is not there; say where it is with --input" in (
        capsys.readouterr().err
    )
    other = tmp_path / "c.mp4"
    other.write_bytes(short_clip.read_bytes() + b"\0")
    assert main(["edit", str(out), "--formats", "webm", "--input", str(other), "-q"]) == 2
    assert "were made of another clip" in capsys.readouterr().err
    assert files(out) == before
    assert main(["edit", str(out), "--formats", "webm", "--input", str(tmp_path / "b.mp4"), "-q"]) == 0
    assert len(list((out / "webm").iterdir())) == 3


def test_a_piece_that_is_missing_or_broken_is_told(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    piece = max(out.glob(".videoparts/*/masks-*.npz"))
    for left in (100, 0):
        piece.write_bytes(piece.read_bytes()[:left])
        assert main(["edit", str(out), "--rename", "1=x"]) == 2
        assert f"{piece.name}: cannot be read" in capsys.readouterr().err
    piece.unlink()
    assert main(["edit", str(out), "--rename", "1=x"]) == 2
    assert "of 24 frames 16 are kept" in capsys.readouterr().err


def test_a_folder_without_masks_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edit", str(tmp_path), "--undo", "1"]) == 2
    assert "make one with: videoparts masks" in capsys.readouterr().err


def nodes(given: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values; of an array's items the first few."""
    yield path
    pairs = given.items() if isinstance(given, dict) else enumerate(given[:3]) if isinstance(given, list) else ()
    for key, value in pairs:
        yield from nodes(value, (*path, key))


@pytest.mark.parametrize("name", ["manifest.json", "edits.json"])
def test_whatever_a_file_says_is_taken_or_refused_in_a_line(name: str, out: Path, short_clip: Path) -> None:
    edits = [Rename(1, "head"), Merge((2, 3), "body"), Drop((4,)), Recolor(1, "#3fa7d6"), Reorder((2,)), Smooth(3)]
    save_edits(out / "edits.json", edits)
    good = json.loads((out / name).read_text(encoding="utf-8"))
    wrong: list[Any] = [None, True, -1, 2.5, 10**30, "", "../x", "1/0", "\ud800", [], [[1]], {}, {"x": 1}, ["1"]]
    random, paths = Random(0), [path for path in nodes(good) if path]
    said: list[str] = []
    tried = random.sample(paths, min(len(paths), 80))
    for path in tried:
        given = copy.deepcopy(good)
        *above, last = path
        place = given
        for key in above:
            place = place[key]
        if random.random() < 0.3:
            del place[last]
        else:
            place[last] = random.choice(wrong)
        (out / name).write_text(json.dumps(given))
        try:
            result = opened_result(out)
            entries = [
                *islice(entries_without_pixels(result.run.masks(), result.manifest), 1),
                *islice(kept_entries(result.run.masks(), result.source(short_clip)), 1),
            ]
            assert all(len(edited(masks, result.edition, mattes=True)) == 1 for masks, _ in entries)
        except VideoPartsError as error:
            said.append(str(error))
    assert len(said) > len(tried) / 2
    assert not any("\n" in line for line in said)


@pytest.mark.parametrize("name", ["run", "source", "refine", "found"])
def test_settings_that_masks_has_not_written(name: str, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    del given["settings"][name]
    (out / "manifest.json").write_text(json.dumps(given))
    assert main(["edit", str(out), "--rename", "1=x"]) == 2
    assert "its settings are not those of videoparts masks; run videoparts masks again" in capsys.readouterr().err


def test_a_part_model_that_is_broken_says_what_to_do(
    out: Path, short_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = next(out.glob(".videoparts/*/parts.safetensors"))
    model.write_bytes(b"x")
    assert main(["edit", str(out), "--split", "1"]) == 2
    assert f"{model}: cannot be read; remove {model.parent} and run videoparts masks" in capsys.readouterr().err
    shutil.rmtree(model.parent)
    assert main(["masks", str(short_clip), "-o", str(out), "--formats", "davis", *QUICK, "-q"]) == 0
    assert main(["edit", str(out), "--rename", "1=x", "-q"]) == 0


def test_a_full_disk_is_told_in_a_line(
    out: Path,
    small_disk: Callable[[int], Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A clip that is given up is ended on a full disk, of which PyAV would print all errors but one."""
    for path in [*out.glob("*"), *out.glob(".videoparts/*/clip.webm")]:
        if path.name not in ("manifest.json", ".videoparts"):
            remove(path)
    needed = sum(-(-path.stat().st_size // 4096) for path in out.rglob("*") if path.is_file())
    folder = small_disk((needed + 16) * 4096) / "out"
    shutil.copytree(out, folder)
    assert main(["edit", str(folder), "--formats", "prores", "-q"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "the disk is full" in line


def frames_of(path: Path, codec: str | None = None) -> tuple[list[float | None], Pixels]:
    with av.open(str(path)) as video:
        if codec is not None:
            context = av.CodecContext.create(codec, "r")
            frames = [frame for packet in video.demux(video=0) for frame in context.decode(packet)]
        else:
            frames = list(video.decode(video=0))
        return [frame.time for frame in frames], np.stack([frame.to_ndarray(format="rgba") for frame in frames])


def test_an_effect_changes_the_part_alone_and_keeps_times(out: Path, short_clip: Path, tmp_path: Path) -> None:
    assert main(["edit", str(out), "--rename", "1=head", "-q"]) == 0
    given = ["effect", str(short_clip), "--masks", str(out), "--part", "head,2"]
    edited = tmp_path / "edited.mkv"
    given_encoder = ["--codec", "libx264rgb", "--quality", "0", "-q"]
    assert main([*given, "--do", "grey", "-o", str(edited), *given_encoder]) == 0
    times, pixels = frames_of(edited)
    wanted, before = frames_of(short_clip)
    assert times == pytest.approx(wanted, abs=0.0006)
    labels, planes = davis(out), mattes(out)
    whole = planes["01-head"] + planes["02-part2"]
    assert ((whole > 127) == np.isin(labels, (1, 2))).mean() > 0.998
    inside = pixels[whole == 255].astype(int)
    assert np.ptp(inside[:, :3], axis=1).max() == 0
    assert np.ptp(before[whole == 255].astype(int)[:, :3], axis=1).mean() > 2
    difference = np.abs(pixels.astype(int) - before)[whole == 0]
    assert (difference > 2).mean() < 0.01  # decoded by another decoder


def test_a_cutout_has_the_matte_as_alpha(out: Path, short_clip: Path, tmp_path: Path) -> None:
    given = ["effect", str(short_clip), "--masks", str(out), "--part", "3", "--do", "cutout", "-q"]
    matte = mattes(out)["03-part3"].astype(int)
    for name, codec in (("cut.mov", None), ("cut.webm", "libvpx-vp9")):
        assert main([*given, "-o", str(tmp_path / name)]) == 0
        _, pixels = frames_of(tmp_path / name, codec)
        assert np.abs(pixels[..., 3] - matte).max() <= 2
    assert main([*given, "--others", "-o", str(tmp_path / "others.mov")]) == 0
    assert np.abs(frames_of(tmp_path / "others.mov")[1][..., 3] - (255 - matte)).max() <= 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--part", "tail", "--do", "blur"], "there is no part tail"),
        (["--part", "1", "--do", "tint", "--strength", "3"], "--strength of tint"),
        (["--part", "1", "--do", "tint", "--colour", "red"], "is no colour"),
        (["--part", ",", "--do", "blur"], "name a part"),
        (["--part", "1", "--do", "blur", "--quality", "999"], "--quality of libx264 runs from 0 to 51, got 999"),
    ],
)
def test_effects_that_cannot_be(
    options: list[str], said: str, out: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made.mp4"
    assert main(["effect", str(short_clip), "--masks", str(out), "-o", str(made), *options]) == 2
    assert said in capsys.readouterr().err
    assert not made.exists()
    assert (
        main(["effect", str(short_clip), "--masks", str(out), "-o", str(short_clip), "--part", "1", "--do", "blur"])
        == 2
    )


def test_view_opens_the_page_and_makes_it_where_it_is_not(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(opened.append(url)) or True)
    before = (out / "viewer.html").read_bytes()
    (out / "viewer.html").unlink()
    assert main(["view", str(out)]) == 0
    assert (out / "viewer.html").read_bytes() == before
    assert opened == [(out / "viewer.html").resolve().as_uri()]
    assert main(["view", str(out), "--no-open"]) == 0
    assert len(opened) == 1
    assert f"open {out / 'viewer.html'} in a browser" in capsys.readouterr().err

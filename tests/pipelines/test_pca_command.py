"""``videoparts pca`` as a user runs it, with tiny weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import safetensors
from media import SIZES, Clip, picture
from PIL import Image
from videoparts.pipelines.command_line import parse
from videoparts.pipelines.main import main

from videoparts.presets import PRESETS


def seen(path: Path) -> npt.NDArray[np.uint8]:
    return np.array(Image.open(path))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pictures_of_any_size(pictures: Path, tiny: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["pca", str(pictures), "-o", str(out), *tiny]) == 0
    for i, (height, width) in enumerate(SIZES):
        rgb = seen(out / "rgb" / f"p{i}.png")
        assert rgb.shape == (height, width, 3)
        for k in range(3):
            assert np.array_equal(seen(out / f"component-{k + 1}" / f"p{i}.png"), rgb[..., k])
    assert len(tree(out)) == 4 * len(SIZES) + 1
    first = tree(out)
    assert main(["pca", str(pictures), "-o", str(out), *tiny]) == 0
    assert tree(out) == first


def test_what_an_earlier_run_has_made_goes_and_nothing_else(pictures: Path, tiny: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["pca", str(pictures), "-o", str(out), "--components", "5", *tiny]) == 0
    with safetensors.safe_open(out / "components.safetensors", "numpy") as file:
        assert file.get_tensor("axes").shape == (5, 48)
    (out / "notes.txt").write_text("mine")
    (pictures / "p3.png").unlink()
    assert main(["pca", str(pictures), "-o", str(out), "--components", "2", "--each", *tiny]) == 0
    names = {f"component-{k}/p{i}.png" for k in (1, 2) for i in range(3)}
    assert set(tree(out)) == {*names, "notes.txt"}


def test_pictures_that_cannot_be_used_are_named_and_the_rest_is_done(
    pictures: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pca", str(pictures), "-o", str(tmp_path / "without"), *tiny]) == 0
    (pictures / "a.png").write_bytes((pictures / "p0.png").read_bytes()[:200])
    (pictures / "p2b.jpg").touch()
    assert main(["pca", str(pictures), "-o", str(tmp_path / "out"), *tiny]) == 1
    first, second, last = capsys.readouterr().err.splitlines()  # quiet or not
    assert first.startswith(f"left out: {pictures / 'a.png'}: the picture cannot be decoded")
    assert second == f"left out: {pictures / 'p2b.jpg'}: the file is empty; make it again or remove it"
    assert last == "videoparts: 2 of 6 pictures could not be used, the others are done"
    assert tree(tmp_path / "out") == tree(tmp_path / "without")


def test_nothing_else_is_replaced(
    pictures: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (out / "rgb").mkdir(parents=True)
    (out / "rgb" / "mine.png").write_bytes((pictures / "p0.png").read_bytes())
    before = tree(out)
    assert main(["pca", str(pictures), "-o", str(out), *tiny]) == 2
    assert "rgb holds mine.png, which an earlier run did not make" in capsys.readouterr().err
    assert tree(out) == before
    assert main(["pca", str(out / "rgb" / "mine.png"), "-o", str(out), *tiny]) == 2
    assert "is an input too" in capsys.readouterr().err
    assert tree(out) == before


def test_a_clip_becomes_a_clip(tiny: list[str], tmp_path: Path) -> None:
    import av

    clip = Clip(frames=10, sound=True).write(tmp_path / "clip.mp4")
    out = tmp_path / "pca.mp4"
    assert main(["pca", str(clip), "-o", str(out), *tiny]) == 0
    with av.open(str(clip)) as a, av.open(str(out)) as b:
        assert len(b.streams.audio) == 1
        times = [[frame.pts * frame.time_base for frame in one.decode(video=0)] for one in (a, b)]
        assert times[0] == times[1]
        assert b.streams.video[0].height == 96
    frames = tmp_path / "frames"
    assert main(["pca", str(clip), "-o", str(frames), "--every", "5", *tiny]) == 0
    assert sorted(path.name for path in (frames / "rgb").iterdir()) == ["00000.png", "00005.png"]


def test_a_grid(pictures: Path, tiny: list[str], tmp_path: Path) -> None:
    given = [str(pictures / "p0.png"), str(pictures / "p2.png"), "--grid", "--facets", "key,value"]
    assert main(["pca", *given, "-o", str(tmp_path / "g"), *tiny]) == 0
    assert main(["pca", *given, "-o", str(tmp_path / "g.png"), "--layers", "0,1,2,3", *tiny]) == 0
    assert np.array_equal(seen(tmp_path / "g" / "grid.png"), seen(tmp_path / "g.png"))
    assert main(["pca", *given, "-o", str(tmp_path / "f.jpg"), "--layers", "-1", *tiny]) == 0
    assert seen(tmp_path / "f.jpg").shape[0] < seen(tmp_path / "g.png").shape[0] / 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["pictures", "-o", "out.png"], "one picture needs --grid"),
        (["pictures", "-o", "out.mp4", "--grid"], "--grid makes a picture"),
        (["pictures", "-o", "out.mp4", "--components", "4"], "a video shows three components of one clip"),
        (["pictures", "-o", "out.mp4"], "p2.png is 64x96 where the other pictures are 96x64"),
        (["pictures", "-o", "out", "--start", "3"], "pictures have no times"),
        (["pictures", "-o", "out", "--fps", "30"], "--fps is of clips, and these are pictures: leave it out"),
        (["pictures", "-o", "out", "--codec", "libx264"], "--codec libx264: no video is written to out; leave it out"),
        (["pictures", "-o", "out", "--quality", "20"], "--quality 20: no video is written to out; leave it out"),
        (["pictures", "-o", "g.png", "--grid", "--speed", "fast"], "--speed fast: no video is written to g.png"),
        (["pictures", "-o", "out", "--facets", "key"], "--facets says what --grid shows: add --grid, or give --facet"),
        (["pictures", "-o", "out", "--grid", "--frames", "2"], "in all pictures that it shows: leave --frames out"),
        (["pictures", "-o", "out", "--grid", "--layer", "1"], "--layer says what is shown without --grid"),
        (["pictures", "-o", "out", "--grid", "--facet", "value"], "leave it out, or give --facets"),
        (["pictures", "-o", "out", "--components", "0"], "--components must be 1 to 64, got 0"),
        (["pictures", "-o", "out", "--components", "49"], "--components 49: descriptors of this model have 48 numbers"),
        (["pictures", "-o", "out", "--grid", "--facets", "keys"], "keys is none of key, query, value, token"),
        (["pictures", "-o", "out", "--grid", "--layers", "4"], "has blocks 0 to 3"),
        (["pictures", "-o", "out", "--grid", "--components", "2"], "--grid shows the first three components"),
        (["pictures", "-o", "out", "--layers", "1"], "--layers says what --grid shows"),
        (["pictures", "-o", "out", "--each", "--frames", "2"], "leave --frames out"),
        (["-o", "out"], "no input is given; name pictures, folders of pictures, or a clip"),
        (["nowhere", "-o", "out"], "there is no such picture or folder"),
        (["empty", "-o", "out"], "holds no pictures"),
        (["broken.png", "-o", "out"], "broken.png: this is not a picture, or a broken one; make it again or remove it"),
        (["icon.png", "-o", "out"], "icon.png: is 3x3, smaller than one patch of 4x4"),
        (["slim.png", "-o", "out"], "slim.png: is 400x20, more than 16 times as long as wide"),
        (["slim.png", "-o", "out.png", "--grid"], "slim.png: is 400x20, more than 16 times as long as wide"),
        (["icon.png", "slim.png", "-o", "out"], "leave it out; and none of the 1 others can be used either"),
        (["plain.png", "-o", "out", "--foreground"], "every picture is of one colour, there is no object; give others"),
        (["pictures", "-o", "broken.png/out"], "a part of its path is a file: choose another place"),
    ],
)
def test_what_is_wrong_is_one_line(
    given: list[str],
    said: str,
    pictures: Path,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(pictures.parent)
    Path("empty").mkdir()
    Path("broken.png").write_text("no picture")
    Image.fromarray(picture(0, 3, 3)).save("icon.png")
    Image.fromarray(picture(0, 20, 400)).save("slim.png")
    Image.new("RGB", (64, 48), (90, 120, 30)).save("plain.png")
    before = sorted(pictures.parent.iterdir())
    assert main(["pca", *given, *tiny]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert sorted(pictures.parent.iterdir()) == before


def test_too_many_for_a_grid(
    pictures: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(4, 9):
        Image.fromarray(picture(i)).save(pictures / f"p{i}.png")
    assert main(["pca", str(pictures), "-o", str(tmp_path / "g.png"), "--grid", *tiny]) == 2
    assert "up to 8 pictures, not 9" in capsys.readouterr().err


def test_presets_are_read() -> None:
    read = parse(["pca", "images", "-o", "out", "--preset", "fast", "--layer", "11"])
    assert read.extractor.load_size == PRESETS["fast"].extractor.load_size  # type: ignore[union-attr]
    assert read.extractor.layer == 11  # type: ignore[union-attr]


def test_the_object_of_real_pictures(photograph: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    for i, cut in enumerate((photograph, photograph[:, 40:600], photograph[20:, 30:])):
        Image.fromarray(np.ascontiguousarray(cut)).save(tmp_path / f"p{i}.png")
    out = tmp_path / "out"
    inputs = [str(tmp_path / f"p{i}.png") for i in range(3)]
    assert (
        main(["pca", *inputs, "-o", str(out), "--foreground", "--load-size", "168", "--offline", "--device", "cpu"])
        == 0
    )
    rgb = seen(out / "rgb" / "p0.png")
    shown = (rgb.max(axis=-1) > 0).mean()
    assert 0.02 < shown < 0.6
    common = tmp_path / "common"
    assert main(["cosegment", *inputs, "-o", str(common), "--load-size", "168", "--offline", "--device", "cpu"]) == 0
    object_ = seen(common / "object" / "p0.png") > 0  # what cosegment finds in them
    painted = rgb.max(axis=-1) > 0.15 / 2 * 255
    assert (painted & object_).sum() > 0.9 * (painted | object_).sum()
    cropped = seen(out / "rgb" / "p1.png")
    rgb = rgb[:, 40:600]
    both = (rgb.max(axis=-1) > 0) & (cropped.max(axis=-1) > 0)
    assert both.mean() > shown / 2  # the same object,
    assert np.median(np.abs(rgb[both].astype(int) - cropped[both])) < 25  # in much the same colours

"""The summary of a batch: its table, its contact sheet opened in a real browser, and the picture of each clip."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import media
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from videoparts.pipelines.batches.contact import FILE as CONTACT
from videoparts.pipelines.batches.contact import showing, write_contact
from videoparts.pipelines.batches.summary import CSV, PAGE, Row, write_summary

from videoparts.config import RefineSettings
from videoparts.editing.edits import Drop, Merge, Recolor, save_edits
from videoparts.errors import OutputError, SourceError
from videoparts.identity import ExtractorIdentity
from videoparts.masks import Part, PartMasks
from videoparts.reports.joints import JointCounter
from videoparts.reports.report import MaskReport
from videoparts.reports.tracks import Track
from videoparts.results.manifest import Manifest, ManifestModel, ManifestSource, versions
from videoparts.results.runs import Run
from videoparts.sinks.pages.viewer import Viewer
from videoparts.sources import SourceSettings, open_source
from videoparts.sources.base import Source

Pixels = npt.NDArray[np.uint8]

RED, GREEN = Part(1, "head", (255, 0, 0)), Part(2, "body", (0, 255, 0))
NASTY = "<img src=x onerror=alert(1)></script>\"&'"
FOLDERS = (
    "plain",
    "day 1/horse #2?",
    "50%41/ü 日本",
    "<script>alert(1)</script>/\"'&amp;",
    "two\nlines",
    "back\\slash",
    "c:colon",
    "=1+1",
    "\udc80 no text",  # a byte that is no UTF-8
)


def result(
    folder: Path,
    source: Source,
    parts: Sequence[Part] = (RED, GREEN),
    labels: Callable[[int, int, int], Pixels] | None = None,
) -> Path:
    """What a run leaves of a clip: its kept masks and its manifest. The labels are known, so no ViT is needed."""
    paint = labels or halves
    run, report, counter = Run(folder, "0" * 16), MaskReport(parts), JointCounter()
    store = run.masks()
    for batch in source.batches(1):
        made = paint(int(batch.index[0]), *batch.size)[None]
        masks = PartMasks(batch, made, np.where(made > 0, 255, 0).astype(np.uint8))
        joints = [counter.add(batch.pixels[0], made[0])]
        store.write(masks, joints)
        report.write(masks, joints, np.arange(256, dtype=np.uint8))
    store.close()
    run.model_path.write_bytes(b"")  # no edit here divides parts, which is what a model is read for
    found = [{"number": one.number, "name": one.name, "colour": list(one.colour)} for one in parts]
    Manifest(
        source=ManifestSource.of(source.info, len(report.frames)),
        frames=report.frames,
        settings={
            "source": {"sha256": "", **asdict(SourceSettings())},
            "refine": asdict(RefineSettings()),
            "run": run.key,
            "found": {"parts": found, "hidden": [], "within": [one.number for one in parts]},
        },
        part_model=ManifestModel("0" * 64, ExtractorIdentity("vit", 9, "key", 14, 448, False, "abc")),
        parts=tuple(parts),
        tracks=report.tracks,
        formats={},
        versions=versions(),
        report=report.finish(),
    ).save(folder)
    return folder


def halves(_: int, height: int, width: int) -> Pixels:
    """The first part above the second, in the middle half of the frame."""
    labels = np.zeros((height, width), np.uint8)
    labels[height // 4 : height // 2, width // 4 : -width // 4] = 1
    labels[height // 2 : -height // 4, width // 4 : -width // 4] = 2
    return labels


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.Clip(frames=12, rate=Fraction(10)).write(tmp_path_factory.mktemp("clip") / "clip.mp4")


def picture(path: Path) -> tuple[Pixels, Pixels]:
    """The two halves of a contact picture."""
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        pixels = np.asarray(image)
    width = pixels.shape[1] // 2
    return pixels[:, :width], pixels[:, width:]


# ---- the picture of a clip


@pytest.mark.parametrize(
    ("size", "aspect", "wanted"),
    [
        ((96, 128), None, (96, 128)),  # never enlarged
        ((360, 640), None, (180, 320)),
        ((640, 360), None, (240, 135)),
        ((480, 640), None, (240, 320)),
        ((240, 360), Fraction(32, 27), (180, 320)),  # stored 3:2, seen 16:9
        ((240, 360), Fraction(8, 9), (240, 320)),  # seen 4:3
        ((40, 640), None, (20, 320)),
    ],
)
def test_the_frame_beside_itself_with_parts(
    tmp_path: Path, size: tuple[int, int], aspect: Fraction | None, wanted: tuple[int, int]
) -> None:
    height, width = size
    made = media.Clip(frames=2, height=height, width=width, pixel_aspect=aspect).write(tmp_path / "x.mp4")
    source = open_source(made)
    left, right = picture(write_contact(result(tmp_path / "out", source), source))
    assert left.shape[:2] == right.shape[:2] == wanted
    if height < 96:
        return
    frame = next(source.batches(1)).pixels[0]
    for (y, x), colour in {(0.375, 0.35): RED.colour, (0.6, 0.35): GREEN.colour, (0.1, 0.1): None}.items():
        seen = frame[int(y * height), int(x * width)].astype(float)
        shown = [half[int(y * wanted[0]), int(x * wanted[1])] for half in (left, right)]
        assert np.abs(shown[0] - seen).max() < 16
        painted = seen if colour is None else 0.45 * seen + 0.55 * np.array(colour)
        assert np.abs(shown[1] - painted).max() < 16


def test_it_is_of_the_frame_that_shows_the_most(tmp_path: Path, clip: Path) -> None:
    def labels(i: int, height: int, width: int) -> Pixels:
        made = halves(i, height, width)
        return made if i == 7 else np.where(made == 1, made, 0).astype(np.uint8)

    for name, settings in (("all", SourceSettings()), ("some", SourceSettings(start="0.3", every=2))):
        source = open_source(clip, settings)
        left, right = picture(write_contact(result(tmp_path / name, source, labels=labels), source))
        assert media.number(left) == 7
        assert np.abs(right[60, 64].astype(int) - left[60, 64]).max() > 60


def track(*area: int) -> Track:
    n = len(area)
    return Track(1, np.array(area), np.zeros((n, 4), np.int32), np.zeros((n, 2)))


@pytest.mark.parametrize(
    ("tracks", "wanted"),
    [
        ([], 3),  # the middle
        ([track(0, 0, 0, 0, 0, 0)], 3),
        ([track(9, 9, 9, 9, 9, 9)], 0),
        ([track(9, 50, 11, 10, 12, 90)], 2),  # the usual size is 11.5, and the first of equals counts
        ([track(9, 9, 9, 9, 9, 9), track(0, 0, 0, 0, 8, 8)], 4),  # more parts
        ([track(9, 9, 9, 9, 9, 9), track(0, 3, 0, 8, 8, 8)], 3),  # a speck of a part is none
    ],
)
def test_which_frame_shows_the_most(tracks: list[Track], wanted: int) -> None:
    assert showing(tracks, 6) == wanted


def test_parts_are_those_that_edits_have_made(tmp_path: Path, clip: Path) -> None:
    source = open_source(clip)
    folder = result(tmp_path / "out", source, (RED, GREEN, Part(3, "tail", (0, 0, 255))))
    save_edits(folder / "edits.json", [Merge((2, 3)), Recolor(2, "#0000ff"), Drop((1,))])
    left, right = picture(write_contact(folder, source))
    assert np.abs(right[36, 45].astype(int) - left[36, 45]).max() < 8  # dropped
    assert np.abs(right[60, 45] - (0.45 * left[60, 45] + np.array([0, 0, 0.55 * 255]))).max() < 16


def test_a_clip_in_which_nothing_is_found_has_a_picture(tmp_path: Path, clip: Path) -> None:
    source = open_source(clip)
    folder = result(tmp_path / "out", source, (RED,), lambda _, *size: np.zeros(size, np.uint8))
    left, right = picture(write_contact(folder, source))
    assert media.number(left) == 6
    assert np.abs(left.astype(int) - right).max() < 16


def test_the_same_bytes_and_nothing_beside_them(tmp_path: Path, clip: Path) -> None:
    source = open_source(clip)
    path = write_contact(result(tmp_path / "a", source), source)
    assert path == tmp_path / "a" / CONTACT
    assert write_contact(result(tmp_path / "b", source), open_source(clip)).read_bytes() == path.read_bytes()
    assert {one.name for one in (tmp_path / "a").iterdir()} == {".videoparts", "manifest.json", CONTACT}


def test_what_is_wrong_is_one_line_and_the_picture_stays(tmp_path: Path, clip: Path) -> None:
    source = open_source(clip)
    before = write_contact(result(tmp_path / "out", source), source).read_bytes()
    other = media.Clip(frames=12, height=64, rate=Fraction(10)).write(tmp_path / "other.mp4")
    with pytest.raises(SourceError, match=r"other\.mp4: gives other frames"):
        write_contact(tmp_path / "out", open_source(other))
    for piece in (tmp_path / "out").glob(".videoparts/*/*.npz"):
        piece.unlink()
    with pytest.raises(OutputError, match="run videoparts masks again"):
        write_contact(tmp_path / "out", source)
    assert (tmp_path / "out" / CONTACT).read_bytes() == before
    with pytest.raises(SourceError, match=r"no manifest\.json"):
        write_contact(tmp_path / "nothing", source)


# ---- the batch that the other tests look at


@dataclass
class Made:
    output: Path
    rows: list[Row]

    def write(self, *, parts_shared: bool = False) -> None:
        write_summary(self.output, self.rows, parts_shared=parts_shared)

    def table(self) -> list[dict[str, str]]:
        with (self.output / CSV).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """The folder of a clip that is done, with its picture and its page."""
    source = open_source(clip)
    folder = result(tmp_path_factory.mktemp("done") / "out", source, (RED, Part(2, NASTY, GREEN.colour)))
    write_contact(folder, source)
    with Viewer(folder, source.info, (RED, GREEN), title="the page of the clip") as viewer:
        for batch in source.batches(4):
            viewer.write(PartMasks(batch, np.stack([halves(0, *batch.size)] * len(batch))))
    return folder


@pytest.fixture
def batch(tmp_path: Path, done: Path) -> Made:
    output = tmp_path / "batch"
    rows = []
    for name in FOLDERS:
        shutil.copytree(done, output / name, ignore=shutil.ignore_patterns(".videoparts"))
        rows.append(Row(name, Path("footage") / f"{name}.mp4", "done"))
    rows.append(Row("bad/1", Path("-bad.mp4"), "failed", f"-bad.mp4: {NASTY}\nis wrong; make it again"))
    rows.append(Row("bad/2", Path("@bad.mp4"), "failed", "@bad.mp4: the file is empty; make or copy it again"))
    rows.append(Row("later", Path("later.mp4"), "waiting"))
    made = Made(output, rows)
    made.write()
    return made


# ---- the table


def test_the_table_is_read_back(batch: Made) -> None:
    table = batch.table()
    apostrophe = {"=1+1": "'=1+1", "\udc80 no text": "\\udc80 no text"}
    assert [one["clip"] for one in table] == [apostrophe.get(row.name, row.name) for row in batch.rows]
    assert [one["status"] for one in table] == [row.status for row in batch.rows]
    head, *_ = table
    assert {name: head[name] for name in ("input", "frames", "width", "height", "seconds", "cuts", "parts")} == {
        "input": "footage/plain.mp4",
        "frames": "12",
        "width": "128",
        "height": "96",
        "seconds": "1.2",
        "cuts": "0",
        "parts": "2",
    }
    assert float(head["coverage"]) == 0.25
    assert (head["part1_name"], float(head["part1_coverage"])) == ("head", 0.125)
    assert (head["part2_name"], float(head["part2_coverage"])) == (NASTY, 0.125)
    assert float(head["t160"]) > 0.9
    assert float(head["flicker"]) < 0.1
    first, second, later = table[-3:]
    assert first["error"] == f"'-bad.mp4: {NASTY} is wrong; make it again"
    assert (first["input"], second["input"]) == ("'-bad.mp4", "'@bad.mp4")
    assert (later["error"], later["frames"], later["coverage"]) == ("", "", "")
    assert b"\r\n" in (batch.output / CSV).read_bytes()


def test_columns_are_those_of_parts_that_some_clip_has(tmp_path: Path, clip: Path) -> None:
    source = open_source(clip, SourceSettings(end="0.3"))
    result(tmp_path / "a", source)
    result(tmp_path / "b", source, (Part(7, "=tail", (0, 0, 255)),), lambda _, *size: np.full(size, 7, np.uint8))
    write_summary(tmp_path, [Row(name, Path(name), "done") for name in ("a", "b")], parts_shared=False)
    a, b = Made(tmp_path, []).table()
    assert [name for name in a if name.startswith("part")] == [
        "parts",
        *(f"part{k}_{what}" for k in (1, 2, 7) for what in ("name", "coverage")),
    ]
    assert (a["part7_name"], a["part7_coverage"]) == ("", "")
    assert (b["part1_name"], b["part7_name"], float(b["part7_coverage"]), b["parts"]) == ("", "'=tail", 1.0, "1")


def test_a_broken_manifest_makes_its_row_say_so(batch: Made) -> None:
    whole = (batch.output / "plain" / "manifest.json").read_bytes()
    broken: list[bytes | None] = [None, b"", b"{", b"[]", whole[:-9], whole.replace(b'"frames":12', b'"frames":13')]
    for content in broken:
        (batch.output / "plain" / "manifest.json").unlink()
        if content is not None:
            (batch.output / "plain" / "manifest.json").write_bytes(content)
        batch.write()
        first, second, *_ = batch.table()
        assert (first["status"], first["frames"], second["status"]) == ("unreadable", "", "done")
        assert first["error"].startswith("manifest.json is missing or broken")
        assert 'data-status="unreadable"' in (batch.output / PAGE).read_text()
        (batch.output / "plain" / "manifest.json").write_bytes(b"")
    shutil.rmtree(batch.output / "plain")
    batch.write()
    assert batch.table()[0]["status"] == "unreadable"


def test_the_same_bytes_wherever_it_lies(batch: Made, tmp_path: Path) -> None:
    def content(folder: Path) -> list[bytes]:
        return [(folder / name).read_bytes() for name in (CSV, PAGE)]

    first = content(batch.output)
    batch.write()
    assert content(batch.output) == first
    batch.output.rename(tmp_path / "elsewhere")
    write_summary(tmp_path / "elsewhere", batch.rows, parts_shared=False)
    assert content(tmp_path / "elsewhere") == first


def test_an_empty_batch(tmp_path: Path) -> None:
    write_summary(tmp_path, [], parts_shared=True)
    assert Made(tmp_path, []).table() == []
    assert "<h1>0 clips</h1>" in (tmp_path / PAGE).read_text()


def test_a_full_disk_leaves_what_was_there(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(8 * 4096)
    write_summary(disk, [Row("a", Path("a.mp4"), "waiting")], parts_shared=False)
    before = {path.name: path.read_bytes() for path in disk.iterdir()}
    with pytest.raises(OutputError, match="the disk is full"):
        write_summary(disk, [Row(f"a{k}", Path("a.mp4"), "waiting") for k in range(999)], parts_shared=False)
    assert {path.name: path.read_bytes() for path in disk.iterdir()} == before


# ---- the contact sheet, in a browser


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page of a batch. In the end: it asked for nothing but files, and complained of nothing."""
    contexts, requests, complaints = [], [], []

    def open_(made: Made, **more: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **more})
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.accept()))
        page.goto((made.output / PAGE).as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests), requests
    assert complaints == []


def seen(page: Any) -> list[str]:
    """The names of the cards that are shown, in their order."""
    return list(page.locator(".clip:visible h2").all_text_contents())


@pytest.mark.parametrize("script", [True, False])
def test_names_and_reasons_are_text(batch: Made, opened: Callable[..., Any], script: bool) -> None:
    page = opened(batch, java_script_enabled=script)
    assert seen(page) == [row.name.replace("\udc80", "\ufffd") for row in batch.rows]
    assert page.locator("script").count() == 1
    assert page.locator(".clip img").count() == len(FOLDERS)
    reason = page.locator(".failed .picture").first
    assert reason.inner_text() == f"-bad.mp4: {NASTY} is wrong; make it again"
    assert page.locator(".clip .part .name").nth(1).inner_text() == NASTY
    assert page.locator("#controls").is_visible() == script
    assert page.locator(".facts").nth(1).inner_text() == "12 frames 128\u202f×\u202f96 1.2 s 25.0\u202f% covered"


def test_pictures_are_seen(batch: Made, opened: Callable[..., Any]) -> None:
    page = opened(batch)
    for image in page.locator(".clip img").all():
        image.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete", arg=image.element_handle())
        assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [256, 96]
    alt = page.locator(".clip img").first.get_attribute("alt")
    assert alt == "A frame of plain, and the same frame with its parts in colour"
    colours = page.locator(".clip .part i").evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")
    assert colours == ["rgb(255, 0, 0)", "rgb(0, 255, 0)"] * len(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_links_lead_to_the_clip_and_its_folder(batch: Made, opened: Callable[..., Any], name: str) -> None:
    page = opened(batch)
    card = page.locator(".clip").nth(FOLDERS.index(name))
    card.locator("h2 a").click()
    page.wait_for_function("() => window.viewer !== undefined && document.title === 'the page of the clip'")
    page.go_back()
    card.locator(".picture").click()
    page.wait_for_url("**/viewer.html")
    page.go_back()
    card.get_by_role("link", name="Folder of").click()
    page.wait_for_function("() => document.body.innerText.includes('viewer.html')")


def test_a_clip_without_a_page_or_a_picture_has_no_dead_links(batch: Made, opened: Callable[..., Any]) -> None:
    (batch.output / "plain" / "viewer.html").unlink()
    (batch.output / FOLDERS[1] / CONTACT).unlink()
    batch.write()
    page = opened(batch)
    first, second = page.locator(".clip").nth(0), page.locator(".clip").nth(1)
    assert (first.locator("a").count(), first.locator("img").count()) == (1, 1)
    assert second.locator(".picture").inner_text() == "There is no picture."
    assert page.locator(".failed a, .waiting a").count() == 0


def test_cards_are_found_by_name_and_status(batch: Made, opened: Callable[..., Any]) -> None:
    page = opened(batch)
    page.keyboard.press("/")
    page.keyboard.type("BAD")
    assert seen(page) == ["bad/1", "bad/2"]
    assert page.locator("#shown").inner_text() == f"2 of {len(batch.rows)}"
    page.keyboard.press("Enter")  # it is no form to be sent
    page.keyboard.press("Tab")  # on to the status, which arrows choose
    assert page.evaluate("document.activeElement.value") == ""
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.value") == "done"
    assert seen(page) == []
    assert page.locator("#none").is_visible()
    page.keyboard.press("ArrowRight")
    assert seen(page) == ["bad/1", "bad/2"]
    page.locator("#name").fill("")
    assert seen(page) == ["bad/1", "bad/2"]
    page.get_by_label("Waiting").check(force=True)
    assert seen(page) == ["later"]
    page.get_by_label("All").check(force=True)
    page.locator("#name").fill("ü 日")
    assert seen(page) == ["50%41/ü 日本"]
    assert page.locator("#none").is_hidden()


def test_cards_are_ordered(tmp_path: Path, clip: Path, opened: Callable[..., Any]) -> None:
    def upper(share: int) -> Callable[[int, int, int], Pixels]:
        def labels(_: int, height: int, width: int) -> Pixels:
            made = np.zeros((height, width), np.uint8)
            made[: height * share // 8] = 1
            return made

        return labels

    rows = [Row("clip10", Path("x"), "waiting")]
    for name, share, end in (("clip9", 3, "0.5"), ("Clip1", 6, "0.2"), ("clip2", 1, "0.9")):
        result(tmp_path / name, open_source(clip, SourceSettings(end=end)), (RED,), upper(share))
        rows.append(Row(name, Path("x"), "done"))
    made = Made(tmp_path, rows)
    made.write()
    page = opened(made)
    wanted = {
        "name": ["Clip1", "clip2", "clip9", "clip10"],
        "least covered first": ["clip2", "clip9", "Clip1", "clip10"],
        "most covered first": ["Clip1", "clip9", "clip2", "clip10"],
        "fewest frames first": ["Clip1", "clip9", "clip2", "clip10"],
        "most frames first": ["clip2", "clip9", "Clip1", "clip10"],
        "as given": ["clip10", "clip9", "Clip1", "clip2"],
    }
    for order, names in wanted.items():
        page.get_by_label("Order").select_option(label=order)
        assert seen(page) == names
    page.get_by_label("Order").select_option(label="name")
    page.get_by_label("Done").check(force=True)
    assert seen(page) == wanted["name"][:3]


def test_shared_parts_are_told_once(tmp_path: Path, clip: Path, opened: Callable[..., Any]) -> None:
    source = open_source(clip, SourceSettings(end="0.3"))
    for name in ("a", "b"):
        result(tmp_path / name, source)
    result(tmp_path / "c", source, (RED, Part(2, "trunk", (0, 0, 255))))  # renamed by an edit
    made = Made(tmp_path, [Row(name, Path(name), "done") for name in ("c", "a", "b")])
    made.write(parts_shared=True)
    page = opened(made)
    assert page.locator("#legend .name").all_inner_texts() == ["head", "body"]
    assert page.locator(".clip .name").all_inner_texts() == ["trunk"]
    assert page.locator(".clip").nth(1).locator(".part").all_text_contents() == [
        "head 12.5\u202f%",  # for those who do not see the colour
        "body 12.5\u202f%",
    ]
    made.write()
    page = opened(made)
    assert page.locator("#legend").count() == 0
    assert page.locator(".clip .name").all_inner_texts() == ["head", "trunk", "head", "body", "head", "body"]


@pytest.mark.parametrize("width", [320, 390, 760, 1280, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window(batch: Made, opened: Callable[..., Any], width: int, scheme: str) -> None:
    page = opened(batch, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) > 384) == (scheme == "light")

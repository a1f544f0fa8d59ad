"""The page, opened from the disk in a real browser and used with real clicks and keys."""

from __future__ import annotations

import json
import random
from fractions import Fraction

import media
import numpy as np
import pytest
from page import HEIGHT, MS, WIDTH, Page, info, measured

from videoparts.errors import OutputError
from videoparts.frames import FrameBatch
from videoparts.masks import Part, PartMasks
from videoparts.sinks.formats import FormatSink
from videoparts.sinks.pages.viewer import Viewer
from videoparts.sinks.pages.viewer_labels import Nearest, packed, runs
from videoparts.sinks.pages.viewer_page import around, json_element
from videoparts.sinks.pages.viewer_proxy import proxy_size

NASTY = "<img src=x onerror=alert(1)></script><!--\"&'"
PARTS = (
    Part(1, "head", (255, 0, 0)),
    Part(2, NASTY, (0, 255, 0)),
    Part(5, "tail", (0, 0, 255)),
)
CONSTANT = [40 * n for n in range(30)]


def labels_of(n):
    """Three bands whose edges move with the frame's number, so that no two frames look the same."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[8:20, 4 : 20 + n] = 1
    labels[24:40, 2 * n : 2 * n + 30] = 2
    labels[44:60, 100 - n : 120] = 5
    labels[90:, 50 + n : 70 + n] = 1
    return labels


def batches(times, size=7, names=None):
    for first in range(0, len(times), size):
        some = range(first, min(first + size, len(times)))
        frames = FrameBatch(
            np.stack([media.picture(n, HEIGHT, WIDTH) for n in some]),
            np.array(some) + 100,
            np.array([times[n] for n in some]),
            MS,
            None if names is None else tuple(names[n] for n in some),
        )
        yield PartMasks(frames, np.stack([labels_of(n) for n in some]))


def make(folder, times=CONSTANT, size=7, parts=PARTS, names=None, **more):
    with Viewer(folder, info(), parts, **more) as sink:
        for masks in batches(times, size, names):
            sink.write(masks)
    return sink.path


# ---- the file


def test_it_is_a_sink_with_one_output(tmp_path):
    sink: FormatSink = Viewer(tmp_path / "out", info(), PARTS)
    assert sink.outputs == (tmp_path / "out" / "viewer.html",)
    assert sink.notes == ()
    assert list(tmp_path.iterdir()) == []  # nothing is touched before the with begins


def test_the_same_bytes_whatever_the_batches(tmp_path):
    one = make(tmp_path / "a", size=7).read_bytes()
    assert make(tmp_path / "b", size=30).read_bytes() == one
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["viewer.html"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path, error):
    with pytest.raises(error), Viewer(tmp_path / "a" / "b", info(), PARTS) as sink:  # noqa: PT012
        sink.write(next(batches(CONSTANT)))
        raise error
    assert list(tmp_path.iterdir()) == []


def test_no_frames(tmp_path):
    with pytest.raises(OutputError, match="no frame"), Viewer(tmp_path / "out", info(), PARTS):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pages", [1, 4, 10, 14])
def test_a_full_disk_leaves_nothing(small_disk, pages):
    disk = small_disk(pages * 4096)
    with pytest.raises(OutputError, match="the disk is full"):
        make(disk / "out")
    assert list(disk.iterdir()) == []


def test_the_source_is_never_replaced(tmp_path):
    with pytest.raises(OutputError, match="is an input too"):
        Viewer(tmp_path, info(tmp_path / "viewer.html"), PARTS)


def test_frames_of_another_size_are_a_mistake(tmp_path):
    with pytest.raises(ValueError, match="frames must be"), Viewer(tmp_path, info(height=48), PARTS) as sink:
        sink.write(next(batches(CONSTANT)))


# ---- its pieces


def test_runs_give_the_labels_back():
    rng = np.random.default_rng(0)
    for labels in (
        rng.integers(0, 3, (33, 41), dtype=np.uint8),
        np.zeros((1, 1), np.uint8),
        np.full((300, 65535), 7, np.uint8),
        np.r_[np.zeros(65535, np.uint8), np.ones(65536, np.uint8), np.full(3, 255, np.uint8)][None],
    ):
        values, lengths = runs(labels)
        assert lengths.max() <= 65535
        assert np.array_equal(np.repeat(values, lengths), labels.ravel())


def test_noise_is_not_too_much_for_a_group():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    assert len(packed([runs(labels)] * 12)) < 3 * 12 * labels.size


def test_nearest_takes_the_middle_and_leaves_out_what_is_not_kept():
    labels = np.repeat(np.arange(6, dtype=np.uint8)[None], 4, 0)
    assert Nearest((2, 2), [1, 2, 3, 4])(labels).tolist() == [[1, 4], [1, 4]]
    assert Nearest((4, 6), [2, 5])(labels)[0].tolist() == [0, 0, 2, 0, 0, 5]


@pytest.mark.parametrize(
    ("size", "aspect", "wanted"),
    [
        ((720, 1280), 1, (480, 854)),
        ((1280, 720), 1, (854, 480)),
        ((96, 128), 1, (96, 128)),
        ((33, 41), 1, (32, 40)),
        ((1, 1), 1, (2, 2)),
        ((576, 720), Fraction(16, 15), (576, 768)),
        ((480, 720), Fraction(8, 9), (540, 720)),
        ((10, 4000), 1, (2, 854)),
    ],
)
def test_proxy_sizes(size, aspect, wanted):
    assert proxy_size(info(height=size[0], width=size[1], pixel_aspect=Fraction(aspect))) == wanted


def test_no_text_ends_the_data():
    hostile = ["</script>", "<!--", "]]>", "\u2028", "a&b", "\udc80", '"\\']
    element = json_element("facts", hostile)
    assert element.isascii()
    body = element[element.index(">") + 1 : element.rindex("</script>")]
    assert not set("<>&") & set(body)
    assert json.loads(body) == hostile


def test_a_title_is_text():
    before, after = around("</title><script>alert(1)</script>{{script}}\udc80é")
    assert "<script>alert(1)" not in before + after
    assert "&lt;/title&gt;" in before
    assert "{{script}}" in before  # as it was given, not replaced
    (before + after).encode()


# ---- in the browser


@pytest.fixture
def opened(browser):
    pages = []

    def open_(path, **more):
        pages.append(Page(browser, path, **more))
        return pages[-1]

    yield open_
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return make(tmp_path_factory.mktemp("viewer"))


@pytest.mark.parametrize("times", [CONSTANT, media.VFR_TIMES, [7]], ids=["constant", "variable", "single"])
def test_picture_labels_and_number_belong_together(tmp_path, opened, times):
    it = opened(make(tmp_path, times))
    count = len(times)

    def check(wanted):
        it.at(wanted)
        frame, number, labels = it.shown()
        assert (frame, number) == (wanted, wanted)
        assert np.array_equal(labels, labels_of(wanted))

    it.page.keyboard.press("[")  # keys reach the page
    for _ in range(10):
        it.page.keyboard.press("[")  # opacity 0: the picture as it is
    check(0)
    for n in range(1, count):
        it.page.keyboard.press("ArrowRight")
        check(n)
    it.page.keyboard.press("ArrowRight")  # there is none after the last
    check(count - 1)
    for n in reversed(range(count - 1)):
        it.page.keyboard.press("ArrowLeft")
        check(n)
    rng = random.Random(0)
    for n in [rng.randrange(count) for _ in range(25)]:
        it.page.evaluate(
            "n => { const s = document.getElementById('scrubber'); s.value = n; s.dispatchEvent(new Event('input')); }",
            n,
        )
        check(n)
    it.page.keyboard.press("End")
    check(count - 1)
    it.page.keyboard.press("Shift+ArrowLeft")
    check(max(0, count - 11))
    it.page.keyboard.press("Home")
    check(0)


def test_while_playing_labels_belong_to_the_picture(tmp_path, opened):
    times = [33 * n for n in range(60)]
    it = opened(make(tmp_path, times))
    # Each paint is looked at from within: the number in the picture against the frame told, and its labels' edge.
    it.page.evaluate(
        """() => {
            window.seen = [];
            const place = document.getElementById("place");
            const canvas = document.getElementById("canvas");
            const context = canvas.getContext("2d");
            new MutationObserver(() => {
                const row = context.getImageData(0, canvas.height - 8, canvas.width, 1).data;
                let number = 0;
                for (let bit = 0; bit < 8; bit++) {
                    const x = Math.floor(((bit + 0.5) * canvas.width) / 8);
                    if (row[4 * x] + row[4 * x + 1] + row[4 * x + 2] > 384) number += 1 << bit;
                }
                const band = viewer.labels.subarray(12 * canvas.width, 13 * canvas.width);
                window.seen.push([viewer.frame, number, band.lastIndexOf(1)]);
            }).observe(place, { childList: true });
        }"""
    )
    it.page.locator("#opacity").fill("0")
    it.page.locator("#play").click()
    it.page.wait_for_function("() => document.getElementById('video').ended", timeout=20000)
    it.at(59)
    seen = it.page.evaluate("seen")
    assert all(frame == number and edge == min(19 + frame, WIDTH - 1) for frame, number, edge in seen), seen
    frames = [frame for frame, *_ in seen]
    assert frames == sorted(frames)
    assert len(set(frames)) > 15, "it plays, and does not only jump"
    assert it.page.locator("#play").get_attribute("aria-label") == "Play"
    it.page.keyboard.press("Space")  # from the end it plays again from the start
    it.page.wait_for_function("() => viewer.frame > 2 && viewer.frame < 50")
    it.page.keyboard.press("Space")
    it.page.wait_for_function("() => document.getElementById('video').paused && viewer.frame === viewer.wanted")
    frame, number, labels = it.shown()
    assert frame == number
    assert np.array_equal(labels, labels_of(frame))


def test_places_are_told_by_number_name_and_time(tmp_path, opened, built):
    it = opened(built)
    assert it.page.locator("#place span").all_inner_texts() == ["1 / 30", "0:00.000", "source frame 100"]
    assert it.page.title() == "clip.mp4"
    assert it.page.locator("#summary").inner_text() == "30 frames, 0:01.200"
    names = [f"shot-{n}<b>" for n in range(30)]
    it = opened(make(tmp_path, [500 + t for t in CONSTANT], names=names, title="A <b>title</b>"))
    it.page.keyboard.press("ArrowRight")
    it.at(1)
    assert it.page.locator("#place span").all_inner_texts() == ["2 / 30", "0:00.540", "shot-1<b>"]
    assert it.page.locator("h1").inner_text() == it.page.title() == "A <b>title</b>"


def painted(it, x, y):
    """The colour of a pixel at full opacity."""
    return it.picture()[y, x].tolist()


def full(it):
    it.page.locator("#opacity").fill("100")


def test_names_are_text_wherever_they_are_shown(opened, built):
    it = opened(built)
    assert it.names() == ["head", NASTY, "tail"]
    it.page.mouse.move(*it.over(10, 30))
    assert it.page.locator("#tip").inner_text() == NASTY
    it.page.mouse.move(*it.over(10, 12))
    assert it.page.locator("#tip").inner_text() == "head"
    it.page.keyboard.press("End")  # the part under a pointer that rests changes with the frame
    it.at(29)
    it.page.mouse.move(*it.over(70, 75))
    assert not it.page.locator("#tip").is_visible()
    it.page.mouse.click(*it.over(70, 30))
    assert NASTY in it.page.locator("#status").inner_text()
    name = it.part(0).locator("input.name")
    name.fill('"><script>alert(2)</script>')
    name.press("Enter")
    it.page.mouse.move(*it.over(10, 12))
    assert it.page.locator("#tip").inner_text() == '"><script>alert(2)</script>'
    assert it.page.locator("script:not([type])").count() == 1
    assert it.page.locator("#list img, #status img, #tip img").count() == 0


def test_solo_and_showing(opened, built):
    it = opened(built)
    full(it)
    head, nasty, tail, none = (10, 12), (10, 30), (110, 50), (70, 75)
    plain = painted(it, *none)
    red, green, blue = [255, 0, 0], [0, 255, 0], [0, 0, 255]
    assert [painted(it, *at) for at in (head, nasty, tail)] == [red, green, blue]

    it.page.mouse.click(*it.over(*head))
    assert painted(it, *head) == red
    assert green != painted(it, *nasty)
    assert blue != painted(it, *tail)
    assert it.part(0).get_by_role("button", name="Only head").get_attribute("aria-pressed") == "true"
    it.page.mouse.click(*it.over(*tail))  # another one instead
    assert painted(it, *tail) == blue
    assert painted(it, *head) != red
    it.page.mouse.click(*it.over(*tail))  # again: all
    assert painted(it, *head) == red
    it.page.keyboard.press("s")  # the pointer is still over the tail
    assert painted(it, *head) != red
    it.page.keyboard.press("Escape")
    assert painted(it, *head) == red
    it.page.mouse.click(*it.over(*none))
    assert painted(it, *none) == plain

    it.page.keyboard.press("2")
    assert painted(it, *nasty) != green
    assert not it.part(1).get_by_role("switch").is_checked()
    it.page.keyboard.press("2")
    assert painted(it, *nasty) == green
    it.part(2).get_by_role("switch").click()
    assert painted(it, *tail) != blue
    it.part(2).get_by_role("button", name="Only tail").click()
    assert painted(it, *tail) == blue
    assert it.edits() == []  # none of this changes the parts


def test_opacity_and_outline(opened, built):
    it = opened(built)
    before = painted(it, 10, 12)
    it.page.keyboard.press("]")
    assert it.page.locator("#opacity").input_value() == "60"
    assert painted(it, 10, 12)[0] > before[0]
    for _ in range(7):
        it.page.keyboard.press("[")
    assert it.page.locator("#opacity").input_value() == "0"
    without = it.picture().astype(int)
    it.page.keyboard.press("o")
    changed = np.abs(it.picture() - without).sum(-1) > 0
    labels = it.shown()[2]
    around = np.pad(labels, 1, "edge")
    inner = np.ones_like(changed)
    for beside in (around[2:, 1:-1], around[:-2, 1:-1], around[1:-1, 2:], around[1:-1, :-2]):
        inner &= beside == labels
    edge = (labels > 0) & ~inner
    assert edge.any()
    assert np.array_equal(changed, edge)
    it.page.locator("#outline").click()
    assert np.array_equal(it.picture(), without)


def tick(it, *places):
    for k in places:
        it.part(k).get_by_role("checkbox", name="Tick").click()


def test_edits_are_shown_saved_and_undone(opened, built, tmp_path):
    it = opened(built, accept_downloads=True)
    full(it)
    name = it.part(0).locator("input.name")
    name.click()
    name.fill("  s o m1z ")  # no letter of it is a command
    name.press("Enter")
    assert it.names()[0] == "s o m1z"
    name.fill("given up")
    name.press("Escape")
    assert it.names()[0] == "s o m1z"

    it.part(0).locator("input[type=color]").evaluate(
        "e => { for (const [value, kind] of [['#ffff00', 'input'], ['#3fa7d6', 'input'], ['#3fa7d6', 'change']])"
        "{ e.value = value; e.dispatchEvent(new Event(kind)); } }"
    )
    assert painted(it, 10, 12) == [0x3F, 0xA7, 0xD6]

    area = [it.part(k).locator(".share").inner_text() for k in range(3)]
    assert area == [f"{(labels_of(0) == k).mean() * 100:.1f} %" for k in (1, 2, 5)]
    assert it.page.locator("#merge").is_disabled()
    tick(it, 1, 2)
    it.page.keyboard.press("m")
    assert it.names() == ["s o m1z", NASTY]
    assert painted(it, 110, 50) == [0, 255, 0]
    assert np.array_equal(it.shown()[2], np.where(labels_of(0) == 5, 2, labels_of(0)))
    assert it.part(1).locator(".share").inner_text() == f"{np.isin(labels_of(0), (2, 5)).mean() * 100:.1f} %"
    it.page.keyboard.press("End")  # and in every frame
    it.at(29)
    assert np.array_equal(it.shown()[2], np.where(labels_of(29) == 5, 2, labels_of(29)))
    it.page.keyboard.press("Home")
    it.at(0)

    tick(it, 0)
    it.page.locator("#drop").click()
    assert it.names() == [NASTY]
    assert 1 not in it.shown()[2]

    wanted = [
        {"do": "rename", "part": 1, "name": "s o m1z"},
        {"do": "recolor", "part": 1, "colour": "#3fa7d6"},
        {"do": "merge", "parts": [2, 5], "name": NASTY},
        {"do": "drop", "parts": [1]},
    ]
    assert it.edits() == wanted
    with it.page.expect_download() as waiting:
        it.page.locator("#save").click()
    assert waiting.value.suggested_filename == "edits.json"
    waiting.value.save_as(tmp_path / "edits.json")
    text = (tmp_path / "edits.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"format": "videoparts.edits/1", "edits": wanted}
    assert len(text.splitlines()) == len(wanted) + 2  # one edit a line

    for left in (3, 2, 1, 0):
        it.page.keyboard.press("z")
        assert it.edits() == wanted[:left]
    assert it.names() == ["head", NASTY, "tail"]
    assert painted(it, 10, 12) == [255, 0, 0]
    assert np.array_equal(it.shown()[2], labels_of(0))
    it.page.keyboard.press("z")
    assert "nothing to undo" in it.page.locator("#status").inner_text()
    for _ in wanted:
        it.page.keyboard.press("Shift+Z")
    assert it.edits() == wanted
    it.page.locator("#undo").click()
    tick(it, 0, 1)
    it.page.locator("#merge").click()  # the first number of the list stays
    assert it.edits()[3:] == [{"do": "merge", "parts": [1, 2], "name": "s o m1z"}]
    assert it.page.locator("#redo").is_disabled()
    assert set(np.unique(it.shown()[2])) == {0, 1}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "needs a name"),
        ("   ", "needs a name"),
        ("tail", "called “tail” already"),
        ("a\u200bb", "printable"),
        ("head, tail", "no comma"),
        ("٣1", "more than a number"),
    ],
)
def test_names_that_cannot_be_are_refused(opened, built, name, told):
    it = opened(built)
    field = it.part(0).locator("input.name")
    field.fill(name)
    field.press("Enter")
    assert told in it.page.locator("#status").inner_text()
    assert it.names() == ["head", NASTY, "tail"]
    assert it.edits() == []


def test_the_page_and_python_agree_on_names(opened, built):
    it = opened(built)
    script = "names => names.map(n => !/[\\p{C}\\p{Zl}\\p{Zp}]|(?! )\\p{Zs}/u.test(n))"
    names = [chr(code) for code in (*range(0x500), 0x2000, 0x2028, 0x200E, 0x3000, 0x4E2D, 0xE000, 0xFEFF, 0x1F600)]
    assert it.page.evaluate(script, names) == [name.isprintable() for name in names]
    assert "/[\\p{C}\\p{Zl}\\p{Zp}]|(?! )\\p{Zs}/u.test(name)" in built.read_text()
    script = "names => names.map(n => /^\\p{Nd}+$/u.test(n))"
    assert it.page.evaluate(script, names) == [name.isdecimal() for name in names]
    assert "/^\\p{Nd}+$/u.test(name)" in built.read_text()


def test_keys_alone_do_everything(opened, built):
    it = opened(built)
    it.page.keyboard.press("?")
    assert it.page.locator("#keys").is_visible()
    it.page.keyboard.press("m")
    it.page.keyboard.press("Escape")
    assert not it.page.locator("#keys").is_visible()
    reached = []
    for _ in range(40):
        it.page.keyboard.press("Tab")
        reached.append(
            it.page.evaluate("() => { const e = document.activeElement; return e.id || e.ariaLabel || e.tagName; }")
        )
    assert {"save", "help"} - set(reached) == {"save"}  # which has nothing to save yet
    assert {"scrubber", "back", "play", "forward", "rate", "opacity", "outline"} <= set(reached)
    for what in ("Tick", "Colour of", "Name of", "Only", "Show"):
        assert f"{what} tail" in reached
    it.page.locator("#forward").focus()
    it.page.keyboard.press("Space")  # a button that has the focus is pressed; nothing plays
    it.at(1)
    it.page.locator("#opacity").focus()
    it.page.keyboard.press("ArrowRight")
    assert it.page.locator("#opacity").input_value() == "55"
    it.page.locator("#scrubber").focus()
    it.page.keyboard.press("Shift+ArrowRight")
    it.at(11)
    assert it.page.locator("#scrubber").input_value() == "11"
    assert it.page.locator("#scrubber").get_attribute("aria-valuetext") == "frame 12 of 30, 0:00.440"


def test_a_sparkline_leads_to_its_frame(opened, built):
    it = opened(built)
    box = it.part(2).locator("svg").bounding_box()
    it.page.mouse.click(box["x"] + box["width"] * 20.5 / 30, box["y"] + 8)
    it.at(20)
    assert np.array_equal(it.shown()[2], labels_of(20))
    assert float(it.part(0).locator("line.now").get_attribute("x1")) == pytest.approx(20.5 / 30 * 300, abs=0.1)


def test_no_parts_at_all(tmp_path, opened):
    it = opened(make(tmp_path, parts=()))
    assert it.page.locator("#none").is_visible()
    assert not it.shown()[2].any()
    it.page.keyboard.press("m")
    it.page.keyboard.press("1")
    it.page.mouse.click(*it.over(10, 12))
    assert it.edits() == []


def test_the_network_is_shut(opened, built):
    """What the policy forbids stays undone even if a script of the page tried."""
    it = opened(built)
    assert it.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'came', () => 'refused')") == "refused"
    asked = [url for url in it.requests if url.startswith("http")]
    assert asked == []
    assert "Content Security Policy" in " ".join(it.complaints)
    it.complaints.clear()


@pytest.mark.parametrize("width", [700, 980, 1600])
def test_nothing_lies_outside_of_the_window(opened, built, width):
    it = opened(built)
    it.page.set_viewport_size({"width": width, "height": 800})
    assert it.page.evaluate("document.documentElement.scrollWidth") <= width
    for k in range(3):
        box = it.part(k).get_by_role("switch").bounding_box()
        assert box["x"] + box["width"] < width


# ---- how quick it is


def test_what_is_measured_is_sane(browser, tmp_path):
    found = measured(browser, tmp_path, 60, 90, 160, 30, 1)
    assert found["page, MB"] < 1
    assert found["first frame shown after, s"] < 20
    assert 3 < found["frames drawn a second, of 30"] <= 45

"""Sets of pictures: what they have in common and its parts, where the right answer is known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from colours import GREY, STRIPES, ColourExtractor
from PIL import Image

from videoparts.config import FitSettings, RefineSettings
from videoparts.errors import FitError, OutputError
from videoparts.evaluation.metrics import ari
from videoparts.evaluation.metrics import contingency as table_of
from videoparts.frames import FrameBatch, VideoInfo
from videoparts.masks import Part, PartMasks
from videoparts.parts.model import PartModel
from videoparts.parts.tree import part_tree
from videoparts.pictures.check import checked
from videoparts.pictures.cosegment import common_parts, fit_pictures, part_of
from videoparts.pictures.strangers import strangers, whole_looks
from videoparts.pictures.views import PER_PICTURE, views_of
from videoparts.results.picture_store import PictureStore
from videoparts.segmentation import segment
from videoparts.sinks.images.contact_pages import ContactPages
from videoparts.sources.picture_set import Picture, pictures_of
from videoparts.sources.picture_source import PictureSource

FIT = FitSettings(parts=3, frames=256)
STILL = RefineSettings(window=0, keys=1)
SIZES = ((96, 160), (128, 96), (104, 104), (96, 200), (160, 120))
Pixels = npt.NDArray[np.uint8]


def truth(k: int, stripes: int = 3) -> Pixels:
    """Labels of picture ``k``: stripes of an object, 48 wide and 16 high each, whole patches of 8."""
    height, width = SIZES[k % len(SIZES)]
    labels = np.zeros((height, width), np.uint8)
    top, left = 8 + 8 * (k % 3), 8 + 8 * (k % 4)
    for part in range(stripes):
        labels[top + 16 * part : top + 16 * (part + 1), left : left + 48] = part + 1
    return labels


def save(folder: Path, labels: Pixels, name: str, colours: tuple[tuple[int, int, int], ...] = STRIPES) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.array([GREY, *colours], np.uint8)[labels]).save(folder / f"{name}.png")


def found(source: PictureSource, extractor: ColourExtractor, model: PartModel) -> list[Pixels]:
    return [labels for masks in segment(source, extractor, model, STILL) for labels in masks.labels]


def agreement(labels: list[Pixels], truths: list[Pixels]) -> float:
    """Of parts, over all pictures at once: a part must mean the same in each."""
    given, wanted = (np.concatenate([one.ravel() for one in many]) for many in (labels, truths))
    return ari(table_of(given, wanted))


@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("foreground", ["probe", "vote"])
def test_parts_are_the_same_in_pictures_of_any_size(tmp_path: Path, views: bool, foreground: str) -> None:
    truths = [truth(k) for k in range(7)]
    for k, labels in enumerate(truths):
        save(tmp_path / "set", labels, str(k))
    source, extractor = PictureSource(pictures_of([tmp_path / "set"])), ColourExtractor()
    settings = FitSettings(parts=3, frames=256, foreground=foreground, threshold=0.3)  # type: ignore[arg-type]
    model = fit_pictures(source, extractor, settings, views=views)
    assert extractor.frames == 7 * (1 + PER_PICTURE * views)
    labels = found(source, extractor, model)
    assert [one.shape for one in labels] == [one.shape for one in truths]
    assert agreement(labels, truths) > 0.95


def test_it_is_saved_with_its_space_and_labels_new_pictures(tmp_path: Path) -> None:
    for k in range(4):
        save(tmp_path / "set", truth(k), str(k))
    save(tmp_path / "new", truth(4), "new")
    extractor = ColourExtractor()
    model = fit_pictures(PictureSource(pictures_of([tmp_path / "set"])), extractor, FIT)
    model.save(tmp_path / "parts.safetensors")
    again = PartModel.load(tmp_path / "parts.safetensors")
    assert again.space.things == "many"
    new = PictureSource(pictures_of([tmp_path / "new"]))
    first, second = (found(new, extractor, one) for one in (model, again))
    assert np.array_equal(first[0], second[0])
    assert agreement(second, [truth(4)]) > 0.95
    assert again.at(2).space is again.space


def test_patches_and_pictures_looked_at_are_bounded(tmp_path: Path) -> None:
    for k in range(30):
        save(tmp_path / "set", truth(k), f"{k:02d}")
    source, extractor = PictureSource(pictures_of([tmp_path / "set"])), ColourExtractor()
    fit_pictures(source, extractor, FitSettings(parts=3, frames=12))
    assert extractor.frames == 12


def test_a_set_without_anything_in_it(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / "set", np.zeros((64, 64), np.uint8), str(k))
    with pytest.raises(FitError, match="one colour"):
        fit_pictures(PictureSource(pictures_of([tmp_path / "set"])), ColourExtractor(), FIT)


def test_parts_that_few_pictures_have_are_no_parts_of_the_set() -> None:
    random = np.random.default_rng(0)
    kinds = np.eye(4, dtype=np.float32)
    kind = np.concatenate([np.repeat([0, 1, 2], 10)] * 4 + [np.full(40, 3)])
    picture = np.repeat([0, 1, 2, 3, 1], [30, 30, 30, 30, 40])
    looks = kinds[kind] + 0.02 * random.standard_normal((len(kind), 4)).astype(np.float32)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    place, weight = random.random((len(kind), 2)).astype(np.float32), np.ones(len(kind), np.float32)
    tree = part_tree(looks, place, picture, weight)
    part = part_of(tree, looks)
    common = common_parts(tree, (looks, place, picture, weight), 0.75)
    assert not common[part[kind == 3]].any()
    assert common[part[kind != 3]].all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_view_knows_where_its_patches_are_in_the_picture(mirrored: bool) -> None:
    height, width = 60, 100
    y, x = np.mgrid[:height, :width].astype(np.uint8)
    pixels = np.stack([y, x, x], axis=-1)
    views = [view for view in views_of(pixels) if view.mirrored == mirrored]
    assert len({(view.top, view.left) for view in views}) == 4
    for view in views:
        assert view.pixels.shape == (54, 90, 3)
        places = view.places(6, 9, height / width)
        means = view.pixels.astype(float).reshape(6, 9, 9, 10, 3).mean((1, 3)).reshape(-1, 3)
        assert places[:, 0] * width == pytest.approx(means[:, 0] + 0.5, abs=1e-3)
        assert places[:, 1] * width == pytest.approx(means[:, 1] + 0.5, abs=1e-3)


def test_strangers_are_told_by_how_far_the_others_are() -> None:
    random = np.random.default_rng(0)
    like = np.array([1.0, 0, 0, 0]) + 0.15 * random.standard_normal((20, 4))
    other = np.array([0.3, 1.0, 0, 0]) + 0.15 * random.standard_normal((5, 4))
    looks = np.concatenate([like, other, np.zeros((1, 4))])
    looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-9)
    assert strangers(looks.astype(np.float32)).tolist() == [False] * 20 + [True] * 6
    assert not strangers(looks[:20].astype(np.float32)).any()
    close = np.array([1.0, 0, 0, 0]) + 1e-4 * random.standard_normal((20, 4))  # frames of one clip
    close[3] += 0.01
    close /= np.linalg.norm(close, axis=1, keepdims=True)
    assert not strangers(close.astype(np.float32)).any()


def test_whole_looks_of_each_picture(tmp_path: Path) -> None:
    for k in range(4):
        save(tmp_path / "set", truth(k), str(k))
    extractor = ColourExtractor()
    model = fit_pictures(PictureSource(pictures_of([tmp_path / "set"])), extractor, FIT)
    save(tmp_path / "set", np.zeros((64, 64), np.uint8), "4")
    looks = whole_looks(PictureSource(pictures_of([tmp_path / "set"])), extractor, model)
    assert np.linalg.norm(looks[:4], axis=1) == pytest.approx(1, abs=1e-5)
    assert (looks[:4] @ looks[:4].T).min() > 0.95
    assert strangers(looks).tolist() == [False] * 4 + [True]


def test_pictures_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    save(tmp_path, truth(0), "good")
    save(tmp_path, np.zeros((9, 40), np.uint8), "low")
    save(tmp_path, np.zeros((20, 400), np.uint8), "slim")
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    given = [*pictures_of([tmp_path]), Picture(tmp_path / "gone.png", "gone")]
    seen: list[int] = []
    Image.new("1", (13500, 13500)).save(tmp_path / "huge.png")
    given.append(Picture(tmp_path / "huge.png", "huge"))
    good, bad = checked(given, 14, seen.append)
    assert [one.picture.name for one in good] == ["good"]
    assert good[0].size == truth(0).shape
    assert sum(seen) == 6
    assert set(bad) == {"broken", "low", "slim", "gone", "huge"}
    assert "smaller than one patch of 14x14" in bad["low"]
    assert "more than 16 times as long" in bad["slim"]
    assert all("\n" not in reason and name in reason for name, reason in bad.items())


def test_the_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    store = PictureStore(tmp_path / "store")
    labels, matte = truth(1), (truth(1) * 80).astype(np.uint8)
    assert 3 not in store
    store.write(3, labels, matte)
    assert 3 in PictureStore(tmp_path / "store")
    again = store.read(3)
    assert np.array_equal(again[0], labels)
    assert np.array_equal(again[1], matte)
    (tmp_path / "store" / "0000003.png").write_bytes(b"nothing")
    with pytest.raises(OutputError, match="cannot be read; remove it"):
        store.read(3)


def test_contact_sheets_have_so_many_pictures_a_page(tmp_path: Path) -> None:
    save(tmp_path / "set", truth(0), "0")
    picture = PictureSource(pictures_of([tmp_path / "set"])).frame(0)
    like = VideoInfo(tmp_path / "set", 1, 1, 50, Fraction(1), Fraction(1))
    parts = [Part(1, "head", (255, 0, 0)), Part(2, "body", (0, 255, 0)), Part(3, "legs", (0, 0, 255))]
    with ContactPages(tmp_path, like, parts) as sink:
        for k in range(50):
            one = np.array([k])
            sink.write(PartMasks(FrameBatch(picture.pixels, one, one, Fraction(1), (str(k),)), truth(0)[None]))
    with Image.open(tmp_path / "contact" / "001.jpg") as first, Image.open(tmp_path / "contact" / "002.jpg") as second:
        assert first.size == (8 + 4 * 328, 8 + 12 * 104)
        assert second.size == (8 + 2 * 328, 8 + 104)
        red, green, blue = np.asarray(second, dtype=int)[8:104, 8 + 160 : 8 + 320][truth(0) == 2].mean(0)
    assert green > max(red, blue) + 50
    ContactPages(tmp_path, like, parts)  # knows them again
    (tmp_path / "contact" / "003.jpg").write_bytes(b"a picture of somebody else")
    with pytest.raises(OutputError, match=r"holds 003\.jpg"):
        ContactPages(tmp_path, like, parts)


def test_a_set_of_which_nothing_is_selected(tmp_path: Path) -> None:
    save(tmp_path / "set", truth(0), "a")
    with pytest.raises(FitError, match="holds no picture"):
        fit_pictures(PictureSource(pictures_of([tmp_path / "set"])).only(range(0)), ColourExtractor(), FIT)

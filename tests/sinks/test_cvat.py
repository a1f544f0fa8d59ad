from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
from clips import clip
from covered import PARTS, covered, write
from media import folder
from PIL import Image

from videoparts.errors import OutputError
from videoparts.masks import Part
from videoparts.sinks.exchange.cvat import Cvat
from videoparts.sinks.exchange.distinct import distinct_colours, distinct_names


class Archive:
    """Reads the format as its documentation describes it."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path)
        assert self.zip.testzip() is None
        lines = self.zip.read("labelmap.txt").decode().splitlines()
        fields = [line.split(":") for line in lines if line and not line.startswith("#")]
        assert all(len(one) == 4 for one in fields)
        self.colours = {one[0]: tuple(map(int, one[1].split(","))) for one in fields}
        assert len(self.colours) == len(fields) == len(set(self.colours.values()))
        self.names = list(self.colours)
        self.frames = self.zip.read("ImageSets/Segmentation/default.txt").decode().splitlines()

    def indices(self, folder, frame):
        """The numbers in a palette image."""
        with Image.open(io.BytesIO(self.zip.read(f"{folder}/{frame}.png"))) as image:
            assert image.mode == "P"
            return np.asarray(image)

    def rgb(self, folder, frame):
        """The colours, as another reader sees them."""
        coded = np.frombuffer(self.zip.read(f"{folder}/{frame}.png"), np.uint8)
        return cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)[..., ::-1]


def test_masks_are_read_back_exactly_by_number_and_by_colour(tmp_path):
    made = clip("x", count=6, size=(33, 41))
    batches, sink = write(tmp_path, made, "cvat", absent=[(1, 0)])
    wanted = np.concatenate([masks.labels for masks in batches])
    assert sink.outputs == (tmp_path / "cvat.zip",)
    found = Archive(tmp_path / "cvat.zip")
    assert found.frames == [f"{n:05d}" for n in range(6)]
    assert set(found.zip.namelist()) == {
        "labelmap.txt",
        "ImageSets/Segmentation/default.txt",
        *(f"Segmentation{kind}/{n:05d}.png" for kind in ("Class", "Object") for n in range(6)),
    }
    assert found.names[0] == "background"
    assert found.colours["background"] == (0, 0, 0)
    numbers = np.array([0, *(part.number for part in PARTS)])
    for n, frame in enumerate(found.frames):
        assert np.array_equal(numbers[found.indices("SegmentationClass", frame)], wanted[n])
        assert np.array_equal(numbers[found.indices("SegmentationObject", frame)], wanted[n])
        pixels = found.rgb("SegmentationClass", frame)
        labels = np.full(pixels.shape[:2], -1)
        for number, colour in zip(numbers, found.colours.values(), strict=True):
            labels[(pixels == colour).all(-1)] = number
        assert np.array_equal(labels, wanted[n])


def test_objects_have_the_colours_of_pascal_voc(tmp_path):
    # The first ones as its devkit's VOCcolormap gives them.
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
    made = clip("x", count=2)
    write(tmp_path, made, "cvat")
    found = Archive(tmp_path / "cvat.zip")
    lines = found.indices("SegmentationClass", "00000")
    assert np.array_equal(found.rgb("SegmentationObject", "00000"), np.array(colours, np.uint8)[lines])
    assert np.unique(lines).tolist() == [0, 1, 2, 3, 4]


def test_names_are_safe_and_each_its_own(tmp_path):
    parts = [
        Part(1, "a: b,c", (1, 1, 1)),
        Part(2, "a b c", (1, 1, 1)),
        Part(3, "#x", (1, 1, 1)),
        Part(4, "BackGround", (0, 0, 0)),
        Part(5, ":#,", (5, 5, 255)),
        Part(6, "a b c", (5, 5, 255)),
        Part(7, '耳 "ß" <\'>', (1, 1, 2)),
    ]
    _, sink = write(tmp_path, clip("x", count=1), "cvat", parts=parts)
    found = Archive(tmp_path / "cvat.zip")
    names = found.names[1:]
    assert names == ["a b c", "a b c 2", "x", "BackGround 2", "part 5", "a b c 3", '耳 "ß" <\'>']
    assert [found.colours[name] for name in names] == [
        (1, 1, 1),
        (1, 1, 0),
        (1, 1, 3),
        (0, 0, 1),
        (5, 5, 255),
        (5, 5, 254),
        (1, 1, 2),
    ]
    assert len(sink.notes) == 6
    assert "part 3, '#x', is called 'x' there" in sink.notes[2]


def test_names_that_must_differ():
    assert distinct_names(["a", "a 2", "a", "a"]) == ["a", "a 2", "a 3", "a 4"]
    assert distinct_names(["a", "a", "a 2"]) == ["a", "a 3", "a 2"]
    many = distinct_names(["x"] * 255)
    assert len(set(many)) == 255


def test_as_many_colours_as_there_can_be_parts():
    crowded = [(0, 0, blue) for blue in range(254)] + [(0, 0, 0)]
    found = distinct_colours(crowded)
    assert len({*found, (0, 0, 0)}) == 256
    assert found[1:254] == crowded[1:254]


@pytest.mark.parametrize("name", ["#1", " a", "a ", "a\nb"])
def test_frames_that_the_list_cannot_hold_are_refused(tmp_path, name):
    made = clip("x", count=1)
    with pytest.raises(OutputError, match="rename the input frames"), Cvat(tmp_path, made.info, PARTS) as sink:
        sink.write(next(covered(made, names=(name,))))
    assert list(tmp_path.iterdir()) == []


def test_names_that_cvat_cannot_list_are_said_before_any_frame_comes(tmp_path):
    folder(tmp_path / "frames", ["0.png", "#1.png"])
    like = replace(clip("x").info, path=tmp_path / "frames")
    with pytest.raises(OutputError, match="CVAT cannot list a frame called '#1'; rename the input frames"):
        Cvat(tmp_path / "out", like, [Part(1, "head", (1, 2, 3))])
    assert not (tmp_path / "out").exists()

from __future__ import annotations

import json

import numpy as np
import pytest
from clips import clip
from covered import PARTS, covered, write
from pycocotools import mask as reference
from pycocotools.coco import COCO

from videoparts.sinks.exchange.run_lengths import compress, runs_of


def test_masks_are_read_back_exactly(tmp_path):
    made = clip("x", count=6, size=(33, 41))
    batches, sink = write(tmp_path, made, "coco", absent=[(1, 0), (3, 2)])
    wanted = np.concatenate([masks.labels for masks in batches])
    assert sink.outputs == (tmp_path / "coco.json",)
    coco = COCO(tmp_path / "coco.json")
    assert coco.loadCats(coco.getCatIds()) == [
        {"id": part.number, "name": part.name, "supercategory": "part"} for part in PARTS
    ]
    images = coco.loadImgs(coco.getImgIds())
    assert [image["file_name"] for image in images] == [f"{n:05d}.png" for n in range(6)]
    assert [image["frame_index"] for image in images] == list(range(6))
    assert all((image["height"], image["width"]) == (33, 41) for image in images)
    seen = set()
    for n, image in enumerate(images):
        labels = np.zeros((33, 41), np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            seen.add(annotation["id"])
            mask = coco.annToMask(annotation).astype(bool)
            assert not labels[mask].any()  # no two parts share a pixel
            labels[mask] = annotation["category_id"]
            assert annotation["track_id"] == annotation["category_id"]
            assert annotation["iscrowd"] == 0
            assert annotation["area"] == mask.sum() > 0
            rows, columns = np.nonzero(mask)
            x, y, width, height = annotation["bbox"]
            assert (x, y) == (columns.min(), rows.min())
            assert (x + width - 1, y + height - 1) == (columns.max(), rows.max())
        assert np.array_equal(labels, wanted[n])
    assert seen == set(range(1, len(coco.anns) + 1))
    assert coco.getAnnIds(imgIds=images[4]["id"]) == []  # an empty frame
    assert coco.getAnnIds(imgIds=images[1]["id"], catIds=2) == []  # a part without pixels


def test_a_clip_without_a_single_part_is_json_too(tmp_path):
    made = clip("x", count=5)
    write(tmp_path, made, "coco", absent=[(n, k) for n in range(5) for k in range(4)])
    found = json.loads((tmp_path / "coco.json").read_text(encoding="utf-8"))
    assert found["annotations"] == []
    assert len(found["images"]) == 5


def test_labels_that_no_part_has_are_left_out(tmp_path):
    made = clip("x", count=2)
    masks = next(covered(made))
    from videoparts.sinks.exchange.coco import Coco

    with Coco(tmp_path, made.info, PARTS[1:]) as sink:
        sink.write(masks)
    found = json.loads((tmp_path / "coco.json").read_text(encoding="utf-8"))
    assert {one["category_id"] for one in found["annotations"]} == {5, 9, 200}


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (13, 17), (120, 90)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_the_code_is_the_reference_implementations(size, share):
    rng = np.random.default_rng(3)
    labels = np.where(rng.random(size) < share, rng.integers(1, 4, size) * 60, 0).astype(np.uint8)
    found = runs_of(labels)
    assert set(found) == set(np.unique(labels).tolist()) - {0}
    for number, runs in found.items():
        code = reference.encode(np.asfortranarray(labels == number))
        assert runs.counts.encode() == code["counts"]
        assert runs.area == reference.area(code)
        assert list(runs.box) == reference.toBbox(code).tolist()


def test_long_runs_and_great_differences():
    labels = np.zeros((3000, 2000), np.uint8)
    labels[2999, 0] = labels[5:7, 1000] = labels[2990:, 1999] = 1
    (runs,) = runs_of(labels).values()
    assert runs.counts.encode() == reference.encode(np.asfortranarray(labels))["counts"]
    assert np.array_equal(reference.decode({"size": labels.shape, "counts": runs.counts}), labels)


def test_the_example_in_compress():
    lengths = [6, 1, 40, 4, 5, 4, 5, 4, 21]
    code = reference.frPyObjects({"size": [9, 10], "counts": lengths}, 9, 10)
    assert compress(np.array(lengths)).encode() == code["counts"]

"""Which folders belong together, and what is read from a label picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videoparts.errors import SourceError
from videoparts.evaluation.label_folders import Clip, match_clips, read_labels
from videoparts.frames import Pixels

LABELS = np.array([[0, 1, 2], [3, 255, 9]], np.uint8)


def put(folder: Path, *stems: str, labels: Pixels = LABELS, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem in stems:
        Image.fromarray(labels).save(folder / f"{stem}{suffix}")
    return folder


def only(prediction: Path, truth: Path, frames: Path | None = None, common: bool = False) -> Clip:
    (clip,) = match_clips(prediction, truth, frames, common=common).clips
    return clip


class TestPictures:
    def palette(self) -> Image.Image:
        image = Image.fromarray(LABELS)
        image.putpalette([7, 7, 7] * 256)  # all colours are the same: only the index can tell
        return image

    def save(self, image: Image.Image, path: Path) -> Path:
        image.save(path)
        return path

    def test_the_index_of_a_palette_and_the_value_of_grey(self, tmp_path: Path) -> None:
        grey = Image.fromarray(LABELS)
        alpha = Image.new("L", grey.size, 9)
        for i, image in enumerate((
            self.palette(),
            grey,
            Image.merge("LA", (grey, alpha)),
            Image.merge("RGB", (grey,) * 3),
            Image.merge("RGBA", (grey, grey, grey, alpha)),
            Image.fromarray(LABELS.astype(np.uint16)),
            Image.fromarray(LABELS.astype(np.int32)),
        )):  # fmt: skip
            for suffix in (".png", ".tif") if image.mode != "I" else (".tif",):
                read = read_labels(self.save(image, tmp_path / f"{i}{suffix}"))
                assert read.dtype == np.uint8
                assert np.array_equal(read, LABELS), (image.mode, suffix)

    def test_palettes_of_few_bits(self, tmp_path: Path) -> None:
        for bits in (1, 2, 4):
            labels = (LABELS % 2**bits).astype(np.uint8)
            image = Image.fromarray(labels)
            image.putpalette([7, 7, 7] * 2**bits)
            path = tmp_path / f"{bits}.png"
            image.save(path, bits=bits)
            assert np.array_equal(read_labels(path), labels)

    def test_white_of_one_bit_and_of_sixteen_is_255(self, tmp_path: Path) -> None:
        mask = LABELS > 2
        one, sixteen = tmp_path / "1.png", tmp_path / "16.png"
        Image.fromarray(mask).save(one)
        Image.fromarray(mask.astype(np.uint16) * np.uint16(65535)).save(sixteen)
        assert Image.open(one).mode == "1"
        for path in (one, sixteen):
            assert np.array_equal(read_labels(path), mask * 255)

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("colours.png", "palette or grey PNG"),
            ("jpeg.jpg", "JPEG"),
            ("large.png", "0 to 255"),
            ("float.tif", "mode F"),
            ("text.png", "not a picture"),
            ("cut.png", "cannot be decoded"),
        ],
    )
    def test_what_has_no_labels_is_said_in_one_line(self, tmp_path: Path, name: str, says: str) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "colours.png")
        Image.fromarray(noise[..., 0]).save(tmp_path / "jpeg.jpg")
        Image.fromarray(np.array([[0, 300]], np.uint16)).save(tmp_path / "large.png")
        Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tif")
        (tmp_path / "text.png").write_text("no picture")
        Image.fromarray(noise[..., 0]).save(tmp_path / "cut.png")
        (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
        with pytest.raises(SourceError, match=says) as caught:
            read_labels(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


class TestMatching:
    def test_frames_are_matched_by_stem_in_natural_order(self, tmp_path: Path) -> None:
        truth = put(tmp_path / "cow", "f10", "f2", "f1")
        prediction = put(tmp_path / "p", "f2", "f10", "f11", suffix=".tif")
        (truth / "notes.txt").write_text("no picture")
        (truth / ".hidden.png").write_text("no picture")
        clip = only(prediction, truth)
        assert (clip.name, clip.stems, clip.frames) == ("cow", ("f1", "f2", "f10"), None)
        assert list(clip.truth) == ["f1", "f2", "f10"]
        assert list(clip.prediction) == ["f2", "f10", "f11"]
        assert only(prediction, truth, common=True).stems == ("f2", "f10")

    def test_the_output_of_masks_and_the_layout_of_a_data_set_are_known(self, tmp_path: Path) -> None:
        put(tmp_path / "out" / "davis", "0")
        put(tmp_path / "out" / "mattes", "0")
        put(tmp_path / "cow" / "masks", "0")
        put(tmp_path / "cow" / "frames", "0")
        clip = only(tmp_path / "out", tmp_path / "cow", tmp_path / "cow")
        assert clip.name == "cow"
        assert clip.prediction["0"] == tmp_path / "out" / "davis" / "0.png"
        assert clip.truth["0"] == tmp_path / "cow" / "masks" / "0.png"
        assert clip.frames is not None
        assert clip.frames["0"] == tmp_path / "cow" / "frames" / "0.png"

    def several(self, tmp_path: Path) -> tuple[Path, Path, Path]:
        prediction, truth, frames = tmp_path / "p", tmp_path / "t", tmp_path / "f"
        put(prediction / "cow" / "davis", "0", "1")
        put(prediction / "dog", "0")
        put(prediction / "pig", "0")
        put(truth / "cow", "0", "1")
        put(truth / "dog" / "masks", "0", "1")
        put(truth / "emu", "0", "1", "2")
        put(frames / "cow" / "frames", "0", "1")
        put(frames / "dog", "0", "1")
        (truth / "empty").mkdir()
        return prediction, truth, frames

    def test_clips_are_matched_by_name(self, tmp_path: Path) -> None:
        matched = match_clips(*self.several(tmp_path))
        assert [(clip.name, clip.stems) for clip in matched.clips] == [
            ("cow", ("0", "1")), ("dog", ("0", "1")), ("emu", ("0", "1", "2")),
        ]  # fmt: skip
        assert [len(clip.prediction) for clip in matched.clips] == [2, 1, 0]
        assert [clip.frames is None for clip in matched.clips] == [False, False, True]
        assert (matched.without_prediction, matched.without_truth) == (("emu",), ("pig",))

    def test_common_leaves_out_clips_too(self, tmp_path: Path) -> None:
        matched = match_clips(*self.several(tmp_path), common=True)
        assert [(clip.name, clip.stems) for clip in matched.clips] == [("cow", ("0", "1")), ("dog", ("0",))]
        assert matched.without_prediction == ("emu",)

    def test_frames_of_several_clips_serve_one(self, tmp_path: Path) -> None:
        prediction, truth, frames = self.several(tmp_path)
        clip = only(prediction / "dog", truth / "dog", frames)
        assert clip.frames is not None
        assert list(clip.frames) == ["0", "1"]

    def test_folders_that_do_not_fit(self, tmp_path: Path) -> None:
        prediction, truth, frames = self.several(tmp_path)
        bare, other, twice = tmp_path / "bare", put(tmp_path / "other", "00000", "00001"), put(tmp_path / "twice", "0")
        bare.mkdir()
        put(twice, "0", suffix=".tif")
        file = prediction / "dog" / "0.png"
        for given, says in {
            (bare, truth): "bare holds no pictures, nor folders",
            (tmp_path / "none", truth): "none does not exist",
            (file, truth): "0.png is a file",
            (prediction / "dog", truth): "one clip",
            (prediction, truth / "cow"): "one clip",
            (tmp_path, tmp_path / "f"): "none in common",
            (other, truth / "cow"): r"00000, 00001.*0, 1.*no frame in common",
            (twice, truth / "cow"): "0.png and 0.tif",
            (prediction, truth, frames / "cow"): "no frames of the clip cow",
            (prediction, truth, bare): "bare holds no pictures",
            (prediction / "cow", truth / "cow", other): "none of the frames",
        }.items():
            with pytest.raises(SourceError, match=says) as caught:
                match_clips(*given)
            assert "\n" not in str(caught.value)

"""Scores of folders whose every pixel is known, and the command."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from places import SHARED
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from videoparts.pipelines.commands.evaluate import table_of
from videoparts.pipelines.main import main

from videoparts.clustering import kmeans, nearest
from videoparts.evaluation.folders import ClipScores, Scores, _Sample, evaluate_folders
from videoparts.evaluation.metrics import boundary_f, box_positions, jaccard
from videoparts.frames import Pixels

SIZE = (40, 60)


def save(folder: Path, pictures: dict[str, Pixels]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{stem}.png")
    return folder


def rectangle(rows: slice, columns: slice, label: int = 255, size: tuple[int, int] = SIZE) -> Pixels:
    out = np.zeros(size, np.uint8)
    out[rows, columns] = label
    return out


def only(prediction: Path, truth: Path, frames: Path | None = None, common: bool = False) -> ClipScores:
    (clip,) = evaluate_folders(prediction, truth, frames, common=common)
    return clip


OBJECT = rectangle(slice(10, 30), slice(10, 30))  # 400 of 2400 pixels
HALF = rectangle(slice(10, 30), slice(20, 40), 3)  # 200 of them, and 200 outside
EMPTY = np.zeros(SIZE, np.uint8)


class TestObject:
    def test_by_hand(self, tmp_path: Path) -> None:
        truth = save(tmp_path / "t", {"a": OBJECT, "b": OBJECT})
        clip = only(save(tmp_path / "p", {"a": OBJECT, "b": HALF}), truth)
        assert [frame.j for frame in clip.frames] == [1, 200 / 600]
        assert [frame.f for frame in clip.frames] == [1, boundary_f(HALF > 0, OBJECT > 0)]
        assert 0 < clip.frames[1].f < 1
        assert clip.scores.j == pytest.approx(2 / 3)
        assert clip.scores.f == pytest.approx((1 + clip.frames[1].f) / 2)
        assert clip.scores.coverage == 600 / 800
        assert clip.scores.spill == 200 / 800
        assert clip.scores.share == 800 / 4800
        assert (clip.worst.stem, clip.parts, clip.truth_parts) == ("b", 2, 1)
        assert dataclasses.astuple(clip.scores)[6:] == (None,) * 4
        assert clip.scores.t is None

    def test_frames_without_a_prediction_score_zero_unless_only_common_ones_are_asked_for(self, tmp_path: Path) -> None:
        # On "b" there is no object: an empty prediction would score 1, but none scores 0.
        truth = save(tmp_path / "t", {"a": OBJECT, "b": EMPTY, "c": OBJECT, "d": OBJECT})
        prediction = save(tmp_path / "p", {"a": OBJECT, "c": OBJECT, "x": OBJECT})
        clip = only(prediction, truth)
        assert [(f.stem, f.j, f.f, f.missing) for f in clip.frames] == [
            ("a", 1, 1, False), ("b", 0, 0, True), ("c", 1, 1, False), ("d", 0, 0, True),
        ]  # fmt: skip
        assert (clip.without_prediction, clip.without_truth) == (2, 1)
        assert clip.scores.j == clip.scores.f == 0.5
        assert clip.scores.coverage == 2 / 3
        some = only(prediction, truth, common=True)
        assert (some.scores.j, some.scores.coverage) == (1, 1)
        assert (len(some.frames), some.without_prediction, some.without_truth) == (2, 2, 1)

    def test_empty_masks(self, tmp_path: Path) -> None:
        truth = save(tmp_path / "t", {"a": EMPTY, "b": OBJECT})
        clip = only(save(tmp_path / "p", {"a": EMPTY, "b": EMPTY}), truth)
        assert [(frame.j, frame.f) for frame in clip.frames] == [(1, 1), (0, 0)]
        assert (clip.scores.coverage, clip.scores.spill, clip.scores.share) == (0, None, 0)
        nowhere = only(save(tmp_path / "q", {"a": OBJECT}), save(tmp_path / "u", {"a": EMPTY}))
        assert (nowhere.scores.j, nowhere.scores.coverage, nowhere.scores.spill) == (0, None, 1)

    def test_another_size_is_brought_to_that_of_the_truth(self, tmp_path: Path) -> None:
        truth = save(tmp_path / "t", {"a": OBJECT, "b": OBJECT})
        small = save(tmp_path / "s", {"a": OBJECT[::2, ::2], "b": OBJECT})
        large = save(tmp_path / "l", {"a": np.kron(OBJECT, np.ones((3, 3), np.uint8)), "b": OBJECT})
        for prediction in (small, large):
            clip = only(prediction, truth)
            assert (clip.scores.j, clip.resized) == (1, 1)

    def test_means_are_over_clips_that_have_the_score(self, tmp_path: Path) -> None:
        save(tmp_path / "t" / "cow", {"a": OBJECT})
        save(tmp_path / "t" / "dog", {"a": EMPTY, "b": EMPTY, "c": EMPTY})
        save(tmp_path / "p" / "cow", {"a": HALF})
        save(tmp_path / "p" / "dog" / "davis", {"a": EMPTY, "b": EMPTY, "c": EMPTY})
        clips = evaluate_folders(tmp_path / "p", tmp_path / "t")
        assert [clip.name for clip in clips] == ["cow", "dog"]
        mean = Scores.mean([clip.scores for clip in clips])
        assert mean.j == pytest.approx((1 / 3 + 1) / 2)
        assert mean.coverage == 0.5
        assert mean.nmi is None


def animal(seed: int) -> tuple[Pixels, Pixels]:
    """Predicted and annotated parts of an object of four quarters, somewhere in the frame; a tenth is wrong."""
    random = np.random.default_rng(seed)
    truth = np.zeros(SIZE, np.uint8)
    y, x, h, w = random.integers((0, 0, 8, 12), (10, 20, 14, 18))
    truth[y : y + h, x : x + w], truth[y : y + h, x + w : x + 2 * w] = 1, 2
    truth[y + h : y + 2 * h, x : x + w], truth[y + h : y + 2 * h, x + w : x + 2 * w] = 3, 7
    predicted = np.array([0, 2, 2, 1, 0, 0, 0, 3], np.uint8)[truth]
    wrong = random.random(SIZE) < 0.1
    predicted[wrong] = random.integers(0, 4, SIZE)[wrong]
    return predicted, truth


class TestParts:
    def folders(self, tmp_path: Path) -> tuple[Path, Path, list[tuple[Pixels, Pixels]]]:
        frames = [animal(seed) for seed in range(6)]
        prediction = save(tmp_path / "p", {str(i): frame[0] for i, frame in enumerate(frames)})
        return prediction, save(tmp_path / "t", {str(i): frame[1] for i, frame in enumerate(frames)}), frames

    def test_they_are_scored_over_all_annotated_pixels_of_the_clip(self, tmp_path: Path) -> None:
        prediction, truth, frames = self.folders(tmp_path)
        clip = only(prediction, truth)
        ours = np.concatenate([p[t > 0] for p, t in frames])
        theirs = np.concatenate([t[t > 0] for _, t in frames])
        assert {0, 1, 2, 3} == set(ours)
        assert clip.scores.nmi == pytest.approx(normalized_mutual_info_score(theirs, ours))
        assert clip.scores.ari == pytest.approx(adjusted_rand_score(theirs, ours))
        assert (clip.parts, clip.truth_parts) == (3, 4)

    def test_the_baseline_is_k_means_on_positions(self, tmp_path: Path) -> None:
        prediction, truth, frames = self.folders(tmp_path)
        clip = only(prediction, truth)
        positions = np.concatenate([box_positions(t > 0) for _, t in frames])
        theirs = np.concatenate([t[t > 0] for _, t in frames])
        # All pixels fit into the sample: the best of faiss' starts is as good as the best of scikit-learn's.
        assert len(positions) < 20_000
        slow = KMeans(3, n_init=10, random_state=0).fit(positions)
        centroids = kmeans(positions, 3, spherical=False)
        labels = nearest(positions, centroids)
        assert np.array_equal(labels, ((positions[:, None] - centroids) ** 2).sum(axis=2).argmin(axis=1))
        assert ((positions - centroids[labels]) ** 2).sum() <= 1.03 * slow.inertia_
        # The three pieces can lie in four ways that are equally good; each scores much the same.
        assert clip.scores.position_nmi == pytest.approx(normalized_mutual_info_score(theirs, slow.labels_), abs=0.08)
        assert clip.scores.position_ari == pytest.approx(adjusted_rand_score(theirs, slow.labels_), abs=0.12)
        assert clip.scores.nmi is not None
        assert clip.scores.position_nmi is not None
        assert 0.2 < clip.scores.position_nmi < 0.8

    def test_a_labelling_by_position_scores_what_the_baseline_does(self, tmp_path: Path) -> None:
        truth = np.zeros((120, 120), np.uint8)
        truth[10:110, 10:110] = 1 + (np.indices((100, 100))[1] >= 50)
        quarters = np.zeros_like(truth)
        quarters[10:110, 10:110] = 1 + (np.indices((100, 100)) >= 50).T.dot([1, 2]).T
        frames = {str(i): np.roll(quarters, (i, -i), axis=(0, 1)) for i in range(5)}  # 50 000 pixels: a sample of them
        pictures = {str(i): np.roll(truth, (i, -i), axis=(0, 1)) for i in range(5)}
        scores = only(save(tmp_path / "p", frames), save(tmp_path / "t", pictures)).scores
        assert scores.nmi == pytest.approx(2 * np.log(2) / (np.log(2) + np.log(4)))
        assert scores.position_nmi == pytest.approx(scores.nmi, abs=0.1)

    def test_its_sample_is_even_however_long_the_clip(self) -> None:
        sample = _Sample(1000, seed=0)
        for i in range(100):
            sample.add(np.full((200 + i, 2), i, np.float32))
        assert sample.kept.shape == (1000, 2)
        # A frame is expected to give 1000 * (200 + i) / 24950 points: their mean is 52.8, give or take 0.9.
        assert sample.kept.mean() == pytest.approx(52.8, abs=3)
        few = _Sample(1000, seed=0)
        few.add(np.eye(2, dtype=np.float32))
        assert np.array_equal(few.kept, np.eye(2))

    def test_the_same_folders_give_the_same_scores(self, tmp_path: Path) -> None:
        prediction, truth, _ = self.folders(tmp_path)
        assert only(prediction, truth) == only(prediction, truth)

    def test_without_a_prediction_parts_score_nothing(self, tmp_path: Path) -> None:
        _, truth, frames = self.folders(tmp_path)
        blank = save(tmp_path / "e", {str(i): np.zeros_like(t) for i, (_, t) in enumerate(frames)})
        scores = only(blank, truth).scores
        assert (scores.nmi, scores.ari, scores.position_nmi, scores.position_ari) == (0, 0, 0, 0)

    def test_an_object_smaller_than_the_number_of_parts(self, tmp_path: Path) -> None:
        truth = EMPTY.copy()
        truth[5, 5:7] = 1, 2
        predicted = (np.indices(SIZE)[1] // 10 + 1).astype(np.uint8)
        scores = only(save(tmp_path / "p", {"a": predicted}), save(tmp_path / "t", {"a": truth})).scores
        assert scores.position_ari == 1


class TestTime:
    def clip(self, tmp_path: Path, count: int = 5) -> tuple[Path, Path, Path]:
        """A texture that moves by two pixels a frame, and a square on it that moves along."""
        noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(100, 160)), (0, 0), 3)
        big = (128 + 50 * noise / noise.std()).clip(0, 255).astype(np.uint8)
        square = rectangle(slice(20, 60), slice(50, 90), 1, big.shape)
        cut = [(slice(5, 85), slice(5 + 2 * i, 125 + 2 * i)) for i in range(count)]
        frames = save(tmp_path / "f", {f"{i}": np.stack([big[c]] * 3, axis=2) for i, c in enumerate(cut)})
        truth = save(tmp_path / "t", {f"{i}": square[c] for i, c in enumerate(cut)})
        return save(tmp_path / "p", {f"{i}": square[c] for i, c in enumerate(cut)}), truth, frames

    def test_what_moves_along_agrees_and_what_jumps_does_not(self, tmp_path: Path) -> None:
        prediction, truth, frames = self.clip(tmp_path)
        steady = only(prediction, truth, frames)
        assert steady.pairs == 4
        assert steady.scores.t == pytest.approx(1, abs=0.03)
        save(prediction, {"2": np.zeros((80, 120), np.uint8)})
        broken = only(prediction, truth, frames)
        assert broken.pairs == 4
        assert broken.scores.t == pytest.approx(0.5, abs=0.03)

    @pytest.mark.parametrize("sides", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
    def test_only_frames_that_follow_each_other_everywhere_are_pairs(
        self, tmp_path: Path, sides: tuple[int, ...]
    ) -> None:
        folders = self.clip(tmp_path)
        for side in sides:
            (folders[side] / "1.png").unlink()
        for common in (False, True):
            clip = only(*folders, common=common)
            assert clip.pairs == 2
            assert clip.scores.t == pytest.approx(1, abs=0.03)

    def test_without_such_frames_there_is_no_t(self, tmp_path: Path) -> None:
        folders = self.clip(tmp_path)
        for i in (1, 3):
            (folders[0] / f"{i}.png").unlink()
        clip = only(*folders, common=True)
        assert (clip.pairs, clip.scores.t, clip.scores.j) == (0, None, 1)

    def test_frames_of_another_size_are_brought_to_that_of_the_truth(self, tmp_path: Path) -> None:
        prediction, truth, frames = self.clip(tmp_path)
        for file in frames.iterdir():
            image = Image.open(file)
            image.resize((240, 160), Image.Resampling.BICUBIC).save(file)
        assert only(prediction, truth, frames).scores.t == pytest.approx(1, abs=0.03)


def test_memory_does_not_grow_with_the_length_of_a_clip(tmp_path: Path) -> None:
    peaks = []
    for count in (6, 60):
        truth = {str(i): np.kron(animal(i)[1], np.ones((8, 8), np.uint8)) for i in range(count)}
        folder = save(tmp_path / str(count), truth)
        del truth
        tracemalloc.start()
        only(folder, folder, folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0], peaks


class TestCommand:
    def folders(self, tmp_path: Path) -> tuple[str, str]:
        for i in range(3):
            predicted, truth = animal(i)
            save(tmp_path / "p" / "cow" / "davis", {f"{i:05d}": predicted})
            save(tmp_path / "t" / "cow" / "masks", {f"{i:05d}": truth})
        save(tmp_path / "p" / "dog", {"a": HALF, "b": OBJECT, "z": OBJECT})
        save(tmp_path / "t" / "dog", {"a": OBJECT, "b": OBJECT, "c": OBJECT})
        return str(tmp_path / "p"), str(tmp_path / "t")

    def test_a_table_for_people(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        prediction, truth = self.folders(tmp_path)
        assert main(["evaluate", prediction, truth]) == 0
        said = capsys.readouterr()
        head, cow, dog, mean = said.out.splitlines()
        assert head.split("  ")[0] == "clip"
        for column in ("frames", "J", "F", "T", "coverage", "spill", "NMI (position)", "ARI (position)", "worst frame"):
            assert column in head
        assert cow.split()[:2] == ["cow", "3"]
        assert "(0." in cow
        assert dog.split()[:3] == ["dog", "3", "0.444"]
        assert dog.endswith("c (0.000)")
        assert mean.split()[:2] == ["mean", "6"]
        assert len({line.index(end) for line, end in ((head, "frames"), (cow, "     3"))}) == 1
        notes = said.err.splitlines()
        assert len(notes) == 3
        assert "--frames" in notes[0]
        assert notes[1] == "note: annotated frames without a prediction: 1; they score 0, --common leaves them out"
        assert notes[2] == "note: predicted frames without truth, left out: 1"

    def test_json_says_all_of_it(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        prediction, truth = self.folders(tmp_path)
        out = tmp_path / "new" / "scores.json"
        assert main(["evaluate", prediction, truth, "--json", str(out), "-q"]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        report: dict[str, Any] = json.loads(out.read_text())
        assert [path.name for path in out.parent.iterdir()] == ["scores.json"]
        cow, dog = report["clips"]
        (expected, _) = evaluate_folders(prediction, truth)
        assert (cow["clip"], cow["J"], cow["NMI"]) == ("cow", expected.scores.j, expected.scores.nmi)
        assert (cow["NMI_position"], cow["ARI_position"]) == (
            expected.scores.position_nmi,
            expected.scores.position_ari,
        )
        assert (cow["parts"], cow["truth_parts"], cow["T"]) == (3, 4, None)
        assert [(frame["frame"], frame["J"], frame["missing"]) for frame in dog["per_frame"]] == [
            ("a", 200 / 600, False), ("b", 1, False), ("c", 0, True),
        ]  # fmt: skip
        assert dog["worst_frame"] == {"frame": "c", "J": 0}
        assert (dog["frames_without_prediction"], dog["predictions_without_truth"]) == (1, 1)
        assert report["mean"]["J"] == pytest.approx((cow["J"] + dog["J"]) / 2)
        assert report["mean"]["NMI"] == cow["NMI"]

    def test_json_to_standard_output_is_nothing_but_json(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        prediction, truth = self.folders(tmp_path)
        assert main(["evaluate", prediction, truth, "--common", "--json", "-"]) == 0
        said = capsys.readouterr()
        assert [clip["clip"] for clip in json.loads(said.out)["clips"]] == ["cow", "dog"]
        assert said.err.startswith("clip ")
        assert "they are left out" in said.err

    def test_clips_that_one_side_lacks_are_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        prediction, truth = self.folders(tmp_path)
        save(tmp_path / "t" / "emu", {"a": OBJECT, "b": OBJECT})
        save(tmp_path / "p" / "pig", {"a": OBJECT})
        assert main(["evaluate", prediction, truth, "--json", "-"]) == 0
        said = capsys.readouterr()
        report = json.loads(said.out)
        assert (report["clips_without_prediction"], report["clips_without_truth"]) == (["emu"], ["pig"])
        assert [clip["J"] == 0 for clip in report["clips"]] == [False, False, True]
        for line in (
            "clips without a prediction: 1; they score 0, --common leaves them out",
            "annotated frames without a prediction: 1; they score 0, --common leaves them out",
            "predicted clips without truth, left out: 1",
        ):
            assert f"note: {line}" in said.err.splitlines()

    def test_one_clip_has_no_row_of_means(self, tmp_path: Path) -> None:
        prediction, truth = self.folders(tmp_path)
        assert len(table_of(evaluate_folders(Path(prediction, "dog"), Path(truth, "dog")))) == 2

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["p", "none"], "none does not exist"),
            (["p/dog", "t/cow"], "no frame in common"),
            (["p", "t", "--json", "scores.txt"], "scores.txt"),
            (["p", "t", "--json", "p/dog/a.png"], "ends in .json"),
            (["p", "t", "--json", "p/dog/a.png/x.json"], "x.json"),
            (["p", "t", "--frames", "p/dog"], "no frames of the clip cow"),
            (["p"], "TRUTH"),
        ],
    )
    def test_what_cannot_work_is_said_in_one_line(
        self,
        arguments: list[str],
        says: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folders(tmp_path)
        monkeypatch.chdir(tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        try:
            status = main(["evaluate", *arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
        said = capsys.readouterr()
        assert status == 2
        (line,) = said.err.splitlines()
        assert line.startswith("videoparts: ")
        assert says in line
        assert said.out == ""
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_footage() -> None:
    clip = SHARED / "data/davis/blackswan"
    if not clip.is_dir():
        pytest.skip("shared/data is not beside the checkout")
    # The truth against itself: binary masks of 255, so no parts; a swan that glides, so what it covers agrees.
    result = only(clip / "masks", clip, clip)
    assert (result.scores.j, result.scores.f, result.scores.coverage, result.scores.spill) == (1, 1, 1, 0)
    assert result.scores.nmi is None
    assert result.pairs == len(result.frames) - 1
    assert result.scores.t is not None
    assert 0.95 < result.scores.t < 1
    mask = np.array(Image.open(clip / "masks" / "00010.png")) > 0
    assert jaccard(np.roll(mask, 40, axis=1), mask) < 0.8

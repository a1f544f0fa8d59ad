"""The steps of teaching, each against a slow one. What they find together is in test_foreground."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scenes import H, Scene, Thing, W, box, overlap

from videoparts.foreground import teaching
from videoparts.foreground.evidence import Cues
from videoparts.foreground.otsu import otsu
from videoparts.foreground.teaching import Ridge, finish, learn
from videoparts.sampling.sample import FrameSample, Sample

Values = npt.NDArray[np.float64]


def tokens(n: int = 900, size: int = 24, seed: int = 0) -> npt.NDArray[np.float32]:
    """Two halves of unit length, far from centred."""
    random = np.random.default_rng(seed)
    halves = random.normal(size=(2, n, size // 2)) + random.normal(size=(2, 1, size // 2)) * 2
    halves /= np.linalg.norm(halves, axis=-1, keepdims=True)
    return np.concatenate(halves, axis=-1).astype(np.float32)


@pytest.mark.parametrize("n", [10, 900, 20_000])  # fewer than the tokens' size; some; several parts
def test_ridge_is_the_minimum_of_its_penalised_squares(n: int) -> None:
    x, random = tokens(n), np.random.default_rng(1)
    target = x.astype(np.float64) @ random.normal(size=24) + 0.3 * random.normal(size=n)
    # Slow: least squares in float64 with the penalty as further rows, and the bias as a column without one.
    wide = np.concatenate([x.astype(np.float64), np.ones((n, 1))], axis=1)
    penalty = np.sqrt(teaching._RIDGE * n) * np.eye(24, 25)
    wanted = np.linalg.lstsq(np.concatenate([wide, penalty]), np.concatenate([target, np.zeros(24)]), rcond=None)[0]
    ridge = Ridge(x)
    factors = ridge.fit(target)
    weight, bias = ridge.weight(factors)
    assert np.abs(weight - wanted[:24]).max() < 1e-3 * np.abs(wanted).max()
    assert abs(bias - wanted[24]) < 1e-3 * np.abs(wanted).max()
    assert np.abs(ridge.predict(factors) - wide @ wanted).max() < 1e-3


def test_ridge_can_be_fitted_to_one_target_after_another() -> None:
    x = tokens()
    ridge, random = Ridge(x), np.random.default_rng(2)
    first, second = random.random(900), random.random(900)
    ridge.fit(first)
    assert np.array_equal(ridge.fit(second)[0], Ridge(x).fit(second)[0])


def test_ridge_of_tokens_that_depend_on_each_other() -> None:
    x = np.repeat(tokens(size=12), 2, axis=1)
    target = x[:, 0].astype(np.float64) * 3
    ridge = Ridge(x)
    assert np.abs(ridge.predict(ridge.fit(target)) - target).max() < 0.1


def within(values: Values, threshold: float) -> float:
    """Sum of squares within the two classes."""
    classes = [values[values > threshold], values[values <= threshold]]
    return sum(float(((c - c.mean()) ** 2).sum()) for c in classes if len(c))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
@pytest.mark.parametrize("spread", [0.02, 0.2, 0.5])
def test_otsu_parts_as_well_as_the_best_of_all_thresholds(share: float, spread: float) -> None:
    random = np.random.default_rng(0)
    values = np.where(random.random(700) < share, 1.0, 0.0) + spread * random.normal(size=700)
    best = min(within(values, threshold) for threshold in np.sort(values)[:-1])
    assert within(values, otsu(values)) <= 1.01 * best


def test_otsu_lies_in_the_middle_of_a_gap() -> None:
    # Half of the gap on either side: what comes later may be a little lower or higher.
    values = np.repeat([0.0, 0.1, 0.9, 1.0], [50, 50, 10, 10])
    assert otsu(values) == pytest.approx(0.5, abs=1 / 256)
    assert otsu(values * 7 - 3) == pytest.approx(0.5 * 7 - 3, abs=7 / 256)


@pytest.mark.parametrize("values", [np.zeros(9), np.full(9, 3.5), np.array([1.0])])
def test_otsu_of_one_value(values: Values) -> None:
    assert otsu(values) == pytest.approx(values[0], abs=0.51)


def flat(pictures: list[npt.NDArray[np.bool_]], seeds: dict[int, npt.NDArray[np.bool_]] | None = None) -> Sample:
    frames = []
    for i, picture in enumerate(pictures):
        empty = np.zeros(picture.shape, np.float32)
        frames.append(FrameSample(empty[..., None], empty[..., None], empty, empty, 1.0, seed=(seeds or {}).get(i)))
    return Sample(frames)


def drawn(*rows: str) -> npt.NDArray[np.bool_]:
    return np.array([[c == "#" for c in row] for row in rows])


def kept(
    pictures: list[npt.NDArray[np.bool_]], counts: Values | None = None, **more: dict[int, npt.NDArray[np.bool_]]
) -> list[list[str]]:
    sample = flat(pictures, **more)
    counts = np.ones(len(sample)) if counts is None else counts
    left = sample.maps(teaching._large_components(sample, np.concatenate([p.ravel() for p in pictures]), counts))
    return [["".join(".#"[int(c)] for c in row) for row in one] for one in left]


def test_components_below_a_quarter_of_the_largest_are_dropped_in_each_frame() -> None:
    one = drawn("####..##", "####....", "......#.")  # 8, 2 and 1
    other = drawn("#...", ".#..", "...#")  # diagonals hang together: 2 and 1
    nothing = drawn("....", "....")
    assert kept([one, other, nothing]) == [
        ["####..##", "####....", "........"],
        ["#...", ".#..", "...#"],
        ["....", "...."],
    ]


def test_a_component_is_as_large_as_its_patches_count() -> None:
    picture = drawn("###..##")
    assert kept([picture], np.array([0.1, 0.1, 0.1, 1, 1, 0.7, 0.7])) == [[".....##"]]  # 0.3 and 1.4
    assert kept([picture], np.array([0.1, 0.1, 0.3, 0, 0, 0.7, 0.7])) == [["###..##"]]  # 0.5 and 1.4
    assert kept([picture], np.full(7, 0.02)) == [["###..##"]]  # where nothing is known, all are alike


def test_what_looks_like_the_object_and_stands_still_beside_it_is_not_it() -> None:
    car = Thing(5, lambda i: box(6, 5 + 2 * i, 6, 8), 3.0, motion=lambda _: (6.0, 0.0))
    tents = Thing(5, lambda i: box(1, 1, 3 if i < 2 else 0, 8), 3.0)
    scene = Scene([car, tents], noise=0.3)
    marks = learn(scene.sample(), Cues()).marks
    assert marks[scene.truth(2)].mean() < 0.05
    assert overlap(marks, scene.truth(1)) > 0.95


def test_a_frame_that_is_all_object_stays() -> None:
    assert kept([drawn("###", "###")]) == [["###", "###"]]


def test_rounds_of_teaching_mend_the_evidence() -> None:
    scene = Scene([Thing(5, lambda i: box(6, 5 + 2 * i, 6, 8), 3.0)], noise=0.3, flowing=False)
    right = scene.truth(1)
    ridge = Ridge(scene.sample().tokens)
    noisy = right ^ (np.random.default_rng(0).random(len(right)) < 0.1)  # every tenth patch is marked wrongly
    mended = teaching.teach(scene.sample(), ridge, noisy.astype(np.float64), np.ones(len(right)), 3)
    assert (mended != right).mean() < 0.02 < (noisy != right).mean()


@pytest.mark.parametrize("most", [1.0, 0.5])
def test_a_cue_counts_the_less_the_fewer_frames_have_it_and_in_full_if_half_of_them_do(most: float) -> None:
    sample = flat([np.zeros((2, 3), bool)] * 4)
    one = np.zeros((2, 3), np.float32)
    found = [teaching._gather(sample, [one] * some + [None] * (4 - some), most) for some in (1, 2, 3, 4)]
    assert [cue.power for cue in found if cue is not None] == [most / 2, most, most, most]
    assert teaching._gather(sample, [None] * 4, most) is None


def test_a_cue_knows_of_the_frames_that_have_it() -> None:
    sample = flat([np.zeros((2, 3), bool)] * 4)
    one, other = np.full((2, 3), 0.2, np.float32), np.full((2, 3), 0.6, np.float32)
    found = teaching._gather(sample, [one, None, other, None])
    assert found is not None
    assert found.known is not None
    assert found.known.reshape(4, 6).all(axis=1).tolist() == [True, False, True, False]
    assert found.known.sum() == 12
    assert found.values[found.known].tolist() == pytest.approx([0.2] * 6 + [0.6] * 6)


def test_the_probe_is_sure_by_the_gap_between_the_classes() -> None:
    scene = Scene([Thing(5, lambda i: box(6, 5 + 2 * i, 6, 8), 3.0)], noise=0.05)
    sample = scene.sample()
    lesson = learn(sample, Cues())
    certainty, probe = finish(sample, lesson.ridge, lesson.marks)
    mask = certainty > 0
    odds = sample.tokens @ probe.weight.numpy() + probe.bias
    assert np.array_equal(odds > 0, mask)
    # How far the likelihood is above one half, of the odds as every frame will have them.
    maps = [torch.from_numpy(one)[None] for one in sample.maps(odds)]
    lifted = np.concatenate([probe.visibility.lifted(one).numpy().ravel() for one in maps])
    assert np.allclose(certainty[mask], 2 / (1 + np.exp(-lifted[mask])) - 1, atol=1e-4)
    assert odds[mask].mean() > 4
    assert odds[~mask].mean() < -3
    # The threshold lies a little below the middle: limbs are thin.
    assert odds[mask].mean() > -odds[~mask].mean()
    assert len(mask) == 8 * H * W

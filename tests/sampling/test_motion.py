"""Motion of its own and motion in common, of flows that are known and of pictures that move."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from moving import coloured, moved, texture

from videoparts.flow.dense import Flow
from videoparts.frames import FrameBatch, Pixels
from videoparts.sampling.motion import Lumas, Map, Motion, camera_moves, common_motion, flows_around, to_patches
from videoparts.sources.around import Neighbourhood

H, W = 54, 80  # pixels of a flow
SHAPE = (18, 27)  # patches
Y, X = np.mgrid[:H, :W].astype(np.float64)


def flow(right: npt.ArrayLike, down: npt.ArrayLike, noise: float = 0.005, seed: int = 0) -> Flow:
    both = np.stack([np.broadcast_to(np.asarray(v), (H, W)) for v in (right, down)], axis=-1)
    return np.asarray(both + noise * np.random.default_rng(seed).normal(size=both.shape), dtype=np.float32)


CAMERAS = {
    "still": flow(0, 0),
    "pan": flow(6.5, -2),
    "zoom": flow(0.1 * (X - 50), 0.1 * (Y - 10)),
    "turn": flow(0.1 * (Y - 27), -0.1 * (X - 40)),
    "tilt": flow(2 + 4e-4 * (X - 40) ** 2, 1 + 4e-4 * (X - 40) * (Y - 27)),
}


def square(top: int = 18, left: int = 24, side: int = 18) -> npt.NDArray[np.bool_]:
    mask = np.zeros((H, W), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def patches(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Those that lie wholly in a mask of pixels."""
    share = cv2.resize(mask.astype(np.float32), SHAPE[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(share > 0.99)


def own_of(flows: list[Flow], shape: tuple[int, int]) -> Map | None:
    """By patches."""
    motion = Motion(flows)
    assert motion.own is motion.own  # worked out once
    return None if motion.own is None else to_patches(motion.own, shape)


def outside(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return patches(~mask)


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_camera_alone_is_no_motion(camera: str) -> None:
    assert own_of([CAMERAS[camera]], SHAPE) is None
    assert own_of([CAMERAS[camera], -CAMERAS[camera]], SHAPE) is None


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_square_that_moves_by_itself_stands_out(camera: str) -> None:
    mask = square()
    moving = CAMERAS[camera] + mask[..., None] * np.array([2.0, 1.0], np.float32)
    own = own_of([moving], SHAPE)
    assert own is not None
    assert own.shape == SHAPE
    assert own.dtype == np.float32
    assert 0 <= own.min() <= own.max() <= 1
    assert own[patches(mask)].min() > 0.95
    assert own[outside(mask)].max() < 0.15


def test_a_square_that_stands_still_stands_out_of_a_pan() -> None:
    mask = square()
    own = own_of([flow(3, 0) * ~mask[..., None]], SHAPE)
    assert own is not None
    assert own[patches(mask)].min() > 0.95
    assert own[outside(mask)].max() < 0.15


def test_what_is_smaller_than_noise_is_no_motion() -> None:
    mask = square()[..., None]
    assert own_of([flow(0, 0) + mask * np.array([0.2, 0.0], np.float32)], SHAPE) is None
    assert own_of([flow(0, 0) + mask * np.array([0.4, 0.0], np.float32)], SHAPE) is not None


def test_a_picture_in_which_everything_moves_its_own_way_says_nothing() -> None:
    churning = np.random.default_rng(0).normal(size=(H, W, 2)).astype(np.float32)
    assert own_of([4 * churning], SHAPE) is None


def test_of_two_neighbours_the_one_that_explains_more_counts() -> None:
    # What is uncovered has a wrong flow to one of them.
    mask, uncovered = square(), square(left=42, side=9)
    forth = flow(0, 0) + mask[..., None] * np.array([2.0, 0.0], np.float32)
    back = flow(0, 0, seed=1) - mask[..., None] * np.array([2.0, 0.0], np.float32)
    wrong = forth + uncovered[..., None] * np.array([3.0, 3.0], np.float32)
    alone, both = own_of([wrong], SHAPE), own_of([wrong, back], SHAPE)
    assert alone is not None
    assert both is not None
    assert alone[patches(uncovered)].min() > 0.9
    assert both[patches(uncovered)].max() < 0.15
    assert both[patches(mask)].min() > 0.95


def test_a_frame_that_is_shown_twice_says_nothing() -> None:
    moving = flow(3, 0) + square()[..., None] * np.array([2.0, 0.0], np.float32)
    alone, both = own_of([moving], SHAPE), own_of([moving, flow(0, 0, noise=0)], SHAPE)
    assert alone is not None
    assert both is not None
    assert np.array_equal(alone, both)


def test_what_is_painted_on_the_screen_does_not_move_by_itself() -> None:
    logo, mask = square(2, 60, 12), square()
    pan = flow(3, 0) * ~logo[..., None]
    assert Motion([pan]).own is not None
    assert Motion([pan], logo).own is None
    both = Motion([pan + mask[..., None] * np.array([2.0, 0.0], np.float32)], logo)
    assert both.own is not None
    assert both.own[mask].min() > 0.9
    assert both.own[logo].max() == 0
    marks = both.on_screen(SHAPE)
    assert marks[patches(logo)].all()
    assert not marks[outside(logo)].any()
    assert not Motion([pan]).on_screen(SHAPE).any()


def test_what_cannot_be_followed_says_nothing() -> None:
    sky, mask = square(0, 0, 16), square()
    guessed = flow(0, 0) + sky[..., None] * np.array([3.0, 1.0], np.float32)
    assert Motion([guessed]).own is not None
    assert Motion([guessed], plain=sky).own is None
    both = Motion([guessed + mask[..., None] * np.array([2.0, 0.0], np.float32)], plain=sky)
    assert both.own is not None
    assert both.own[mask].min() > 0.9
    assert both.own[sky].max() == 0
    assert not both.followed(SHAPE)[patches(sky)].any()
    assert both.followed(SHAPE)[outside(sky)].all()
    assert Motion([guessed]).followed(SHAPE).all()
    assert Motion([guessed], plain=~square(0, 0, 8)).own is None  # too little is left to tell the camera's motion


def test_a_camera_moves_where_most_of_the_picture_does() -> None:
    logo = square(2, 60, 12)
    assert camera_moves(flow(3, 0) * ~logo[..., None], logo)
    assert not camera_moves(flow(0, 0) + square()[..., None] * np.array([5.0, 0.0], np.float32), logo)


def test_without_flow_nothing_is_known() -> None:
    assert own_of([], SHAPE) is None
    assert common_motion([], np.ones(SHAPE, bool)) is None


@pytest.mark.parametrize("camera", CAMERAS)
def test_what_moves_with_the_core_is_told_from_the_background(camera: str) -> None:
    mask = square(side=27)
    core = patches(square(top=22, left=28, side=12))
    turning = np.stack([2 + 0.05 * (Y - 30), 1 - 0.05 * (X - 36)], axis=-1) * mask[..., None]
    common = common_motion([(CAMERAS[camera] + turning).astype(np.float32)], core)
    assert common is not None
    assert common.shape == SHAPE
    assert 0 <= common.min() <= common.max() <= 1
    assert common[patches(mask)].mean() > 0.9
    assert common[outside(mask)].max() < 0.05


def test_an_object_that_fills_most_of_the_frame_is_not_the_background() -> None:
    mask = np.zeros((H, W), dtype=bool)
    mask[3:51, 6:74] = True
    moving = flow(0, 0) + mask[..., None] * np.array([3.0, 1.0], np.float32)
    assert mask.mean() > 0.7
    # By itself, the rest would be what moves.
    own = own_of([moving], SHAPE)
    assert own is not None
    assert own[outside(mask)].mean() > 3 * own[patches(mask)].mean()
    common = common_motion([moving], patches(mask))
    assert common is not None
    assert common[patches(mask)].min() > 0.9
    assert common[outside(mask)].max() < 0.05


def test_a_core_that_moves_as_the_background_does_says_nothing() -> None:
    for camera in CAMERAS.values():
        assert common_motion([camera], patches(square())) is None


@pytest.mark.parametrize("core", [np.zeros(SHAPE, bool), np.ones(SHAPE, bool)], ids=["nothing", "everything"])
def test_a_core_that_is_too_small_or_all_there_is(core: npt.NDArray[np.bool_]) -> None:
    moving = flow(0, 0) + square()[..., None] * np.array([2.0, 1.0], np.float32)
    assert common_motion([moving], core) is None


# From pictures


def around(before: Pixels | None, here: Pixels, after: Pixels | None) -> Lumas:
    at = np.zeros(1, np.int64)
    frame = FrameBatch(here[None], at, at, 1)  # type: ignore[arg-type]
    return Lumas.of(Neighbourhood(frame, before, after))


def pasted(at: float, back: float = 0) -> Pixels:
    """A square of another texture that is ``at`` pixels to the right, over a background that is ``back`` pixels."""
    ground = moved(texture(1), back, 0).copy()
    ground[50:110, 60 + int(at) : 120 + int(at)] = texture(2)[50:110, 60:120]
    return coloured(ground)


def test_flows_point_to_the_frame_after_and_to_the_one_before() -> None:
    after, before = flows_around(around(pasted(-5), pasted(0), pasted(5)))
    assert after.shape == before.shape == (53, 80, 2)  # a third of 160 x 240
    inside = np.s_[20:33, 24:36]
    assert np.abs(np.median(after[inside], axis=(0, 1)) - (5, 0)).max() < 0.3
    assert np.abs(np.median(before[inside], axis=(0, 1)) - (-5, 0)).max() < 0.3
    assert np.abs(np.median(after[:10], axis=(0, 1))).max() < 0.1


def test_at_the_ends_there_is_one_flow_or_none() -> None:
    (after,) = flows_around(around(None, pasted(0), pasted(5)))
    assert after[26, 30, 0] > 4
    (before,) = flows_around(around(pasted(-5), pasted(0), None))
    assert before[26, 30, 0] < -4
    assert flows_around(around(None, pasted(0), None)) == []


def test_there_is_no_flow_across_a_cut() -> None:
    other = coloured(texture(7))
    assert flows_around(around(other, pasted(0), other)) == []
    assert len(flows_around(around(pasted(-5), pasted(0), other))) == 1
    assert len(flows_around(around(other, pasted(0), pasted(5)))) == 1


@pytest.mark.parametrize("camera", [0.0, 4.0])
def test_a_square_is_found_in_pictures(camera: float) -> None:
    flows = flows_around(around(pasted(-5, -camera), pasted(0), pasted(5, camera)))
    own = own_of(flows, (16, 24))
    assert own is not None
    inside = np.zeros((16, 24), bool)
    inside[5:11, 6:12] = True
    assert own[6:10, 7:11].min() > 0.9 if not camera else own[6:10, 7:11].mean() > 0.5
    margin = np.ones((16, 24), bool)
    margin[3:13, 4:14] = margin[:, -3:] = margin[:, :3] = False
    assert own[margin].mean() < 0.1
    still = flows_around(around(pasted(0), pasted(0), pasted(0)))
    assert len(still) == 2
    assert own_of(still, (16, 24)) is None

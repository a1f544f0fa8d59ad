"""Samples whose object is known: things painted on a grid of patches, each with its looks, its saliency, its motion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from videoparts.flow.dense import Flow
from videoparts.sampling.motion import Motion
from videoparts.sampling.sample import FrameSample, Sample

H, W = 18, 32  # patches of a frame
SIZE = 12  # of a descriptor; tokens are two halves of that size
FINE = 3  # pixels of a flow field along a patch

Mask = npt.NDArray[np.bool_]
Place = Callable[[int], Mask]
Moves = Callable[[int], tuple[float, float]]


def box(top: int, left: int, height: int, width: int) -> Mask:
    mask = np.zeros((H, W), dtype=bool)
    mask[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = True
    return mask


def still(_: int) -> tuple[float, float]:
    return 0.0, 0.0


@dataclass
class Thing:
    """What is painted over what came before it."""

    looks: int  # number of a prototype; things with one number look alike
    place: Place
    salient: float = 1.0  # times the frame's mean
    motion: Moves = still  # right and down, in pixels of a flow field, to the next frame


@dataclass
class Scene:
    """Ground that is the same on the left and right half, with things on it."""

    things: Sequence[Thing]
    frames: int = 8
    noise: float = 0.12  # of a token, against prototypes of length 1
    flowing: bool = True  # frames follow each other
    camera: Callable[[int, npt.NDArray[np.float64], npt.NDArray[np.float64]], tuple[object, object]] | None = None
    seed: int = 0
    grounds: tuple[int, ...] = (0, 1, 2)  # prototypes of bands from top to bottom
    labels: list[npt.NDArray[np.int64]] = field(init=False)  # (h, w) a frame: 0 ground, 1.. number of the thing

    def __post_init__(self) -> None:
        self.labels = []
        for i in range(self.frames):
            label = np.zeros((H, W), dtype=np.int64)
            for k, thing in enumerate(self.things):
                label[thing.place(i)] = k + 1
            self.labels.append(label)

    def truth(self, *numbers: int) -> Mask:
        """(n,) the patches of the things with these numbers, from 1."""
        return np.concatenate([np.isin(label, numbers).ravel() for label in self.labels])

    def sample(self) -> Sample:
        """The scene as pass 1 sees it."""
        random, shake = np.random.default_rng(self.seed), np.random.default_rng(self.seed + 1000)
        prototypes = _unit(np.random.default_rng(99).normal(size=(2, 10, SIZE)))
        bands = np.array(self.grounds)[np.arange(H) * len(self.grounds) // H][:, None].repeat(W, axis=1)
        frames = []
        for i, label in enumerate(self.labels):
            looks = np.where(label == 0, bands, np.array([-1, *(t.looks for t in self.things)])[label])
            halves = [_unit(p[looks] + self.noise * random.normal(size=(H, W, SIZE))) for p in prototypes]
            salient = np.array([1.0, *(t.salient for t in self.things)])[label]
            salient = np.clip(salient * random.uniform(0.5, 1.5, size=(H, W)), 0, 10)
            frames.append(
                FrameSample(
                    descriptors=halves[1].astype(np.float32),
                    tokens=np.concatenate(halves, axis=-1).astype(np.float32),
                    saliency=(salient / salient.mean()).astype(np.float32),
                    paper_saliency=((salient - salient.min()) / np.ptp(salient)).astype(np.float32),
                    aspect=H / W,
                    motion=Motion([self._flow(i, label, shake, sign) for sign in (1, -1)] if self.flowing else []),
                )
            )
        return Sample(frames)

    def _flow(self, i: int, label: npt.NDArray[np.int64], random: np.random.Generator, sign: int) -> Flow:
        motions = np.array([(0.0, 0.0), *(thing.motion(i) for thing in self.things)])[label]
        flow = motions.repeat(FINE, axis=0).repeat(FINE, axis=1)
        if self.camera is not None:
            y, x = np.mgrid[: H * FINE, : W * FINE].astype(np.float64)
            flow = flow + np.stack(np.broadcast_arrays(*self.camera(i, y, x), y)[:2], axis=-1)  # type: ignore[arg-type]
        return np.asarray(sign * flow + 0.01 * random.normal(size=flow.shape), dtype=np.float32)


def _unit(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def overlap(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max(1, (one | other).sum()))

"""A tree of parts: the object, its parts, and the parts of parts, from one clustering.

Bisecting k-means (Steinbach, Karypis, Kumar: *A Comparison of Document Clustering Techniques*, 2000): split the object
in two, then again and again that part whose split explains most. A cut with N leaves is the object in N parts, and
finer cuts only divide the parts of coarser ones. That costs k-means a little of its fit, and buys what a user sees:
the best of many starts of *two* centroids is nearly always the same, where that of eight is by chance.

Descriptors of an object have much in common, which says nothing of its parts: their mean is taken off first. What is
left is neither kept as it is nor made of unit length, but divided by the root of its length. At unit length patches
near the mean, which are of no part, would pull as hard as any, so that a few more or less of them at the object's edge
move the parts; as they are, a few odd patches would have parts to themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from .config import MOST_PARTS
from .errors import FitError, SettingsError

Floats = npt.NDArray[np.float32]

_STARTS = 16  # of which the best is kept
_STARTERS = 2000  # descriptors that are enough to find the best start
_ROUNDS = 30  # of k-means at most
_ROUNDING = 1e-5  # gain for each descriptor that may be rounding
_FEWEST = 4  # descriptors that can still be split
_TEMPERATURE = 0.05  # of the softmax over half the squared distances to two siblings
_SAME_AREA = 0.9  # parts whose areas differ by less are of one size
_SAME_HEIGHT = 0.02  # widths of the frame by which places may differ and still lie beside each other
_GAIN = 0.045  # a split that lowers the mean distance by a smaller share is one too many
_AUTOMATIC = (2, 10)  # parts, of the number that is found
_A_PART = 3.0  # patches a frame that a part has on average, where the number is found


@dataclass(frozen=True, repr=False)
class PartTree:
    """A binary tree of parts. Node 0 is the whole object; split s, from 0, makes nodes 2 s + 1 and 2 s + 2.

    So a cut into N parts knows the first 2 N - 1 nodes only.
    """

    centre: torch.Tensor  # (D,) float32: the mean of the object's descriptors
    centroids: torch.Tensor  # (M, D) float32: means of `centred` descriptors
    parent: torch.Tensor  # (M,) int64; -1 for node 0
    share: torch.Tensor  # (M,) float32: of the object's area
    place: torch.Tensor  # (M, 2) float32: mean place, down and right, in widths of the frame
    distance: torch.Tensor  # (M,) float32: mean squared distance to the centroid, times the share
    extent: float  # patches of the object in a frame that it is in, on average

    def __post_init__(self) -> None:
        m, d = self.centroids.shape
        shapes = [tuple(t.shape) for t in (self.centre, self.parent, self.share, self.place, self.distance)]
        if shapes != [(d,), (m,), (m,), (m, 2), (m,)] or m % 2 == 0:
            raise ValueError(f"a tree of {m} nodes of size {d} cannot have {shapes}")
        parents = self.parent.tolist()
        made = all(parents[k] == parents[k + 1] and 0 <= parents[k] < k for k in range(1, m, 2))
        if parents[0] != -1 or not made or len(set(parents)) != (m + 1) // 2:
            raise ValueError(f"node k's parent must come before it, and each be split once, got {parents}")

    def __repr__(self) -> str:
        return f"PartTree(most={self.most}, sensible={self.sensible()}, patches a frame={self.extent:.1f})"

    @property
    def most(self) -> int:
        """Parts of the finest cut."""
        return (len(self.parent) + 1) // 2

    def cut(self, parts: int) -> tuple[int, ...]:
        """The nodes that are the object's ``parts`` parts, in the order of their numbers.

        The largest comes first. Those of nearly one size are numbered from top to bottom, and those at one height from
        left to right: where they lie on average in the clip.

        Raises:
            SettingsError: the tree is not so fine, or no part is asked for.
        """
        if not 1 <= parts <= self.most:
            raise SettingsError(f"this model has 1 to {self.most} parts, not {parts}; give such a number with --parts")
        parents = set(self.parent[: 2 * parts - 1].tolist())
        leaves = [k for k in range(2 * parts - 1) if k not in parents]
        share, place = self.share.tolist(), self.place.tolist()
        return tuple(
            k
            for alike in _alike(leaves, [-math.log(max(s, 1e-9)) for s in share], -math.log(_SAME_AREA))
            for level in _alike(alike, [down for down, _ in place], _SAME_HEIGHT)
            for k in sorted(level, key=lambda k: place[k][1])
        )

    def coarser(self, fine: int, coarse: int) -> tuple[int, ...]:
        """For each part of a cut, the number of the part of a coarser cut that it lies in.

        Args:
            fine: parts of the one cut.
            coarse: parts of the other, as many or fewer.

        Returns:
            (fine,) numbers from 1 to ``coarse``.

        Raises:
            SettingsError: the tree is not so fine, or no part is asked for.
            ValueError: ``coarse`` is the finer one.
        """
        if coarse > fine:
            raise ValueError(f"{coarse} parts are no coarser cut than {fine}")
        number = {node: k for k, node in enumerate(self.cut(coarse), start=1)}
        parents = self.parent.tolist()

        def part_of(node: int) -> int:
            return number[node] if node in number else part_of(parents[node])

        return tuple(part_of(node) for node in self.cut(fine))

    def sensible(self) -> int:
        """How many parts the object has by itself: until the mean distance falls by less than 4.5 %.

        From 2 to 10, and so few that a part has some patches in each frame; 1 where nothing can be split.
        """
        few, many = _AUTOMATIC
        distance = [sum(self.distance[k].item() for k in self.cut(n)) for n in range(1, self.most + 1)]
        for n in range(1, min(many, self.most)):
            small = self.share[2 * n - 1 : 2 * n + 1].min().item() * self.extent < _A_PART
            if n >= few and (small or distance[n] > (1 - _GAIN) * distance[n - 1]):
                return n
        return min(many, self.most)

    def chances(self, descriptors: torch.Tensor, parts: int) -> torch.Tensor:
        """How likely a patch of the object belongs to each part of a cut.

        The product of the two-way softmaxes on the way down the tree: what a part has at one cut is the sum of what
        its own parts have at a finer one.

        Args:
            descriptors: (..., D) float32, unit length, of patches.
            parts: leaves of the cut.

        Returns:
            (..., parts) float32, 1 in sum, in the order of `cut`.
        """
        x = centred(descriptors, self.centre.to(descriptors))
        whole = torch.ones_like(x[..., 0])
        of_node = [whole]
        if parts > 1:
            direction, offset = _between(self.centroids[1 : 2 * parts - 1].reshape(parts - 1, 2, -1).to(x))
            lead = (x @ direction.T - offset) / _TEMPERATURE
            for split, parent in enumerate(self.parent[1 : 2 * parts - 1 : 2].tolist()):
                mine = of_node[parent] * lead[..., split].sigmoid()
                of_node += [mine, of_node[parent] - mine]
        return torch.stack([of_node[k] for k in self.cut(parts)], dim=-1)


def _alike(nodes: Sequence[int], value: Sequence[float], tolerance: float) -> list[list[int]]:
    """Nodes in the order of their value, put together while they are within a tolerance of the first."""
    groups: list[list[int]] = []
    for k in sorted(nodes, key=lambda k: value[k]):
        if groups and value[k] - value[groups[-1][0]] <= tolerance:
            groups[-1].append(k)
        else:
            groups.append([k])
    return groups


def centred(descriptors: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    """Descriptors (..., D) less the centre (D,), divided by the root of the length that is left."""
    x = descriptors - centre
    length: torch.Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.clamp(min=1e-6).sqrt()


def _between(centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For pairs of centroids (S, 2, D) the direction (S, D) and offset (S,) by which descriptors are nearer to the
    first: half the difference of the squared distances is x @ direction - offset."""
    half = (centroids**2).sum(-1) / 2
    return centroids[:, 0] - centroids[:, 1], half[:, 0] - half[:, 1]


def part_tree(
    descriptors: Floats,
    place: Floats,
    frame: npt.NDArray[np.int64],
    seed: int = 0,
    most: int = MOST_PARTS,
) -> PartTree:
    """Split the object into parts, and those into theirs.

    Args:
        descriptors: (n, D) float32, unit length, of the object's patches.
        place: (n, 2) where those are, down and right, in widths of the frame.
        frame: (n,) which frame each is from.
        seed: of the starts of k-means; the best of many is kept, so that it matters little.
        most: parts of the finest cut; fewer where the descriptors give no more.

    Raises:
        FitError: there are no descriptors.
    """
    if not len(descriptors):
        raise FitError("the object covers no patch; see more with a larger --load-size or more --frames")
    with _one_thread():
        centre = torch.from_numpy(descriptors.mean(axis=0, dtype=np.float64).astype(np.float32))
        x = centred(torch.from_numpy(descriptors), centre)
        members, parent = _split(x, np.random.default_rng(seed), most)
        centroids = [x[m].mean(0) for m in members]
        distance = [((x[m] - c) ** 2).sum() / len(x) for m, c in zip(members, centroids, strict=True)]
    return PartTree(
        centre=centre,
        centroids=torch.stack(centroids),
        parent=torch.tensor(parent),
        share=torch.tensor([len(m) / len(x) for m in members]),
        place=torch.stack([torch.from_numpy(place)[m].float().mean(0) for m in members]),
        distance=torch.stack(distance),
        extent=len(x) / len(np.unique(frame)),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Products as small as ours take many times as long on threads that wait for one another, and more so on a busy
    machine; and the sums, and so the tree, do not depend on the number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _split(x: torch.Tensor, random: np.random.Generator, most: int) -> tuple[list[torch.Tensor], list[int]]:
    """The descriptors, as rows of x (n, D), of each node, and the node's parent."""
    members, parent = [torch.arange(len(x))], [-1]
    halves = [_halve(x, random)]
    while len(members) < 2 * most - 1:
        split = max((k for k in range(len(members)) if k not in parent), key=lambda k: halves[k].gain)
        if halves[split].gain <= 0:
            break
        for side in (halves[split].first, ~halves[split].first):
            members.append(members[split][side])
            parent.append(split)
            halves.append(_halve(x[members[-1]], random))
    return members, parent


@dataclass(frozen=True, repr=False)
class _Halves:
    """The best split of some descriptors in two."""

    gain: float  # by how much it shortens the sum of squared distances; 0 where nothing can be split
    first: torch.Tensor  # (n,) bool: those that are nearer to the first centroid


def _halve(x: torch.Tensor, random: np.random.Generator) -> _Halves:
    """2-means of x (n, D): the best of many starts, found on a sample and finished on all."""
    if len(x) < _FEWEST:
        return _Halves(0, torch.zeros(len(x), dtype=torch.bool))
    few = x
    if len(x) > _STARTERS:
        few = x[torch.from_numpy(np.sort(random.permutation(len(x))[:_STARTERS]))]
    centroids, gain, _ = _two_means(few, _starts(few, random))
    best = int(gain.argmax())
    _, gain, first = _two_means(x, centroids[best : best + 1])
    return _Halves(gain.item() if gain.item() > _ROUNDING * len(x) else 0.0, first[:, 0])


def _starts(x: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """(_STARTS, 2, D): pairs of descriptors, the second likelier the farther away (k-means++: Arthur, Vassilvitskii,
    2007)."""
    one = torch.from_numpy(random.integers(len(x), size=_STARTS))
    square = (x**2).sum(1)
    away = (square[:, None] + square[one] - 2 * x @ x[one].T).clamp(min=0) + 1e-9
    reach = away.double().cumsum(0)
    other = (reach < torch.from_numpy(random.random(_STARTS)) * reach[-1]).sum(0).clamp(max=len(x) - 1)
    return torch.stack([x[one], x[other]], dim=1)


def _two_means(x: torch.Tensor, centroids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """k-means of x (n, D) from R starts (R, 2, D).

    Returns:
        The centroids (R, 2, D), the gain (R,) as of `_Halves`, and the descriptors of the first clusters (n, R).
    """
    n, total = len(x), x.sum(0)
    first = torch.zeros(n, len(centroids), dtype=torch.bool)
    for _ in range(_ROUNDS):
        direction, offset = _between(centroids)
        last, first = first, x @ direction.T > offset
        one = first.T.float() @ x
        count = first.sum(0).clamp(1, n - 1)[:, None]
        centroids = torch.stack([one / count, (total - one) / (n - count)], dim=1)
        if first.equal(last):
            break
    apart = ((centroids[:, 0] - centroids[:, 1]) ** 2).sum(1)
    gain = apart * count[:, 0] * (n - count[:, 0]) / n
    return centroids, gain * (first.any(0) & ~first.all(0)), first


def tree_tensors(tree: PartTree) -> dict[str, torch.Tensor]:
    """All that there is to a tree, by name, for a file."""
    return {f"tree.{name}": getattr(tree, name) for name in _TENSORS} | {
        "tree.extent": torch.tensor([tree.extent], dtype=torch.float64)
    }


def tree_from(tensors: Mapping[str, torch.Tensor]) -> PartTree:
    """The tree whose `tree_tensors` these are; other names are passed over.

    Raises:
        KeyError: one is missing.
        ValueError: they are not of a tree.
    """
    return PartTree(**{name: tensors[f"tree.{name}"] for name in _TENSORS}, extent=float(tensors["tree.extent"].item()))


_TENSORS = ("centre", "centroids", "parent", "share", "place", "distance")

"""A tree of parts: the object, its parts, and the parts of parts, from one clustering.

Bisecting k-means (Steinbach, Karypis, Kumar: *A Comparison of Document Clustering Techniques*, 2000): split the object
in two, then again and again that part whose split explains most of what frames show side by side. A cut with N leaves
is the object in N parts, and finer cuts only divide the parts of coarser ones. That costs k-means a little of its fit,
and buys what a user sees: two centroids can be found so that chance has no part in it, eight cannot.

Descriptors of an object have much in common, which says nothing of its parts: their mean is taken off first. What is
left is neither kept as it is nor made of unit length, but divided by the root of its length. At unit length patches
near the mean, which are of no part, would pull as hard as any; as they are, a few odd patches would have parts to
themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from ..clustering import Floats
from ..config import MOST_PARTS
from ..devices import copied_to
from ..errors import FitError, SettingsError
from ..one_thread import one_thread
from ..sigmoid import sigmoid
from .two_means import Halves, halve

_AXES = 128  # principal axes of the object, along which it is split
_TEMPERATURE = 0.05  # of the softmax over half the squared distances to two siblings
_SAME_AREA = 0.8  # parts whose areas differ by less are of one size; a few more patches change areas by a few percent
_SAME_HEIGHT = 0.02  # widths of the frame by which places may differ and still lie beside each other
_GAIN = 0.025  # a split that explains a smaller share of the whole object's distance is one too many
_AUTOMATIC = (2, 10)  # parts, of the number that is found
_A_PART = 3.0  # patches a frame that a part has on average, where the number is found


@dataclass(frozen=True, eq=False, repr=False)
class PartTree:
    """A binary tree of parts. Node 0 is the whole object; split s, from 0, makes nodes 2 s + 1 and 2 s + 2.

    So a cut into N parts knows the first 2 N - 1 nodes only.
    """

    centre: torch.Tensor  # (D,) float32: the mean of the object's descriptors
    centroids: torch.Tensor  # (M, D) float32: of `centred` descriptors
    parent: torch.Tensor  # (M,) int64; -1 for node 0
    share: torch.Tensor  # (M,) float32: of the object's patches
    place: torch.Tensor  # (M, 2) float32: mean place, down and right, in widths of the frame
    distance: torch.Tensor  # (M,) float32: sum of squared distances to the centroid, each times the weight's share
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
            while node not in number:
                node = parents[node]
            return number[node]

        return tuple(part_of(node) for node in self.cut(fine))

    def on(self, device: torch.device) -> PartTree:
        """The same, ready for descriptors on a device. What `cut` reads stays where it can be read."""
        return replace(self, centre=copied_to(self.centre, device), centroids=copied_to(self.centroids, device))

    def sensible(self) -> int:
        """How many parts the object has by itself: as long as a split explains 2.5 % of its distance.

        From 2 to 10, and so few that a part has some patches in each frame; 1 where nothing can be split.
        """
        few, many = _AUTOMATIC
        distance = [sum(self.distance[k].item() for k in self.cut(n)) for n in range(1, self.most + 1)]
        for n in range(1, min(many, self.most)):
            small = self.share[2 * n - 1 : 2 * n + 1].min().item() * self.extent < _A_PART
            if n >= few and (small or distance[n - 1] - distance[n] < _GAIN * distance[0]):
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
        of_node = [torch.ones_like(descriptors[..., 0])]
        if parts > 1:
            centre = self.centre.to(descriptors)
            direction, offset = _between(self.centroids[1 : 2 * parts - 1].reshape(parts - 1, 2, -1).to(descriptors))
            # x @ direction for x = centred(descriptors, centre), which would take a copy of all descriptors.
            along = descriptors @ torch.cat([direction, centre[None]]).T
            length = (1 - 2 * along[..., -1:] + centre @ centre).clamp(min=1e-12).sqrt()
            lead = ((along[..., :-1] - direction @ centre) / length.sqrt() - offset) / _TEMPERATURE
            for split, parent in enumerate(self.parent[1 : 2 * parts - 1 : 2].tolist()):
                mine = of_node[parent] * sigmoid(lead[..., split])
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
    weight: Floats,
    most: int = MOST_PARTS,
) -> PartTree:
    """Split the object into parts, and those into theirs. The same patches always give the same tree.

    Weights say what parts there are. How large each is and where it lies is told by all patches alike, as labels will
    show it: a thin part is mostly edge, which counts least.

    Args:
        descriptors: (n, D) float32, unit length, of the object's patches, as of `PartSpace.looks`.
        place: (n, 2) where those are, down and right, in widths of the frame.
        frame: (n,) which frame each is from.
        weight: (n,) float32, above 0: how much each counts.
        most: parts of the finest cut; fewer where the descriptors give no more.

    Raises:
        FitError: there are no descriptors.
    """
    if not len(descriptors):
        raise FitError("the object covers no patch; see more with a larger --load-size or more --frames")
    with one_thread():
        counts = torch.from_numpy(weight) / float(weight.sum(dtype=np.float64))
        centre = counts @ torch.from_numpy(descriptors)
        x = centred(torch.from_numpy(descriptors), centre)
        which = torch.from_numpy(np.unique(frame, return_inverse=True)[1])
        members, parent, centroids = _split(x, counts, which, most)
        away = [counts[m] @ (x[m] - c).square().sum(1) for m, c in zip(members, centroids, strict=True)]
        where = [torch.from_numpy(place)[m].float().mean(0) for m in members]
    return PartTree(
        centre=centre,
        centroids=centroids,
        parent=torch.tensor(parent),
        share=torch.tensor([len(m) / len(x) for m in members]),
        place=torch.stack(where),
        distance=torch.stack(away),
        extent=len(x) / (int(which.max()) + 1),
    )


def _split(
    x: torch.Tensor, weight: torch.Tensor, frame: torch.Tensor, most: int
) -> tuple[list[torch.Tensor], list[int], torch.Tensor]:
    """The descriptors, as rows of x (n, D), of each node, the node's parent, and all centroids (M, D)."""
    mean = weight @ x
    axes = _principal_axes(x - mean, weight)
    points = (x - mean) @ axes  # what is nearer along the axes is nearer in all of the space
    members, parent, centroids = [torch.arange(len(x))], [-1], [torch.zeros(axes.shape[1])]
    halves, worth = list[Halves](), list[float]()
    while True:
        for some in members[len(halves) :]:
            halves.append(halve(points[some], weight[some]))
            worth.append(halves[-1].gain * _together(halves[-1].first, weight[some], frame[some]))
        split = max((k for k in range(len(members)) if k not in parent), key=lambda k: (worth[k], halves[k].gain))
        if len(members) >= 2 * most - 1 or halves[split].gain <= 0:
            break
        for side, centroid in zip((halves[split].first, ~halves[split].first), halves[split].centroids, strict=True):
            members.append(members[split][side])
            parent.append(split)
            centroids.append(centroid)
    return members, parent, torch.stack(centroids) @ axes.T + mean


def _together(first: torch.Tensor, weight: torch.Tensor, frame: torch.Tensor) -> float:
    """How far two halves are in the same frames: 1 where each frame has as much of the first as the others have, 0
    where no frame has both. Halves of that kind are the same part in another light, or from another side.

    It is the variance, within frames, of whether a patch is in the first half, over all of that variance.
    """
    inside = first.to(weight)
    of_frame = torch.bincount(frame, weight)
    share = torch.bincount(frame, weight * inside) / of_frame.clamp(min=1e-12)
    whole = weight @ inside / weight.sum()
    within = (of_frame * share * (1 - share)).sum() / weight.sum()
    return (within / (whole * (1 - whole)).clamp(min=1e-12)).item()


def _principal_axes(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The first axes (D, A) along which x (n, D), of mean 0, spreads most."""
    axes: torch.Tensor = torch.linalg.eigh((x * weight[:, None]).T @ x).eigenvectors
    return axes[:, -_AXES:]


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

"""The tree of parts: what it finds, how it numbers, and what it says of patches."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
import torch

from videoparts.errors import FitError, SettingsError
from videoparts.evaluation.metrics import ari, contingency
from videoparts.parts.tree import PartTree, centred, tree_from, tree_tensors
from videoparts.parts.tree import part_tree as weighted_tree

Floats = npt.NDArray[np.float32]
D = 24
# Three parts, of which the second and the third are alike, and the third has two parts of its own.
MEANS = np.zeros((4, D), np.float32)
MEANS[:, 0] = 3
MEANS[0, 1] = 2
MEANS[1:, 2] = 1.5
MEANS[1, 3] = 1
MEANS[2:, 4] = 1
MEANS[2, 5] = 0.5
MEANS[3, 6] = 0.5
SIZES = (400, 300, 200, 100)


def planted(seed: int = 0, noise: float = 0.03, frames: int = 10) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Descriptors of four kinds, in the order of SIZES; kind k lies at (0, k)."""
    random = np.random.default_rng(seed)
    kind = np.repeat(np.arange(4), SIZES)
    x = MEANS[kind] + noise * random.standard_normal((len(kind), D)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    place = np.stack([np.zeros(len(kind)), kind], axis=1).astype(np.float32)
    return x, place, np.arange(len(kind)) % frames


def part_tree(x: Floats, place: Floats, frame: npt.NDArray[np.int64], most: int = 16) -> PartTree:
    """Of patches that count alike."""
    return weighted_tree(x, place, frame, np.ones(len(x), np.float32), most)


def labels(tree: PartTree, x: Floats, parts: int) -> npt.NDArray[np.int64]:
    """Which part each is of, from 1."""
    return tree.chances(torch.from_numpy(x), parts).argmax(-1).numpy() + 1


def tree_of(share: list[float], place: list[tuple[float, float]], parent: list[int]) -> PartTree:
    m = len(parent)
    return PartTree(
        centre=torch.zeros(m),
        centroids=torch.eye(m),
        parent=torch.tensor(parent),
        share=torch.tensor(share),
        place=torch.tensor(place),
        distance=torch.ones(m),
        extent=100.0,
    )


def test_planted_parts_come_level_by_level() -> None:
    x, place, frame = planted()
    tree = part_tree(x, place, frame)
    kind = np.repeat(np.arange(4), SIZES)
    for parts, wanted in ((1, (1, 1, 1, 1)), (2, (2, 1, 1, 1)), (3, (1, 2, 3, 3)), (4, (1, 2, 3, 4))):
        assert labels(tree, x, parts).tolist() == np.array(wanted)[kind].tolist()
    assert [round(tree.share[k].item(), 3) for k in tree.cut(4)] == [0.4, 0.3, 0.2, 0.1]
    assert torch.allclose(tree.place[list(tree.cut(4))], torch.tensor([[0.0, k] for k in range(4)]), atol=1e-5)
    assert tree.extent == 100


def test_each_part_lies_in_one_of_a_coarser_cut() -> None:
    x, place, frame = planted(noise=0.3)
    tree = part_tree(x, place, frame)
    parent = tree.parent.tolist()
    for fine, coarse in ((8, 3), (8, 8), (5, 1), (4, 2)):
        wanted = []
        for node in tree.cut(fine):
            above = [node]
            while above[-1] != 0:
                above.append(parent[above[-1]])
            (within,) = set(above) & set(tree.cut(coarse))
            wanted.append(tree.cut(coarse).index(within) + 1)
        assert tree.coarser(fine, coarse) == tuple(wanted)
        assert set(wanted) == set(range(1, coarse + 1))
    assert tree.coarser(8, 8) == tuple(range(1, 9))
    with pytest.raises(ValueError, match="no coarser"):
        tree.coarser(2, 3)
    with pytest.raises(SettingsError, match="not 99"):
        tree.coarser(99, 3)


def test_a_part_has_what_its_parts_have() -> None:
    x, place, frame = planted(noise=0.3)  # so much that no patch is certain
    tree = part_tree(x, place, frame)
    fine = tree.chances(torch.from_numpy(x), 8)
    assert torch.allclose(fine.sum(-1), torch.ones(len(x)), atol=1e-6)
    assert 0.2 < fine.amax(-1).min() < 0.7
    parent = tree.parent.tolist()
    for parts in range(1, 8):
        coarse = tree.chances(torch.from_numpy(x), parts)
        column = {node: i for i, node in enumerate(tree.cut(parts))}
        added = torch.zeros_like(coarse)
        for i, node in enumerate(tree.cut(8)):
            while node not in column:
                node = parent[node]
            added[:, column[node]] += fine[:, i]
        assert torch.allclose(added, coarse, atol=1e-6)


def test_chances_are_products_of_two_way_softmaxes() -> None:
    x, place, frame = planted(noise=0.3)
    tree = part_tree(x, place, frame)
    distance = torch.cdist(centred(torch.from_numpy(x[:50]), tree.centre), tree.centroids) ** 2 / 2
    parent = tree.parent.tolist()
    slow = []
    for leaf in tree.cut(6):
        chance, node = torch.ones(50), leaf
        while node:
            sibling = node + 1 if node % 2 else node - 1
            chance *= (-distance[:, [node, sibling]] / 0.05).softmax(1)[:, 0]
            node = parent[node]
        slow.append(chance)
    assert torch.allclose(tree.chances(torch.from_numpy(x[:50]), 6), torch.stack(slow, -1), atol=1e-6)


def test_a_patch_counts_by_its_weight() -> None:
    x, place, frame = planted(noise=0.1)
    weight = np.random.default_rng(1).integers(1, 4, len(x))
    twice = np.repeat(np.arange(len(x)), weight)
    one = weighted_tree(x, place, frame, weight.astype(np.float32), most=4)
    other = part_tree(x[twice], place[twice], frame[twice], most=4)
    for name in ("centre", "centroids", "parent", "distance"):
        assert torch.allclose(getattr(one, name), getattr(other, name), atol=1e-4), name
    # How large a part is and where it lies counts patches, however much they weigh.
    alike = part_tree(x, place, frame, most=4)
    assert labels(one, x, 4).tolist() == labels(alike, x, 4).tolist()
    for a, b in ((one.share, alike.share), (one.place, alike.place)):
        assert torch.allclose(a[list(one.cut(4))], b[list(alike.cut(4))])
    assert one.extent == alike.extent


def test_other_patches_change_nothing_that_one_would_notice() -> None:
    random = np.random.default_rng(0)
    x, place, frame = planted(noise=0.15)
    one = part_tree(x, place, frame)
    few = np.sort(random.permutation(len(x))[: len(x) * 8 // 10])
    two = part_tree(x[few], place[few], frame[few])
    for parts in (2, 3, 4):
        a, b = labels(one, x, parts).astype(np.uint8), labels(two, x, parts).astype(np.uint8)
        assert ari(contingency(a, b)) > 0.97
        assert (a == b).mean() > 0.98  # the numbers, too


def test_a_part_is_not_split_by_the_light_of_frames() -> None:
    # The first part looks different in later frames, by more than the two others differ from each other.
    random = np.random.default_rng(0)
    kind, frame = np.tile(np.repeat([1, 2, 3], 30), 10), np.repeat(np.arange(10), 90)
    x = np.zeros((900, 6)) + 0.02 * random.normal(size=(900, 6))
    x[:, 0] += kind == 1
    x[:, 1] += kind > 1
    x[:, 2] += np.where(kind == 1, np.where(frame < 5, 0.8, -0.8), 0)
    x[:, 3] += np.select([kind == 2, kind == 3], [0.3, -0.3], 0)
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    place = np.zeros((900, 2), np.float32)
    assert ari(contingency(labels(part_tree(x, place, frame), x, 3), kind)) > 0.99
    # Where its two looks are seen side by side, they are two parts, and the others one.
    mixed = labels(part_tree(x, place, np.zeros(900, np.int64)), x, 3)
    assert ari(contingency(mixed, np.where(kind == 1, 1 + (frame < 5), 3))) > 0.99


def test_halves_that_no_frame_shows_together_are_still_halves() -> None:
    x = np.repeat(np.eye(4, dtype=np.float32)[:2], 40, axis=0)
    tree = part_tree(x, np.zeros((80, 2), np.float32), np.repeat([0, 1], 40))
    assert tree.most == 2


def test_the_same_patches_give_the_same_tree() -> None:
    one, two = (tree_tensors(part_tree(*planted(noise=0.3))) for _ in range(2))
    assert all(one[name].equal(two[name]) for name in one)


def test_parts_are_numbered_by_area_then_place() -> None:
    #                     0
    #           1                    2
    #       3       4            5       6
    share = [1.0, 0.495, 0.505, 0.205, 0.29, 0.2, 0.305]
    place = [(0.3, 0.3)] * 3 + [(0.50, 0.9), (0.2, 0.1), (0.51, 0.1), (0.4, 0.1)]
    tree = tree_of(share, place, [-1, 0, 0, 1, 1, 2, 2])
    # 4 and 6 are of one size, 4 lies higher; 3 and 5 are of one size and at one height, 5 lies to the left.
    assert tree.cut(4) == (4, 6, 5, 3)
    assert tree.cut(3) == (2, 4, 3)  # by area alone
    assert tree.cut(1) == (0,)
    other = dataclasses.replace(tree, share=torch.tensor([1.0, 0.495, 0.505, 0.205, 0.25, 0.2, 0.345]))
    assert other.cut(4) == (6, 4, 5, 3)


@pytest.mark.parametrize("parts", [0, -1, 5])
def test_levels_that_there_are_not(parts: int) -> None:
    tree = tree_of([1.0] + [0.5] * 6, [(0, 0)] * 7, [-1, 0, 0, 1, 1, 2, 2])
    with pytest.raises(SettingsError, match=f"1 to 4 parts, not {parts}; .*--parts"):
        tree.cut(parts)


@pytest.mark.parametrize("wanted", [2, 4, 6])
def test_the_number_of_parts_is_found(wanted: int) -> None:
    random = np.random.default_rng(wanted)
    kind = np.arange(1200) % wanted
    x = np.eye(D, dtype=np.float32)[kind] + 0.1 * random.standard_normal((1200, D)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    place = np.zeros((1200, 2), np.float32)
    tree = part_tree(x, place, np.arange(1200) // 120)
    assert tree.most == 16
    assert tree.sensible() == wanted


def test_a_small_object_has_few_parts() -> None:
    x, place, frame = planted()
    assert part_tree(x, place, frame).sensible() == 3
    # The same over more frames: the third part is a patch in each of them.
    assert part_tree(x, place, np.arange(len(x)) % 300).sensible() == 2


def test_what_cannot_be_split_is_one_part() -> None:
    same = np.tile(np.eye(D, dtype=np.float32)[:1], (9, 1))
    for x in (same, same[:1]):
        tree = part_tree(x, np.zeros((len(x), 2), np.float32), np.arange(len(x)))
        assert tree.most == tree.sensible() == 1
        assert tree.chances(torch.from_numpy(x), 1).tolist() == [[1]] * len(x)
    with pytest.raises(FitError, match="no patch"):
        part_tree(same[:0], np.zeros((0, 2), np.float32), np.arange(0))


def test_a_few_patches_make_a_small_tree() -> None:
    x, place, frame = planted()
    some = slice(395, 405)
    tree = part_tree(x[some], place[some], frame[some])
    assert 2 <= tree.most <= 10
    assert sorted(set(labels(tree, x[some], 2).tolist())) == [1, 2]


def test_a_tree_is_its_tensors() -> None:
    tree = part_tree(*planted(noise=0.3))
    tensors = tree_tensors(tree)
    again = tree_from(tensors | {"other": torch.zeros(1)})
    assert again.extent == tree.extent
    assert all(tree_tensors(again)[name].equal(tensor) for name, tensor in tensors.items())
    with pytest.raises(KeyError):
        tree_from({k: v for k, v in tensors.items() if k != "tree.place"})


@pytest.mark.parametrize("parent", [[-1, 0, 1], [-1, 2, 2], [0, 0, 0], [-1, 0, 0, 0, 0], [-1, 0, 0, 1]])
def test_a_tree_checks_itself_at_birth(parent: list[int]) -> None:
    with pytest.raises(ValueError, match=r"parent|nodes"):
        tree_of([1.0] * len(parent), [(0, 0)] * len(parent), parent)

"""The part model: scores, and its file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from videoparts.errors import ModelMismatchError, OutputError, SettingsError
from videoparts.features import Features
from videoparts.foreground.probe import CentroidProbe, LinearProbe, probe_tensors
from videoparts.grid import Grid
from videoparts.identity import ExtractorIdentity
from videoparts.painting.palette import part_colour
from videoparts.parts.model import PartModel, check_model_path
from videoparts.parts.space import PartSpace
from videoparts.parts.tree import PartTree, tree_tensors
from videoparts.refine.pixels import working_scores

IDENTITY = ExtractorIdentity("vit", 11, "key", 14, 336, False, "abc")
EYE = torch.eye(6)
# Node 0 is the object, 1 and 2 its parts, 3 and 4 those of 2. The sizes of 1, 3 and 4 are 0.5, 0.3 and 0.2.
KEYS = torch.eye(6, 7)  # part descriptors: six of the key, one of the tokens
TREE = PartTree(
    centre=torch.zeros(7),
    centroids=torch.stack([KEYS[:3].sum(0) / 3**0.5, KEYS[0], KEYS[1:3].sum(0) / 2**0.5, KEYS[1], KEYS[2]]),
    parent=torch.tensor([-1, 0, 0, 2, 2]),
    share=torch.tensor([1, 0.5, 0.5, 0.3, 0.2]),
    place=torch.tensor([[0.5, 0.5], [0.1, 0.5], [0.9, 0.5], [0.9, 0.4], [0.9, 0.6]]),
    distance=torch.tensor([1.0, 0.2, 0.5, 0.2, 0.1]),
    extent=100.0,
)
CENTROIDS = CentroidProbe(background=EYE[4:], foreground=EYE[:4])
SPACE = PartSpace("one", torch.zeros(0, 7), torch.zeros(0), torch.zeros(0))
LINEAR = LinearProbe(torch.tensor([2.0, -2.0]), 0.25)


def model(parts: int = 3) -> PartModel:
    return PartModel.of(CENTROIDS, SPACE, TREE, parts, IDENTITY)


def features(*rows: int) -> Features:
    tokens = EYE[[int(row >= 4) for row in rows], :2].view(1, 1, len(rows), 2)
    return Features(EYE[list(rows)].view(1, 1, len(rows), 6), Grid(14, 14 * len(rows), 14, 14), tokens=tokens)


def test_each_patch_is_background_or_its_part() -> None:
    chance = model().probabilities(features(0, 1, 2, 4, 5))
    assert chance.shape == (1, 4, 1, 5)
    assert torch.allclose(chance.sum(1), torch.ones(1, 1, 5))
    assert chance[0, :, 0].argmax(0).tolist() == [1, 2, 3, 0, 0]


def test_the_parts_share_what_the_probe_gives_the_object() -> None:
    some = features(0, 1, 3, 5)
    one = PartModel.of(LINEAR, SPACE, TREE, 3, IDENTITY)
    assert some.tokens is not None
    looks = SPACE.looks(some.descriptors, some.tokens)
    chance = one.probabilities(some)
    assert torch.allclose(chance[:, 0], 1 - LINEAR.odds(some).sigmoid())
    assert torch.allclose(
        chance[:, 1:], (LINEAR.odds(some).sigmoid()[..., None] * TREE.chances(looks, 3)).permute(0, 3, 1, 2)
    )
    assert 0.05 < chance[0, 0, 0, 0] < 0.2  # sigmoid(-2.25)
    with pytest.raises(ValueError, match="extracted without"):
        one.probabilities(dataclasses.replace(some, tokens=None))


@pytest.mark.parametrize("probe", [CENTROIDS, LINEAR])
def test_on_a_device_all_that_is_needed_is_there(probe: CentroidProbe | LinearProbe) -> None:
    """On torch's meta device, which knows shapes alone."""
    there, some = torch.device("meta"), features(0, 1, 4)
    one = PartModel.of(probe, SPACE, TREE, 3, IDENTITY)
    assert some.tokens is not None
    moved = dataclasses.replace(some, descriptors=some.descriptors.to(there), tokens=some.tokens.to(there))
    ready = one.on(there)
    assert isinstance(ready.probe, type(probe))
    used = [ready.space.axes, ready.space.offset, ready.space.kept, ready.tree.centre, ready.tree.centroids]
    used += [value for value in vars(ready.probe).values() if isinstance(value, torch.Tensor)]
    assert {tensor.device for tensor in used} == {there}
    assert ready.tree.cut(3) == TREE.cut(3)  # what is read stays where it can be read
    patches = ready.probabilities(moved)
    assert patches.device == there
    scores = working_scores(patches, some.grid, (30, 90))
    assert scores.device == there
    assert scores.shape == working_scores(one.probabilities(some), some.grid, (30, 90)).shape
    here = torch.device("cpu")
    assert torch.equal(one.on(here).probabilities(some), one.probabilities(some))


def test_names_and_colours_are_the_usual() -> None:
    one = model()
    assert len(one) == 3
    assert one.names == ("part1", "part2", "part3")
    assert one.colours == tuple(part_colour(k) for k in (1, 2, 3))
    assert "part3" in repr(one)


def test_another_level_needs_no_fit() -> None:
    fine, some = model(), features(0, 1, 2, 3, 4)
    coarse = fine.at(2)
    assert len(coarse) == len(coarse.names) == 2
    assert coarse.at(3).probabilities(some).equal(fine.probabilities(some))
    a, b = fine.probabilities(some), coarse.probabilities(some)
    assert torch.allclose(a[:, 0], b[:, 0])  # the object stays what it is
    # Nodes 1 and 2 are equal in size, and 1 lies higher: it is part 1 at both levels.
    assert torch.allclose(a[:, 1], b[:, 1])
    assert torch.allclose(a[:, 2] + a[:, 3], b[:, 2], atol=1e-6)
    assert len(fine.at("auto")) == TREE.sensible() == 3
    assert len(PartModel.of(CENTROIDS, SPACE, TREE, "auto", IDENTITY)) == 3
    with pytest.raises(SettingsError, match="1 to 3 parts, not 4"):
        fine.at(4)


def test_hidden_parts_go_to_the_background_and_leave_the_numbers() -> None:
    some, whole = features(0, 1, 2, 3, 4), model()
    before = whole.probabilities(some)
    for one in (whole.select(exclude=[2]), whole.select(include=[3, 1])):
        after = one.probabilities(some)
        assert one.hidden == {2}
        assert (one.names, one.colours, len(one)) == (whole.names, whole.colours, 3)
        assert after[:, [1, 3]].equal(before[:, [1, 3]])
        assert (after[:, 2] == 0).all()
        assert torch.allclose(after[:, 0], before[:, 0] + before[:, 2], atol=1e-6)
    assert whole.select(exclude=[2]).select(exclude=[1]).hidden == {1, 2}
    assert whole.select(exclude=[2]).select(include=[2]).hidden == {1, 3}
    assert whole.select().hidden == set()
    assert whole.select(exclude=[2]).at(2).hidden == set()
    assert "hidden=[2]" in repr(whole.select(exclude=[2]))


def test_at_a_finer_level_what_was_hidden_stays_hidden() -> None:
    some, coarse = features(0, 1, 2, 3, 4), model(2)  # its part 2 is parts 2 and 3 of the finer level
    assert coarse.finer(3).hidden == set()
    assert coarse.select(exclude=[1]).finer(3).hidden == {1}
    hidden = coarse.select(include=[1])
    finer = hidden.finer(3)
    assert (len(finer), finer.hidden) == (3, {2, 3})
    assert torch.allclose(finer.probabilities(some)[:, 0], hidden.probabilities(some)[:, 0], atol=1e-6)
    named = dataclasses.replace(coarse, names=("head", "body"))
    assert named.finer(2) is named
    with pytest.raises(ValueError, match="no coarser"):
        model(3).finer(2)
    with pytest.raises(SettingsError, match="1 to 3 parts, not 4"):
        coarse.finer(4)


@pytest.mark.parametrize(
    ("include", "exclude", "message"),
    [
        ([1], [2], "not both"),
        ([4], [], "no part 4; this model has parts 1 to 3"),
        ([], [0, 7], "no part 0, 7"),
        ([], [1, 2, 3], "leaves no part"),
    ],
)
def test_selections_that_make_no_sense(include: list[int], exclude: list[int], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        model().select(include, exclude)


@pytest.mark.parametrize("probe", [CENTROIDS, LINEAR])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, probe: CentroidProbe | LinearProbe) -> None:
    before = dataclasses.replace(PartModel.of(probe, SPACE, TREE, 2, IDENTITY), names=("head", "body")).select(
        exclude=[1]
    )
    before.save(tmp_path / "new" / "m.safetensors")
    after = PartModel.load(tmp_path / "new" / "m.safetensors")
    for name, tensor in (probe_tensors(before.probe) | tree_tensors(before.tree)).items():
        assert (probe_tensors(after.probe) | tree_tensors(after.tree))[name].equal(tensor), name
    for field in ("parts", "names", "colours", "identity", "hidden"):
        assert getattr(after, field) == getattr(before, field)
    some = features(0, 1, 2, 3, 4)
    assert after.probabilities(some).equal(before.probabilities(some))
    assert len(after.at(3)) == 3
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m.safetensors"]


def test_the_same_model_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        model().save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_model_of_an_older_version_is_to_be_fitted_again(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    about = {"names": ["part1"], "colours": [[0, 0, 0]], "extractor": dataclasses.asdict(IDENTITY)}
    safetensors.torch.save_file({"parts": EYE}, path, {"videoparts.part-model/1": json.dumps(about)})
    with pytest.raises(SettingsError, match="another version of videoparts; fit again") as caught:
        PartModel.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["tree.parent", "probe.background", "probe.foreground", "tree.extent"])
def test_a_model_with_a_tensor_missing_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "m.safetensors"
    model().save(path)
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = safetensors.torch.load_file(path)
    del tensors[missing]
    safetensors.torch.save_file(tensors, path, metadata)
    with pytest.raises(SettingsError, match="not a readable part model"):
        PartModel.load(path)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(ExtractorIdentity)])
def test_every_difference_is_named(field: str) -> None:
    other = dataclasses.replace(IDENTITY, **{field: "other"})
    with pytest.raises(ModelMismatchError, match=rf"{field} .*, not 'other'"):
        model().require(other)
    model().require(IDENTITY)


@pytest.mark.parametrize("content", [b"", b"no model", b"\xff" * 100])
def test_what_is_not_a_model_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="not a readable part model") as caught:
        PartModel.load(path)
    assert "\n" not in str(caught.value)


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    safetensors.torch.save_file({"x": EYE}, tmp_path / "m.safetensors")
    with pytest.raises(SettingsError, match="not a part model"):
        PartModel.load(tmp_path / "m.safetensors")


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model().save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SettingsError, match="not a readable part model"):
        PartModel.load(path)


def test_a_missing_model_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="videoparts fit"):
        PartModel.load(tmp_path / "none.safetensors")


def test_names_and_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.safetensors"):
        check_model_path(tmp_path / "cat.pt")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        model().save(tmp_path / "file" / "m.safetensors")


def test_a_model_checks_itself_at_birth() -> None:
    with pytest.raises(ValueError, match="3 parts need as many names"):
        dataclasses.replace(model(), names=("one",))
    with pytest.raises(ValueError, match="1 to 3 parts, not 4"):
        dataclasses.replace(model(), parts=4)
    for hidden in ({1, 2, 3}, {4}):
        with pytest.raises(ValueError, match="can be hidden"):
            dataclasses.replace(model(), hidden=frozenset(hidden))

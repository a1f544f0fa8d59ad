"""A ViT's blocks run by OpenVINO on a CPU. The only file that knows it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..devices import cores_each
from ..errors import SettingsError
from .activations import Activations, Rounding, activations
from .plain_block import all_plain, layer_scale, scaled

# Networks, the least lately used of which goes first: pictures may have any number of sizes. Frames that are seen in
# four shifts need one for each, from near and from afar.
_KEPT = 8


class OpenVinoBlocks:
    """Runs a ViT's blocks as `run_blocks` does, one picture at a time.

    For every number of tokens and every choice of outputs a network is compiled when it is first met, which takes
    about a second, and memory for another copy of the weights. The last few are kept.

    Args:
        blocks: timm's, in float32.
        dtype: the precision to compute in: bf16, or float32.
        samples: what the first block is given for a few pictures, each (1, t, D) float32. If there are any, linear
            layers multiply numbers of 8 bits, whose ranges are found on them.

    Raises:
        SettingsError: OpenVINO is not installed, or the blocks are not plain ones.
    """

    def __init__(self, blocks: Iterable[Any], dtype: torch.dtype, samples: Sequence[torch.Tensor] = ()) -> None:
        try:
            import openvino
        except ImportError:
            raise SettingsError(
                "--runtime openvino: it is not installed; pip install 'videoparts[openvino]', or take torch"
            ) from None
        self._blocks = list(blocks)
        if not all_plain(self._blocks):
            raise SettingsError("--runtime openvino: it cannot run the blocks of this model; take torch")
        self._given = activations(self._blocks, samples, dtype) if samples else None
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
            x = _block(x, block, tokens, self._given[i] if self._given else {})
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


def _block(x: Any, block: Any, tokens: int, given: Mapping[Any, Activations]) -> Any:
    """timm's `Block`; LayerScale is put into the weights before it. Layers that are ``given`` something known round it
    to 8 bits."""
    from openvino import opset13 as op

    def linear(x: Any, layer: Any, by: torch.Tensor | None = None) -> Any:
        weights = scaled(layer, by)
        return _rounded_linear(x, *weights, given[layer]) if layer in given else _linear(x, *weights)

    heads = block.attn.num_heads
    qkv = linear(_norm(x, block.norm1), block.attn.qkv)
    # 3 x heads first, so that a third of them has the 4 dimensions that attention wants, the first of length 1.
    qkv = op.transpose(op.reshape(qkv, _integers(1, tokens, 3 * heads, -1), False), _integers(0, 2, 1, 3))
    parts = op.split(qkv, op.constant(1), 3).outputs()
    seen = op.transpose(op.scaled_dot_product_attention(*parts, None, None, False), _integers(0, 2, 1, 3))
    seen = op.reshape(seen, _integers(1, tokens, -1), False)
    x = op.add(x, linear(seen, block.attn.proj, layer_scale(block.ls1)))
    inner = op.gelu(linear(_norm(x, block.norm2), block.mlp.fc1), "erf")
    return op.add(x, linear(inner, block.mlp.fc2, layer_scale(block.ls2)))


def _linear(x: Any, weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
    from openvino import opset13 as op

    return _with_bias(op.matmul(x, _numbers(weight), False, True), bias)


def _rounded_linear(x: Any, weight: torch.Tensor, bias: torch.Tensor | None, given: Activations) -> Any:
    """Both sides of the product are said to be rounded, which OpenVINO takes for a product of integers."""
    from openvino import opset13 as op

    rounding = Rounding.of(given, weight)
    low, high = (_numbers(torch.tensor(end)) for end in (rounding.lowest, rounding.highest))
    x = op.fake_quantize(op.multiply(x, _numbers(1 / rounding.scale)), low, high, low, high, 256)
    weight = weight * rounding.scale
    largest = weight.abs().amax(1, keepdim=True)
    low, high = _numbers(-largest), _numbers(largest)
    return _with_bias(op.matmul(x, op.fake_quantize(_numbers(weight), low, high, low, high, 255), False, True), bias)


def _with_bias(x: Any, bias: torch.Tensor | None) -> Any:
    from openvino import opset13 as op

    return x if bias is None else op.add(x, _numbers(bias[None, None]))


def _norm(x: Any, norm: Any) -> Any:
    from openvino import opset13 as op

    x = op.mvn(x, _integers(-1), True, norm.eps, "inside_sqrt")
    weight, bias = (_numbers(t.detach()[None, None]) for t in (norm.weight, norm.bias))
    return op.add(op.multiply(x, weight), bias)


def _numbers(values: torch.Tensor) -> Any:
    from openvino import opset13 as op

    return op.constant(values.numpy())


def _integers(*values: int) -> Any:
    from openvino import opset13 as op

    return op.constant(np.array(values))

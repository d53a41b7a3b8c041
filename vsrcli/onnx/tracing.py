"""Parts of networks traced into ONNX graphs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vsrcli.onnx.parts import Part
from vsrcli.onnx.shapes import Value, sized

OPSET = 18
"""The oldest with all that the networks need: sums that scatter, and grids with borders."""


class _Traced(nn.Module):
    """A part as a module, so that the network's parameters keep their names in the graph."""

    def __init__(self, network: nn.Module, part: Part) -> None:
        super().__init__()
        self.network = network
        self._part = part

    def forward(self, *inputs: Tensor) -> Tensor | Sequence[Tensor]:
        return self._part.work(*inputs)


def traced(network: nn.Module, part: Part, sizes: Mapping[str, int]) -> bytes:
    """The ONNX model of a part for any sizes, traced with these of N, H, W and the like.

    Tracing fixes what a network decides by sizes, so the model must be compared with the network
    at others. The exporter of `torch.export` fixes nothing; but it wants every decision to hold for
    all sizes, and takes ten times as long.
    """
    inputs = [torch.rand(sized(v.shape, sizes), dtype=v.dtype) for v in part.inputs.values()]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what tracing fixes, and that the other one is newer
        exporter: Any = torch.onnx.export
        exporter(
            _Traced(network, part).eval(),
            tuple(inputs),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(part.inputs),
            output_names=list(part.outputs),
            dynamic_axes=_axes({**part.inputs, **part.outputs}),
        )
    return file.getvalue()


def _axes(values: Mapping[str, Value]) -> dict[str, dict[int, str]]:
    return {
        name: {axis: length for axis, length in enumerate(value.shape) if isinstance(length, str)}
        for name, value in values.items()
    }

"""Convolutions and linear layers done in one pass with what follows them, by oneDNN on a CPU.

torch arranges a convolution's weight anew at each call, and an activation or a sum afterwards reads
and writes the whole picture once more; on small pictures that is a tenth of the time. The operators
used here are those that torch's compiler puts into frozen graphs. They are not public, so they are
tried before use; where they fail, elsewhere than on a CPU and in exported graphs the plain layers
do the work. For inference: nothing here has a gradient.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_OPERATORS: Any = torch.ops.mkldnn


class FusedConv2d(nn.Conv2d):
    """`conv` with its parameters, then a leaky ReLU of `slope` if there is one."""

    def __init__(self, conv: nn.Conv2d, slope: float | None = None) -> None:
        assert isinstance(conv.padding, tuple)
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            cast(tuple[int, int], conv.kernel_size),
            cast(tuple[int, int], conv.stride),
            cast(tuple[int, int], conv.padding),
            device="meta",
        )
        self.weight, self.bias = conv.weight, conv.bias
        self._slope = slope
        self._arranged: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not _fuses(x):
            made = super().forward(x)
            return made if self._slope is None else F.leaky_relu_(made, self._slope)
        follows = ("none", []) if self._slope is None else ("leaky_relu", [self._slope])
        fused: Tensor = _OPERATORS._convolution_pointwise(*self._arguments(x), *follows, "")
        return fused

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """`total` plus the convolution of `x`; `total` may be written to."""
        if not _fuses(x):
            plain: Tensor = self(x)
            return plain.add_(total)
        fused: Tensor = _OPERATORS._convolution_pointwise_.binary(
            total, *self._arguments(x), "add", 1.0, None, [], None
        )
        return fused

    def _arguments(self, x: Tensor) -> tuple[Any, ...]:
        """What the operators want first."""
        how = list(self.padding), list(self.stride), [1, 1], 1
        if self._arranged is None:
            self._arranged = _OPERATORS._reorder_convolution_weight(self.weight, *how)
        return x, self._arranged, self.bias, *how


def leaky_linear(x: Tensor, weight: Tensor, bias: Tensor, slope: float) -> Tensor:
    """A leaky ReLU of `slope` over `F.linear(x, weight, bias)`; differentiable."""
    if torch.is_grad_enabled() or not _fuses(x):
        return F.leaky_relu_(F.linear(x, weight, bias), slope)
    fused: Tensor = _OPERATORS._linear_pointwise(x, weight, bias, "leaky_relu", [slope], "")
    return fused


def _fuses(x: Tensor) -> bool:
    return x.device.type == "cpu" and not torch.onnx.is_in_onnx_export() and _works(x.dtype)


@lru_cache(maxsize=8)
@torch.no_grad()
def _works(dtype: torch.dtype) -> bool:
    """Whether the operators are there and make what they should."""
    x = torch.linspace(-1, 1, 32).view(1, 2, 4, 4).to(dtype)
    kernel, bias = torch.linspace(-1, 1, 36).view(2, 2, 3, 3).to(dtype), x.new_tensor([0.5, -0.5])
    matrix = kernel[0].flatten()[:8].view(2, 4).contiguous()
    how = [1, 1], [1, 1], [1, 1], 1
    convolved, multiplied = F.conv2d(x, kernel, bias, padding=1), F.linear(x, matrix, bias)
    try:
        arranged = _OPERATORS._reorder_convolution_weight(kernel, *how)
        leaky = "leaky_relu", [0.1], ""
        pairs = (
            (
                _OPERATORS._convolution_pointwise(x, arranged, bias, *how, *leaky),
                F.leaky_relu(convolved, 0.1),
            ),
            (
                _OPERATORS._convolution_pointwise_.binary(
                    x.clone(), x, arranged, bias, *how, "add", 1.0, None, [], None
                ),
                convolved + x,
            ),
            (
                _OPERATORS._linear_pointwise(x, matrix, bias, *leaky),
                F.leaky_relu(multiplied, 0.1),
            ),
        )
    except (AttributeError, RuntimeError, TypeError):
        return False
    return all(torch.allclose(made, plain, rtol=0.02, atol=0.02) for made, plain in pairs)

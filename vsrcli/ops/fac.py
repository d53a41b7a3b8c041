"""Filter adaptive convolution: every pixel and channel is filtered with a kernel of its own.

Zhou et al., "Spatio-Temporal Filter Adaptive Network for Video Deblurring", ICCV 2019, section
3.2. Shapes: N pictures, C channels, K x K kernels, F channels from which kernels are made.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.ops.kernels import triton_kernel
from vsrcli.ops.onednn import leaky_linear


def fac(x: Tensor, filters: Tensor) -> Tensor:
    """x (N, C, h, w), filters (N, C*K*K, h, w) -> (N, C, h, w): the definition.

    Channel `K*K*c + K*i + j` of `filters` weighs, for channel c, the pixel i - K//2 rows below
    and j - K//2 columns to the right. Beyond the border the edge is repeated.
    """
    batch, channels, height, width = x.shape
    size = round((filters.shape[1] / channels) ** 0.5)
    padded = F.pad(x, (size // 2,) * 4, mode="replicate")
    neighbors = F.unfold(padded, size).view(batch, channels, size * size, height, width)
    return (neighbors * filters.view_as(neighbors)).sum(2)


class FilterLayer(NamedTuple):
    """A 1x1 convolution that emits filters, row by row of the kernels so that a part of them can
    be made alone; and perhaps one that reads all the filters."""

    weight: Tensor
    """(K, K*C, F): for kernel row i, the outputs of its K taps, C channels each."""
    bias: Tensor
    """(K, K*C)"""
    reader: Tensor | None
    """(K, K*C, R): what R outputs read of the same filters."""
    reader_bias: Tensor | None
    """(R,)"""


def filter_layer(emitter: nn.Conv2d, size: int, reader: nn.Conv2d | None = None) -> FilterLayer:
    """The 1x1 convolutions of which one emits filters of `size` x `size` in the order that `fac`
    takes them, and the other reads them."""

    def by_rows(x: Tensor) -> Tensor:
        """(C*K*K, ...) -> (K, K*C, ...)"""
        return x.view(-1, size, size, *x.shape[1:]).movedim(0, 2).flatten(1, 2)

    assert emitter.bias is not None
    return FilterLayer(
        by_rows(emitter.weight.flatten(1)),
        by_rows(emitter.bias),
        None if reader is None else by_rows(reader.weight.flatten(1).t()),
        None if reader is None else reader.bias,
    )


_STRIP = {"cpu": 1024}
"""Pixels filtered at once: on a CPU about as many as its second-level cache holds filters of."""
_STRIP_ELSEWHERE = 2**17


def filter_adaptively(
    x: Tensor, hidden: Tensor, layer: FilterLayer, slope: float
) -> tuple[Tensor, Tensor | None]:
    """`x` (N, C, h, w) filtered by what `layer` and a leaky ReLU make of `hidden` (N, F, h, w),
    (N, C, h, w); and what the layer's reader makes of the filters, (N, R, h, w).

    Both are float32, summed in float32 and channels-last in memory. The filters never exist all
    at once: they would take K*K times the memory of `x`.
    """
    kernel = triton_kernel("fac_triton", x, hidden)
    if kernel is not None and kernel.can_run(x, hidden, layer):
        made: tuple[Tensor, Tensor | None] = kernel.filter_adaptively(x, hidden, layer, slope)
        return made
    radius = len(layer.weight) // 2
    padded = F.pad(x.float(), (radius,) * 4, mode="replicate").permute(0, 2, 3, 1).contiguous()
    hidden = hidden.permute(0, 2, 3, 1)
    batch, height, width, _ = hidden.shape
    rows = max(1, _STRIP.get(hidden.device.type, _STRIP_ELSEWHERE) // (batch * width))
    if torch.onnx.is_in_onnx_export():  # a graph for any height cannot count its strips
        rows = height
    filtered, read = zip(
        *(
            _filter_strip(
                padded[:, top : top + rows + 2 * radius], hidden[:, top : top + rows], layer, slope
            )
            for top in range(0, height, rows)
        ),
        strict=True,
    )
    return _joined(filtered), None if layer.reader is None else _joined(read)


def _joined(strips: tuple[Tensor, ...]) -> Tensor:
    """(N, h, w, C) each, top to bottom -> (N, C, H, w)"""
    return torch.cat(strips, 1).permute(0, 3, 1, 2)


def _filter_strip(
    padded: Tensor, hidden: Tensor, layer: FilterLayer, slope: float
) -> tuple[Tensor, Tensor | None]:
    """padded (N, h+2r, w+2r, C), hidden (N, h, w, F) -> (N, h, w, C), (N, h, w, R)."""
    batch, height, width, _ = hidden.shape
    size = len(layer.weight)
    flat = hidden.flatten(0, 2)
    filtered = padded.new_zeros(batch, height, width, padded.shape[-1])
    read = None
    if layer.reader_bias is not None:
        read = layer.reader_bias.float().repeat(flat.shape[0], 1)
    for i in range(size):
        filters = leaky_linear(flat, layer.weight[i], layer.bias[i], slope)
        if read is not None and layer.reader is not None:
            read += filters @ layer.reader[i]
        # All taps widened at once: `addcmul_` would do it for each by itself.
        taps = filters.to(filtered.dtype).view(batch, height, width, size, -1).unbind(3)
        for j, tap in enumerate(taps):
            filtered.addcmul_(padded[:, i : i + height, j : j + width], tap)
    return filtered, None if read is None else read.view(batch, height, width, -1)

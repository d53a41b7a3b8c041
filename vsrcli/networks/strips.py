"""Layers run strip by strip of a picture, so that what they make in between stays in the cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_BYTES = 2**24
"""Of a strip. Half of what a processor's last-level cache commonly holds; and memory in much larger
pieces goes back to the system at once, which then clears every page of the next one."""


def by_strips(layers: Callable[[Tensor], Tensor], x: Tensor, reach: int) -> Tensor:
    """`layers(x)`, on a CPU in strips if `x` (N, C, H, W) is large.

    `layers` see `reach` rows above and below, pad with zeros, and may enlarge the picture.
    """
    height = x.shape[2]
    # A graph for any height cannot count its strips.
    if x.device.type != "cpu" or torch.onnx.is_in_onnx_export():
        return layers(x)
    rows = max(8, _BYTES // (x.element_size() * x[:, :, 0].numel()))
    if rows >= height:
        return layers(x)
    strips = []
    for top in range(0, height, rows):
        first, last = max(0, top - reach), min(height, top + rows + reach)
        made = layers(x[:, :, first:last])
        scale = made.shape[2] // (last - first)
        strips.append(made[:, :, (top - first) * scale : (top - first + rows) * scale])
    return torch.cat(strips, 2)

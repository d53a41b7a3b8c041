"""Pictures made smaller by the kernels that cameras, players and sites use.

All are on the half-pixel grid, where what is in a picture's middle stays there, and wide enough to
average all that a new pixel covers.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vsrcli.ops.resize import weight_matrix

Kernel = Literal["area", "bilinear", "bicubic", "lanczos"]


def shrink(x: Tensor, size: tuple[int, int], kernel: Kernel) -> Tensor:
    """(..., H, W) -> (..., *size), no larger; values may leave the input's range a little."""
    rows, columns = (
        _weights(source, target, kernel).to(x.device, x.dtype)
        for source, target in zip(x.shape[-2:], size, strict=True)
    )
    return rows @ x @ columns.t()


def _weights(source: int, target: int, kernel: Kernel) -> Tensor:
    """(target, source)"""
    if kernel != "area":
        return weight_matrix(source, target, kernel)
    # The share of a new pixel that each old one fills.
    step = source / target
    first = torch.arange(target, dtype=torch.float64)[:, None] * step
    old = torch.arange(source, dtype=torch.float64)
    return (torch.minimum(first + step, old + 1) - torch.maximum(first, old)).clamp(min=0) / step

"""How low-resolution training and test input is made from the ground truth.

`bi`: antialiased bicubic on the half-pixel grid, as MATLAB's `imresize` (the usual "BI").
`bd`: Gaussian of sigma 1.6 and every fourth pixel, phase 0, as TGA's authors do (the usual "BD";
Isobe et al. 2020, their code).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.ops.resize import weight_matrix

Degradation = Literal["bi", "bd"]

_SIGMA = 1.6
_RADIUS = 6


def bi(hr: Tensor, scale: int) -> Tensor:
    """(..., H, W) -> (..., H/scale, W/scale), not rounded; H and W are multiples of `scale`."""
    height, width = hr.shape[-2:]
    # The same as `ops.resize`, for many small pictures at once.
    rows, columns = (_shrinking(n, scale, hr.device, hr.dtype) for n in (height, width))
    return rows @ hr @ columns.t()


@lru_cache(maxsize=16)
def _shrinking(length: int, scale: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(length / scale, length)"""
    return weight_matrix(length, length // scale, "bicubic").to(device, dtype)


def bd(hr: Tensor, scale: int = 4) -> Tensor:
    """(..., H, W) -> (..., H/scale, W/scale), not rounded; pixel (i, j) is centered on pixel
    (scale * i, scale * j), the border reflected without repeating the edge.

    Only scale 4 has this sigma in the literature, so no other is taken.
    """
    if scale != 4:
        raise ValueError(f"bd is defined for scale 4, not {scale}")
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64, device=hr.device)
    taps = torch.exp(-0.5 * (offsets / _SIGMA) ** 2)
    taps = (taps / taps.sum()).to(hr.dtype)
    height, width = hr.shape[-2:]
    planes = F.pad(hr.reshape(-1, 1, height, width), (_RADIUS,) * 4, mode="reflect")
    rows = F.conv2d(planes, taps.view(1, 1, -1, 1), stride=(scale, 1))
    small = F.conv2d(rows, taps.view(1, 1, 1, -1), stride=(1, scale))
    return small.reshape(*hr.shape[:-2], height // scale, width // scale)


def degrade(hr: Tensor, kind: Degradation, scale: int) -> Tensor:
    """What a network gets to see: degraded and rounded to 8 bits, as video is.

    `hr` (..., H, W) in [0, 1].
    """
    return to_eight_bits(bi(hr, scale) if kind == "bi" else bd(hr, scale))


def to_eight_bits(x: Tensor) -> Tensor:
    """What 8 bits can hold of it: clamped to [0, 1] and rounded to multiples of 1/255."""
    return (x.clamp(0, 1) * 255).round() / 255

"""Backward warping: each pixel fetches its value from where the flow points."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(image: Tensor, flow: Tensor, outside: Literal["border", "zeros"] = "border") -> Tensor:
    """`image` (N, C, H, W) read at `p + flow(p)`, flow (N, 2, H, W) in pixels, x first.

    Bilinear; outside the picture its nearest edge pixel counts, or zero. Differentiable in both.
    """
    height, width = flow.shape[-2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    x = (columns + flow[:, 0]) * (2 / _last(width)) - 1
    y = (rows + flow[:, 1]) * (2 / _last(height)) - 1
    grid = torch.stack((x, y), -1)
    return F.grid_sample(image, grid, "bilinear", outside, align_corners=True)


def _last(length: int | Tensor) -> int | Tensor:
    """The last index of a line, 1 of a line of one; in a trace lengths are tensors."""
    return (length - 1).clamp(min=1) if isinstance(length, Tensor) else max(length - 1, 1)

"""Forward splatting: each pixel adds its value to where the flow carries it, on a finer grid.

This is the sub-pixel motion compensation layer of Tao et al., "Detail-revealing Deep Video
Super-resolution", ICCV 2017: with M(d) = max(0, 1 - |d|),

    out(q) = sum over pixels p of image(p) * M(x(p) - x(q)) * M(y(p) - y(q)).

Nothing is normalized: what meets adds up, and where nothing lands there is 0.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vsrcli.ops.kernels import triton_kernel

Border = Literal["drop", "clamp"]
"""What lands outside the picture is dropped, or piled up on the border pixel next to it."""
Grid = Literal["corner", "center"]
"""Pixel i of the coarse grid lies on fine pixel s*i, or on its pixels' common middle,
s*i + (s-1)/2."""


def splat(image: Tensor, flow: Tensor, scale: int, border: Border, grid: Grid) -> Tensor:
    """`image` (N, C, H, W) carried along `flow` (N, 2, H, W) -> (N, C, s*H, s*W).

    The flow is in pixels of `image`, x (to the right) first, finite and of any size, in float32
    or wider. Differentiable in both. The terms of a sum are added in a fixed order, so that equal
    inputs give equal bits, on CUDA too; what a pixel becomes does not depend on the picture's
    size or on the other pictures.
    """
    batch, channels, height, width = image.shape
    high, wide = scale * height, scale * width
    offset = (scale - 1) / 2 if grid == "center" else 0.0
    kernel = triton_kernel("splat_triton", image, flow)
    if kernel is not None and image.dtype == flow.dtype == torch.float32:
        by_kernel: Tensor = kernel.splat(image, flow, scale, border == "clamp", offset)
        return by_kernel
    x = scale * torch.arange(width, device=flow.device)
    y = scale * torch.arange(height, device=flow.device)[:, None]
    columns, x_weight = _taps(x, scale * flow[:, 0] + offset, wide, border)
    rows, y_weight = _taps(y, scale * flow[:, 1] + offset, high, border)
    planes = torch.arange(batch * channels, device=flow.device).view(batch, channels, 1, 1)
    # (2, 2, N, C, H, W): above and below, left and right of where the pixel lands.
    index = (planes * high + rows[:, None, :, None]) * wide + columns[None, :, :, None]
    value = image * (y_weight[:, None] * x_weight[None])[:, :, :, None]
    made = _sums(index.flatten(), value.flatten(), batch * channels * high * wide)
    return made.view(batch, channels, high, wide)


def _taps(start: Tensor, shift: Tensor, size: int, border: Border) -> tuple[Tensor, Tensor]:
    """Indices and weights (2, N, H, W) of the two fine pixels around `start + shift`.

    The shift is split into its whole and broken parts before the start is added, which keeps its
    precision however large the picture is.
    """
    whole = shift.floor()
    part = shift - whole
    first = start + whole.long()
    index = torch.stack((first, first + 1))
    weight = torch.stack((1 - part, part))
    if border == "drop":
        weight = weight * ((index >= 0) & (index < size))
    return index.clamp(0, size - 1), weight


def _sums(index: Tensor, value: Tensor, size: int) -> Tensor:
    """(size,) sums of the values that have the same index.

    On a CPU `scatter_add` adds them one after another; on CUDA it would do so in any order, but
    an accumulating `index_put` sorts by index first.
    """
    zeros = value.new_zeros(size)
    if value.device.type == "cuda":
        return zeros.index_put((index,), value, accumulate=True)
    return zeros.scatter_add(0, index, value)

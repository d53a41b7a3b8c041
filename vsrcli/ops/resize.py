"""Separable resampling of pictures on the half-pixel grid: bilinear, bicubic and Lanczos.

All follow MATLAB's `imresize`: pixel centres at half-integers, the kernel widened by the
factor when shrinking (`antialias`), weights normalised to sum 1, and a symmetric border that
repeats the edge pixel. Bicubic is Keys' kernel with a = -0.5 (Keys, "Cubic Convolution
Interpolation for Digital Image Processing", 1981); Lanczos has three lobes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Kernel = Literal["bilinear", "bicubic", "lanczos"]


def resize(
    x: Tensor, size: tuple[int, int], kernel: Kernel = "bicubic", antialias: bool = True
) -> Tensor:
    """`x` (..., H, W) resampled to `size` (height, width); computed in float32 or wider.

    Not differentiable. Values may leave the input's range by the kernel's overshoot.
    """
    height, width = x.shape[-2:]
    if torch.onnx.is_in_onnx_export():
        return enlarge(x, int(size[0]) // int(height), kernel)
    if size == (height, width):
        return x.clone()
    planes = (x if x.dtype == torch.float64 else x.float()).reshape(-1, height, width)
    resized = _in_bands if x.device.type == "cpu" else _at_once
    out = resized(planes, size, kernel, antialias)
    return out.reshape(*x.shape[:-2], *size).to(x.dtype)


def _at_once(planes: Tensor, size: tuple[int, int], kernel: Kernel, antialias: bool) -> Tensor:
    """(N, H, W) -> (N, H', W') in two products: a card prefers few large ones."""
    kind = (planes.device, planes.dtype)
    rows = _dense(planes.shape[1], size[0], kernel, antialias, *kind)
    columns = _dense(planes.shape[2], size[1], kernel, antialias, *kind)
    with torch.autocast(planes.device.type, enabled=False):
        return rows @ (planes @ columns.t())


@lru_cache(maxsize=32)
def _dense(
    source: int,
    target: int,
    kernel: Kernel,
    antialias: bool,
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    return weight_matrix(source, target, kernel, antialias).to(device, dtype)


def _in_bands(planes: Tensor, size: tuple[int, int], kernel: Kernel, antialias: bool) -> Tensor:
    """The same without multiplying by most of the zeros."""
    _, height, width = planes.shape
    out = planes.new_empty(planes.shape[0], *size)
    # A sample made along a line costs twice one made across lines: see that there are few.
    lines_first = 2 * height * size[1] + size[0] * size[1]
    rows_first = size[0] * width + 2 * size[0] * size[1]
    # Plane by plane, so that what lies between the two passes is small enough to be reused.
    for plane, made in zip(planes, out, strict=True):
        if lines_first <= rows_first:
            between = planes.new_empty(height, size[1])
            _columns(plane, between, kernel, antialias)
            _rows(between, made, kernel, antialias)
        else:
            between = planes.new_empty(size[0], width)
            _rows(plane, between, kernel, antialias)
            _columns(between, made, kernel, antialias)
    return out


class Band(NamedTuple):
    """Output samples `start : start + n`, as a matrix (n, taps) over `first : first + taps`."""

    start: int
    first: int
    matrix: Tensor


def _rows(source: Tensor, out: Tensor, kernel: Kernel, antialias: bool) -> None:
    """(H, W) -> (H', W)"""
    sizes = (source.shape[0], out.shape[0])
    for start, first, matrix in _bands(*sizes, ROW_BAND, kernel, antialias, out.dtype):
        rows, taps = matrix.shape
        torch.mm(matrix, source[first : first + taps], out=out[start : start + rows])


def _columns(source: Tensor, out: Tensor, kernel: Kernel, antialias: bool) -> None:
    """(H, W) -> (H, W')"""
    sizes = (source.shape[1], out.shape[1])
    resample_columns(source, out, _bands(*sizes, COLUMN_BAND, kernel, antialias, out.dtype))


def resample_columns(source: Tensor, out: Tensor, bands: list[Band]) -> None:
    """Fill `out` (H, W') with the columns that `bands` make of those of `source` (H, W)."""
    for start, first, matrix in bands:
        columns, taps = matrix.shape
        target = out[:, start : start + columns]
        torch.mm(source[:, first : first + taps], matrix.t(), out=target)


# Long enough for efficient matrix products on a CPU, short enough that few of their factors are
# zeros: measured for 1080p to 4K.
ROW_BAND = 24
COLUMN_BAND = 48


@lru_cache(maxsize=32)
def _bands(
    source: int, target: int, length: int, kernel: Kernel, antialias: bool, dtype: torch.dtype
) -> list[Band]:
    return banded(weight_matrix(source, target, kernel, antialias).to(dtype), length)


def banded(matrix: Tensor, length: int) -> list[Band]:
    """A matrix (target, source) with its nonzeros near the diagonal, as dense bands of `length`
    rows."""
    bands = []
    for start in range(0, matrix.shape[0], length):
        rows = matrix[start : start + length]
        used = rows.abs().sum(0).nonzero()
        first, last = int(used[0]), int(used[-1])
        bands.append(Band(start, first, rows[:, first : last + 1].contiguous()))
    return bands


def enlarge(x: Tensor, scale: int, kernel: Kernel = "bicubic") -> Tensor:
    """`x` (..., H, W) -> (..., s*H, s*W) as `resize` makes it, in one convolution, which gives each
    pixel's block of s x s: the same operations for any size, as a graph needs them."""
    height, width = x.shape[-2:]
    # From a long line, away from its ends; a block reaches as far on both sides.
    reach = math.ceil(_KERNELS[kernel][1])
    length, middle = 4 * reach, 2 * reach
    taps = weight_matrix(length, scale * length, kernel)
    taps = taps[scale * middle : scale * (middle + 1), middle - reach : middle + reach + 1]
    weight = (taps[:, None, :, None] * taps[None, :, None, :]).flatten(0, 1)[:, None]
    # By way of Python's numbers: a graph needs the weight, not how it was made.
    weight = torch.tensor(weight.tolist(), device=x.device)
    planes = x.reshape(-1, 1, height, width).float()
    planes = _mirrored(_mirrored(planes, reach).transpose(-2, -1), reach).transpose(-2, -1)
    made = F.pixel_shuffle(F.conv2d(planes, weight), scale)
    return made.reshape(*x.shape[:-2], scale * height, scale * width).to(x.dtype)


def _mirrored(x: Tensor, count: int) -> Tensor:
    """(..., L) -> (..., L + 2*count), the edge sample repeated."""
    return torch.cat((x[..., :count].flip(-1), x, x[..., -count:].flip(-1)), -1)


def weight_matrix(source: int, target: int, kernel: Kernel, antialias: bool = True) -> Tensor:
    """(target, source) float64 matrix that resamples a line; each row sums to 1."""
    factor = target / source
    stretch = min(factor, 1.0) if antialias else 1.0
    function, radius = _KERNELS[kernel]
    centers = (torch.arange(target, dtype=torch.float64) + 0.5) / factor - 0.5
    taps = math.ceil(2 * radius / stretch) + 2
    first = (centers - radius / stretch).floor()
    index = first[:, None] + torch.arange(taps, dtype=torch.float64)
    weight = function((centers[:, None] - index) * stretch)
    weight = weight / weight.sum(1, keepdim=True)
    matrix = torch.zeros(target, source, dtype=torch.float64)
    return matrix.scatter_add_(1, _mirror(index.long(), source), weight)


def _mirror(index: Tensor, size: int) -> Tensor:
    """Indices reflected into [0, size), the edge sample repeated: -1 -> 0, size -> size - 1."""
    index = index.remainder(2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


def _triangle(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp(min=0)


def _cubic(x: Tensor) -> Tensor:
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))


def _lanczos3(x: Tensor) -> Tensor:
    return torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), 0.0)


_KERNELS: dict[Kernel, tuple[Callable[[Tensor], Tensor], float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "lanczos": (_lanczos3, 3.0),
}

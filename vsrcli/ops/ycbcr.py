"""RGB to luma and chroma and back: BT.601 in video range, as MATLAB's `rgb2ycbcr`.

RGB in [0, 1] gives Y in [16, 235] / 255 and Cb, Cr in [16, 240] / 255; nothing is clamped. Plain
sums and products, which autocast leaves in the input's precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA_TO_RGB = 255 / 219
"""What one unit of Y adds to each of R, G and B."""

_Rows = tuple[tuple[float, float, float], ...]

_FORWARD: _Rows = (
    (65.481 / 255, 128.553 / 255, 24.966 / 255),
    (-37.797 / 255, -74.203 / 255, 112.0 / 255),
    (112.0 / 255, -93.786 / 255, -18.214 / 255),
)
_OFFSETS = (16 / 255, 128 / 255, 128 / 255)


def rgb_to_ycbcr(x: Tensor) -> Tensor:
    """(..., 3, H, W) R, G, B -> (..., 3, H, W) Y, Cb, Cr."""
    planes = x.unbind(-3)
    made = [_dot(row, planes) + offset for row, offset in zip(_FORWARD, _OFFSETS, strict=True)]
    return torch.stack(made, -3)


def rgb_to_luma(x: Tensor) -> Tensor:
    """(..., 3, H, W) R, G, B -> (..., 1, H, W) Y."""
    return (_dot(_FORWARD[0], x.unbind(-3)) + _OFFSETS[0]).unsqueeze(-3)


def ycbcr_to_rgb(x: Tensor) -> Tensor:
    """(..., 3, H, W) Y, Cb, Cr -> (..., 3, H, W) R, G, B: the inverse of `rgb_to_ycbcr`."""
    planes = [plane - offset for plane, offset in zip(x.unbind(-3), _OFFSETS, strict=True)]
    return torch.stack([_dot(row, planes) for row in _BACKWARD], -3)


def _dot(row: tuple[float, ...], planes: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    first, second, third = planes
    return first * row[0] + second * row[1] + third * row[2]


def _inverse(rows: _Rows) -> list[tuple[float, ...]]:
    matrix = torch.tensor(rows, dtype=torch.float64)
    return [tuple(row) for row in torch.linalg.inv(matrix).tolist()]


_BACKWARD = _inverse(_FORWARD)

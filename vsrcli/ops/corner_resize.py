"""Bicubic enlargement on the corner grid, as TensorFlow 1 has it.

Fine pixel q reads coarse position q / s, without the half-pixel shift of `ops.resize`: every s-th
fine pixel is a coarse one. Keys' kernel with a = -0.75, edge pixels repeated.
"""

from __future__ import annotations

import torch
from torch import Tensor


def corner_resize(x: Tensor, scale: int) -> Tensor:
    """`x` (..., H, W) -> (..., s*H, s*W). Differentiable; no value is clamped."""
    return _lengthened(_lengthened(x, scale).mT, scale).mT


def _lengthened(x: Tensor, scale: int) -> Tensor:
    """(..., L) -> (..., s*L)"""
    length = x.shape[-1]
    padded = x[..., torch.arange(-1, length + 2, device=x.device).clamp(0, length - 1)]
    before, here, after, beyond = (padded[..., k : k + length] for k in range(4))
    phases = [x]
    for phase in range(1, scale):
        t = phase / scale
        near = here * _keys(t) + after * _keys(1 - t)
        phases.append(near + before * _keys(1 + t) + beyond * _keys(2 - t))
    return torch.stack(phases, -1).flatten(-2)


def _keys(d: float) -> float:
    """The kernel at distance `d`, 0 to 2."""
    a = -0.75
    if d <= 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return a * (((d - 5) * d + 8) * d - 4)

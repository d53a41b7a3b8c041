"""PSNR and SSIM as the super-resolution literature computes them.

Pictures are float RGB in [0, 1], clamped and not rounded. Luma is BT.601 in code values, 16 to
235, also not rounded; the peak is 255.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_SIDE = 11
"""Pixels: the side of SSIM's window, and of the smallest picture that it takes."""
_SSIM_SIGMA = 1.5


def luma(rgb: Tensor) -> Tensor:
    """(..., 3, H, W) in [0, 1] -> (..., H, W) float64 in [16, 235] (ITU-R BT.601)."""
    red, green, blue = rgb.double().unbind(-3)
    return 16 + 65.481 * red + 128.553 * green + 24.966 * blue


def psnr_y(first: Tensor, second: Tensor, border: int = 0) -> Tensor:
    """Luma PSNR in dB of pictures (..., 3, H, W) without `border` pixels on each side: (...).

    Infinite for equal pictures.
    """
    error = (luma(first.clamp(0, 1)) - luma(second.clamp(0, 1))) ** 2
    return 10 * torch.log10(255**2 / inside(error, border).mean((-2, -1)))


def psnr(first: Tensor, second: Tensor, border: int = 0) -> Tensor:
    """RGB PSNR in dB of pictures (..., 3, H, W) without `border` pixels on each side: (...)."""
    error = (first.double().clamp(0, 1) - second.double().clamp(0, 1)) ** 2
    return 10 * torch.log10(1 / inside(error, border).mean((-3, -2, -1)))


def ssim_y(first: Tensor, second: Tensor, border: int = 0) -> Tensor:
    """Luma SSIM of pictures (..., 3, H, W) without `border` pixels on each side: (...).

    Wang et al., "Image Quality Assessment", 2004: an 11x11 Gaussian window of sigma 1.5, only
    windows that lie wholly inside.
    """
    x = inside(luma(first.clamp(0, 1)), border)
    y = inside(luma(second.clamp(0, 1)), border)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    return similarity.mean((-2, -1))


def inside(x: Tensor, border: int) -> Tensor:
    """(..., H, W) without `border` pixels on each side."""
    return x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]


def _blur(x: Tensor) -> Tensor:
    offsets = torch.arange(SSIM_SIDE, dtype=x.dtype, device=x.device) - SSIM_SIDE // 2
    taps = torch.exp(-0.5 * (offsets / _SSIM_SIGMA) ** 2)
    taps = taps / taps.sum()
    planes = x.reshape(-1, 1, *x.shape[-2:])
    planes = F.conv2d(F.conv2d(planes, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))
    return planes.reshape(*x.shape[:-2], *planes.shape[-2:])

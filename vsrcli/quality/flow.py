"""Dense optical flow for measuring: pyramidal Lucas-Kanade.

Lucas and Kanade, "An Iterative Image Registration Technique with an Application to Stereo Vision",
1981, coarse to fine as in Bouguet, "Pyramidal Implementation of the Lucas Kanade Feature Tracker",
2000, for every pixel. It is no match for a trained flow, but it is small, has no weights and gives
the same figures everywhere; on shifted pictures it is right within 0.1 pixels in the mean.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.ops.warp import warp

_COARSEST = 16
"""No level of the pyramid has a side that is shorter, in pixels."""
_LEVELS = 6
_ROUNDS = 3
"""Corrections at each level."""
_WINDOW = 7
"""Side of the window whose pixels are taken to move alike; applied twice, it weighs its middle
most."""
_NOISE = 4.0
"""Added to the squared gradients, in squared code values: flat places stay with what the coarser
level says instead of following noise."""


def flow(first: Tensor, second: Tensor) -> Tensor:
    """Where each pixel of `first` went: `second` at `p + flow(p)` looks like `first` at `p`.

    Luma (N, H, W) in code values of 255 -> (N, 2, H, W) float32 in pixels, x first.
    """
    height, width = first.shape[-2:]
    levels = 1
    while levels < _LEVELS and min(height, width) >> levels >= _COARSEST:
        levels += 1
    block = 1 << (levels - 1)
    both = torch.stack((first, second)).float()
    pyramid = [F.pad(both, (0, -width % block, 0, -height % block), mode="replicate")]
    while len(pyramid) < levels:
        pyramid.append(F.avg_pool2d(pyramid[-1], 2))
    count, *size = pyramid[-1].shape[1:]
    found = both.new_zeros(count, 2, *size)
    for level, (fixed, moving) in enumerate(reversed(pyramid)):
        if level:
            found = 2 * F.interpolate(found, scale_factor=2, mode="bilinear", align_corners=False)
        found = _refined(found, fixed[:, None], moving[:, None])
    return found[..., :height, :width]


def _refined(found: Tensor, fixed: Tensor, moving: Tensor) -> Tensor:
    """The flow (N, 2, h, w) between (N, 1, h, w) after some Gauss-Newton steps in each window."""
    across, down = _gradients(fixed)
    squares = _windowed(torch.cat((across * across, across * down, down * down), 1))
    xx, xy, yy = squares.split(1, 1)
    xx, yy = xx + _NOISE, yy + _NOISE
    determinant = xx * yy - xy * xy
    for _ in range(_ROUNDS):
        difference = fixed - warp(moving, found)
        x, y = _windowed(torch.cat((across * difference, down * difference), 1)).split(1, 1)
        step = torch.cat((yy * x - xy * y, xx * y - xy * x), 1) / determinant
        # What a gradient says holds for about a pixel.
        found = found + step.clamp(-1, 1)
    return found


def _gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences across and down, (N, 1, h, w) each."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return across, down


def _windowed(values: Tensor) -> Tensor:
    """Means of (N, C, h, w) over the window around each pixel, of what lies inside."""
    for side in ((1, _WINDOW), (_WINDOW, 1)) * 2:
        padding = (side[0] // 2, side[1] // 2)
        values = F.avg_pool2d(values, side, 1, padding, count_include_pad=False)
    return values

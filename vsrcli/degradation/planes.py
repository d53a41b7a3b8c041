"""Pictures of luma and full chroma to 8-bit 4:2:0 planes, as nearly all video is stored, and back.

Chroma samples sit on the left one of two columns and between two rows, as in MPEG-2 and later. They
are taken as most software does, by a tent across and a mean down, and enlarged as `vsr` does when
it reads a file; both leave a straight slope as it is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def to_planes(ycbcr: Tensor) -> Tensor:
    """(T, 3, H, W) in [0, 1], H and W even -> (T, 3/2 * H, W) uint8: the rows of Y, then those of
    Cb and Cr, two to a row, as PyAV has its `yuv420p` arrays."""
    luma, chroma = ycbcr.split((1, 2), -3)
    rows = (chroma[..., ::2, :] + chroma[..., 1::2, :]) / 2
    before = F.pad(rows, (1, 0, 0, 0), mode="replicate")
    small = (before[..., :-1:2] + 2 * rows[..., ::2] + rows[..., 1::2]) / 4
    samples = torch.cat((luma.flatten(1), small.flatten(1)), 1)
    codes = (samples * 255).round().to(torch.uint8)
    return codes.reshape(len(codes), -1, ycbcr.shape[-1])


def from_planes(planes: Tensor) -> Tensor:
    """The inverse of `to_planes`, up to what was lost; float32."""
    height, width = planes.shape[-2] * 2 // 3, planes.shape[-1]
    samples = planes.flatten(1).float() / 255
    luma, chroma = samples.split((height * width, height * width // 2), 1)
    small = chroma.unflatten(1, (2, height // 2, width // 2))
    tall = F.pad(small, (0, 0, 1, 1), mode="replicate")
    slope = (tall[..., 2:, :] - tall[..., :-2, :]) / 8  # from a sample to the middles of its rows
    rows = torch.stack((small - slope, small + slope), -2).flatten(-3, -2)
    after = F.pad(rows, (0, 1, 0, 0), mode="replicate")[..., 1:]
    full = torch.stack((rows, (rows + after) / 2), -1).flatten(-2)
    return torch.cat((luma.unflatten(1, (1, height, width)), full), 1)

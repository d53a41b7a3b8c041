"""Sampling a map at any places, for CUDA: each sample is fetched and weighted in one go."""

from __future__ import annotations

import torch
import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,import-untyped,unused-ignore]
from torch import Tensor

_SAMPLES = 128
"""A program's share."""


def sample(source: Tensor, row: Tensor, column: Tensor, mask: Tensor, groups: int) -> Tensor:
    """`source` (N, H, W, C) float32, contiguous, at the places `row`, `column` (N, ..., K * groups)
    float32, times `mask` -> (N, ..., K, C) float32. The groups of a sample lie side by side, and so
    do the C / groups channels of a group. Bilinear; outside the map everything is zero.
    """
    _, height, width, channels = source.shape
    width_of_group = channels // groups
    made = source.new_empty(*row.shape[:-1], row.shape[-1] // groups, channels)
    samples = row.numel()
    with torch.cuda.device_of(source):
        _sample_kernel[(triton.cdiv(samples, _SAMPLES),)](
            source,
            row.contiguous(),
            column.contiguous(),
            mask.contiguous(),
            made,
            samples,
            samples // len(source),
            height,
            width,
            groups,
            CHANNELS=width_of_group,
            PADDED=triton.next_power_of_2(width_of_group),
            SAMPLES=_SAMPLES,
        )
    return made


@triton.jit  # type: ignore[misc,untyped-decorator,unused-ignore]
def _sample_kernel(  # type: ignore[no-untyped-def]
    source,  # (N, height, width, groups, CHANNELS)
    row,  # (N, samples / N), the groups of a place side by side
    column,
    mask,
    made,  # (samples, CHANNELS)
    samples,
    samples_of_picture,
    height,
    width,
    groups,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
    SAMPLES: tl.constexpr,
):
    # 64-bit, because so are the offsets into many samples of large pictures.
    number = tl.program_id(0).to(tl.int64) * SAMPLES + tl.arange(0, SAMPLES)
    inside = number < samples
    # Clamped where everything is zero anyway, so that they are small enough to be whole numbers.
    y = tl.load(row + number, mask=inside, other=0.0)
    y = tl.minimum(tl.maximum(y, -2.0), height + 1.0)
    x = tl.load(column + number, mask=inside, other=0.0)
    x = tl.minimum(tl.maximum(x, -2.0), width + 1.0)
    share = tl.load(mask + number, mask=inside, other=0.0)
    top, left = tl.floor(y), tl.floor(x)
    down, right = y - top, x - left
    picture, group = number // samples_of_picture, number % groups
    channel = tl.arange(0, PADDED)
    real = channel < CHANNELS
    total = tl.zeros((SAMPLES, PADDED), tl.float32)
    for corner in tl.static_range(4):
        line = top.to(tl.int64) + corner // 2
        place = left.to(tl.int64) + corner % 2
        weight = (down if corner // 2 else 1 - down) * (right if corner % 2 else 1 - right)
        there = inside & (line >= 0) & (line < height) & (place >= 0) & (place < width)
        first = (((picture * height + line) * width + place) * groups + group) * CHANNELS
        value = tl.load(
            source + first[:, None] + channel[None, :],
            mask=there[:, None] & real[None, :],
            other=0.0,
        )
        total += value * (weight * share)[:, None]
    tl.store(
        made + number[:, None] * CHANNELS + channel[None, :],
        total,
        mask=inside[:, None] & real[None, :],
    )

"""Clamping some channels of a channels-last map into a map of their own, for CUDA."""

from __future__ import annotations

import torch
import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,import-untyped,unused-ignore]
from torch import Tensor

_NUMBERS = 1024
"""A program's share."""


def can_run(x: Tensor) -> bool:
    """Whether the channels of a pixel lie side by side, and the pixels at one distance."""
    batch, channels, height, width = x.shape
    stride = x.stride(3)
    return (
        x.stride(1) == 1
        and x.stride()[2:] == (width * stride, stride)
        and (batch == 1 or x.stride(0) == height * width * stride)
    )


def clamped(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """`x` (N, C, H, W) that `can_run`, its channels clamped to `low` and `high` (C, ...),
    contiguous -> the same shape, channels-last, no gaps."""
    batch, channels, height, width = x.shape
    made = x.new_empty(batch, height, width, channels)
    pixels = batch * height * width
    wide = triton.next_power_of_2(channels)
    rows = max(1, _NUMBERS // wide)
    with torch.cuda.device_of(x):
        _clamp_kernel[(triton.cdiv(pixels, rows),)](
            x, low, high, made, pixels, x.stride(3), CHANNELS=channels, PADDED=wide, ROWS=rows
        )
    return made.permute(0, 3, 1, 2)


@triton.jit  # type: ignore[misc,untyped-decorator,unused-ignore]
def _clamp_kernel(  # type: ignore[no-untyped-def]
    x,  # (pixels, stride), of which the first CHANNELS count
    low,  # (CHANNELS,)
    high,
    made,  # (pixels, CHANNELS)
    pixels,
    stride,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
    ROWS: tl.constexpr,
):
    pixel = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    channel = tl.arange(0, PADDED)
    real = channel < CHANNELS
    wanted = (pixel < pixels)[:, None] & real[None, :]
    value = tl.load(x + pixel[:, None] * stride + channel[None, :], mask=wanted, other=0.0)
    value = value.to(tl.float32)
    least = tl.load(low + channel, mask=real, other=0.0).to(tl.float32)[None, :]
    most = tl.load(high + channel, mask=real, other=0.0).to(tl.float32)[None, :]
    # What is not a number stays so, for whoever checks the result.
    value = tl.maximum(value, least, propagate_nan=tl.PropagateNan.ALL)
    value = tl.minimum(value, most, propagate_nan=tl.PropagateNan.ALL)
    tl.store(made + pixel[:, None] * CHANNELS + channel[None, :], value, mask=wanted)

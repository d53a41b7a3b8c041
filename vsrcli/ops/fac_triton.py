"""Filter adaptive convolution for CUDA, in one kernel that never writes a filter to memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,import-untyped,unused-ignore]
from torch import Tensor

if TYPE_CHECKING:
    from vsrcli.ops.fac import FilterLayer

_PIXELS = 64
"""A program's share. With 128 channels its sums nearly fill the registers of 8 warps; more would
spill. A tap's two matrices take 64 KiB of shared memory."""
_WIDEST = 128
_AMPERE = (8, 0)
"""The first generation with that much shared memory, and with bf16."""


def can_run(x: Tensor, hidden: Tensor, layer: FilterLayer) -> bool:
    """Whether `filter_adaptively` takes these: one half precision, and numbers of channels that
    are powers of two from 16 to 128."""
    widths = [x.shape[1], hidden.shape[1]]
    if layer.reader is not None:
        widths.append(layer.reader.shape[-1])
    return (
        torch.version.cuda is not None
        and hidden.dtype == layer.weight.dtype
        and hidden.dtype in (torch.float16, torch.bfloat16)
        and all(16 <= width <= _WIDEST and width & (width - 1) == 0 for width in widths)
        and torch.cuda.get_device_capability(hidden.device) >= _AMPERE
    )


def filter_adaptively(
    x: Tensor, hidden: Tensor, layer: FilterLayer, slope: float
) -> tuple[Tensor, Tensor | None]:
    """As `vsrcli.ops.fac.filter_adaptively`, without gradients."""
    batch, channels, height, width = x.shape
    inputs, outputs = hidden.shape[1], 0 if layer.reader is None else layer.reader.shape[-1]
    pixels = batch * height * width
    filtered = x.new_empty(batch, height, width, channels, dtype=torch.float32)
    read = x.new_empty(batch, height, width, outputs, dtype=torch.float32)
    with torch.cuda.device_of(x):
        _filter_kernel[(triton.cdiv(pixels, _PIXELS),)](
            x.permute(0, 2, 3, 1).contiguous(),
            hidden.permute(0, 2, 3, 1).contiguous(),
            layer.weight.contiguous(),
            layer.bias.contiguous(),
            layer.weight if layer.reader is None else layer.reader.contiguous(),
            layer.bias if layer.reader_bias is None else layer.reader_bias,
            filtered,
            read,
            pixels,
            height,
            width,
            slope,
            SIZE=len(layer.weight),
            CHANNELS=channels,
            INPUTS=inputs,
            OUTPUTS=outputs,
            PIXELS=_PIXELS,
            num_warps=8,
            num_stages=1,
        )
    return filtered.permute(0, 3, 1, 2), read.permute(0, 3, 1, 2) if outputs else None


@triton.jit  # type: ignore[misc,untyped-decorator,unused-ignore]
def _filter_kernel(  # type: ignore[no-untyped-def]
    x,  # (N, h, w, CHANNELS)
    hidden,  # (N, h, w, INPUTS)
    weight,  # (SIZE * SIZE, CHANNELS, INPUTS)
    bias,  # (SIZE * SIZE, CHANNELS)
    reader,  # (SIZE * SIZE, CHANNELS, OUTPUTS); any pointer, as the next, if OUTPUTS is 0
    reader_bias,  # (OUTPUTS,)
    filtered,  # (N, h, w, CHANNELS)
    read,  # (N, h, w, OUTPUTS)
    pixels,
    height,
    width,
    slope,
    SIZE: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    # 64-bit, because so are the offsets into large batches of large pictures.
    pixel = tl.program_id(0).to(tl.int64) * PIXELS + tl.arange(0, PIXELS)
    inside = (pixel < pixels)[:, None]
    column = pixel % width
    row = pixel // width % height
    picture = pixel // width // height
    channel = tl.arange(0, CHANNELS)
    feature = tl.arange(0, INPUTS)
    made_from = tl.load(hidden + pixel[:, None] * INPUTS + feature[None, :], mask=inside, other=0.0)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    if OUTPUTS > 0:
        output = tl.arange(0, OUTPUTS)
        seen = tl.zeros((PIXELS, OUTPUTS), tl.float32)
        seen += tl.load(reader_bias + output).to(tl.float32)[None, :]
    for tap in range(SIZE * SIZE):
        matrix = weight + (tap * CHANNELS + channel[None, :]) * INPUTS + feature[:, None]
        filters = tl.dot(made_from, tl.load(matrix))
        filters += tl.load(bias + tap * CHANNELS + channel).to(tl.float32)[None, :]
        filters = tl.where(filters > 0, filters, filters * slope)
        y = tl.minimum(tl.maximum(row + tap // SIZE - SIZE // 2, 0), height - 1)
        z = tl.minimum(tl.maximum(column + tap % SIZE - SIZE // 2, 0), width - 1)
        place = ((picture * height + y) * width + z) * CHANNELS
        neighbor = tl.load(x + place[:, None] + channel[None, :], mask=inside, other=0.0)
        total += filters * neighbor.to(tl.float32)
        if OUTPUTS > 0:
            matrix = reader + (tap * CHANNELS + channel[:, None]) * OUTPUTS + output[None, :]
            seen = tl.dot(filters.to(made_from.dtype), tl.load(matrix), seen)
    tl.store(filtered + pixel[:, None] * CHANNELS + channel[None, :], total, mask=inside)
    if OUTPUTS > 0:
        tl.store(read + pixel[:, None] * OUTPUTS + output[None, :], seen, mask=inside)

"""Forward splatting for CUDA: every pixel adds itself to the four it lands between.

They meet in any order. Whole numbers give the same sum in any; so values are added in units of
2^-32, in 64 bits.
"""

from __future__ import annotations

import torch
import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,import-untyped,unused-ignore]
from torch import Tensor

_PIXELS = 256
"""A program's share."""
_UNIT = 2.0**-32
"""A picture of 2^20 pixels in [0, 1] that all land on one takes 52 of 63 bits."""


def splat(image: Tensor, flow: Tensor, scale: int, clamps: bool, offset: float) -> Tensor:
    """As `vsrcli.ops.splat.splat`, without gradients, float32; `offset` is what the grid adds to a
    place, `clamps` whether what lands outside is piled up on the border."""
    batch, channels, height, width = image.shape
    total = torch.zeros(
        (batch, channels, scale * height, scale * width), dtype=torch.int64, device=image.device
    )
    pixels = image.numel()
    with torch.cuda.device_of(image):
        _splat_kernel[(triton.cdiv(pixels, _PIXELS),)](
            image.contiguous(),
            flow.contiguous(),
            total,
            pixels,
            channels,
            height,
            width,
            scale,
            offset,
            1 / _UNIT,
            CLAMPS=clamps,
            PIXELS=_PIXELS,
        )
    return (total.double() * _UNIT).float()


@triton.jit  # type: ignore[misc,untyped-decorator,unused-ignore]
def _splat_kernel(  # type: ignore[no-untyped-def]
    image,  # (N, channels, height, width) float32
    flow,  # (N, 2, height, width) float32, x first
    total,  # (N, channels, scale * height, scale * width) int64
    pixels,
    channels,
    height,
    width,
    scale,
    offset,
    units,
    CLAMPS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    number = tl.program_id(0).to(tl.int64) * PIXELS + tl.arange(0, PIXELS)
    inside = number < pixels
    size = height * width
    place, plane = number % size, number // size
    first = (plane // channels) * 2 * size + place
    value = tl.load(image + number, mask=inside, other=0.0)
    # As in the reference, split before the start is added, which keeps the precision.
    right = tl.load(flow + first, mask=inside, other=0.0) * scale + offset
    down = tl.load(flow + first + size, mask=inside, other=0.0) * scale + offset
    # Beyond the picture any distance is the same; so far it is a whole number that fits.
    right = tl.minimum(tl.maximum(right, -1.0e9), 1.0e9)
    down = tl.minimum(tl.maximum(down, -1.0e9), 1.0e9)
    left, top = tl.floor(right), tl.floor(down)
    right -= left
    down -= top
    column = (place % width) * scale + left.to(tl.int64)
    row = (place // width) * scale + top.to(tl.int64)
    high, wide = scale * height, scale * width
    for corner in tl.static_range(4):
        y, x = row + corner // 2, column + corner % 2
        weight = (down if corner // 2 else 1 - down) * (right if corner % 2 else 1 - right)
        lands = inside
        if CLAMPS:
            y = tl.minimum(tl.maximum(y, 0), high - 1)
            x = tl.minimum(tl.maximum(x, 0), wide - 1)
        else:
            lands = lands & (y >= 0) & (y < high) & (x >= 0) & (x < wide)
        amount = tl.floor((value * weight).to(tl.float64) * units + 0.5).to(tl.int64)
        target = total + (plane * high + y) * wide + x
        tl.atomic_add(target, amount, mask=lands, sem="relaxed")

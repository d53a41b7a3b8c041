"""Perceptual fingerprints: equal but for a few bits for copies of a picture, whatever their size,
compression and brightness.

Which of the lowest frequencies of the picture's cosine transform are above their median: "pHash"
(Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). Its 64 bits
hardly tell copies from the rest: some of each were 10 bits apart. With 12 frequencies each way
instead of 8 the gap is wide.
"""

from __future__ import annotations

import math
from functools import lru_cache

import av
import torch
from torch import Tensor

from vsrcli.training.data.cut import Pixels

_FREQUENCIES = 12
BITS = _FREQUENCIES**2 - 1
"""All but the mean's."""
SIDE = 64
"""Height and width of what a fingerprint is taken of."""
_FLAT = 6.0
"""Standard deviation of luma, in code values, below which there is nothing to tell apart: black
frames and fades."""


def thumbnail(picture: Pixels) -> Tensor:
    """(H, W, 3) RGB -> its luma, shrunk to (SIDE, SIDE) by areas."""
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    small = frame.reformat(
        width=SIDE, height=SIDE, format="gray", dst_color_range=2, interpolation="AREA"
    )
    return torch.from_numpy(small.to_ndarray()).float()


def is_flat(thumbnail: Tensor) -> bool:
    """Whether a picture's fingerprint says nothing."""
    return float(thumbnail.std()) < _FLAT


def fingerprint(luma: Tensor) -> Tensor:
    """(..., H, W) -> (..., BITS) of -1 and 1."""
    rows, columns = (_cosines(length) for length in luma.shape[-2:])
    spectrum = (rows @ luma @ columns.t()).flatten(-2)[..., 1:]
    return torch.where(spectrum > spectrum.median(-1, keepdim=True).values, 1.0, -1.0)


@lru_cache(maxsize=8)
def _cosines(length: int) -> Tensor:
    """(_FREQUENCIES, length)"""
    places = (torch.arange(length) + 0.5) * (math.pi / length)
    return (torch.arange(_FREQUENCIES)[:, None] * places).cos()


def distances(first: Tensor, second: Tensor) -> Tensor:
    """(N, BITS), (M, BITS) -> (N, M): in how many bits they differ."""
    return (BITS - first @ second.t()) / 2

"""Degradations by the names that people write."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

from vsrcli.degradation.compression import compressed
from vsrcli.degradation.kernels import degrade
from vsrcli.degradation.real import real
from vsrcli.errors import UsageError

Degrade = Callable[[Tensor], Tensor]
"""A clip (T, 3, H, W) in [0, 1], H and W multiples of the scale, to (T, 3, H/scale, W/scale) of
8-bit values."""

_LARGEST_FACTOR = 51
"""Of x264's constant rate factors."""


def parse(name: str, scale: int, seed: int = 0) -> Degrade:
    """The degradation that `name`, in any case, stands for:

    bi, bd          as in `kernels`
    real            as in `real`; equal seeds mean equal cameras and encoders, so take another one
                    for each clip
    crf0 to crf51   `bi`, then x264 with its usual settings at that constant rate factor

    Raises UsageError for other names, and for `bd` at other scales than 4.
    """
    lower = name.lower()
    factor = re.fullmatch(r"crf(\d{1,2})", lower)
    if factor and int(factor[1]) <= _LARGEST_FACTOR:
        quality = int(factor[1])
        return lambda clip: compressed(degrade(clip, "bi", scale), "h264", quality)
    match lower:
        case "bi":
            return lambda clip: degrade(clip, "bi", scale)
        case "bd" if scale == 4:
            return lambda clip: degrade(clip, "bd", scale)
        case "bd":
            raise UsageError(f"degradation bd is for scale 4, not {scale}: use bi")
        case "real":
            return lambda clip: real(clip, scale, torch.Generator().manual_seed(seed))
    raise UsageError(
        f"unknown degradation {name!r}: use bi, bd, real, or crf0 to crf{_LARGEST_FACTOR}"
    )

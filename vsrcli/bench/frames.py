"""Frames to time a model with."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

COUNT = 8
_STEP = (1, 2)
"""Pixels down and to the right that the picture moves from frame to frame: no scene cut."""
_GRAIN = 6
"""Pixels between the random values that the picture is interpolated from."""


def moving_picture(width: int, height: int, device: torch.device) -> list[Tensor]:
    """`COUNT` frames (3, height, width) in [0, 1] of soft spots in motion; the same every time."""
    down, right = _STEP
    whole = (height + down * COUNT, width + right * COUNT)
    coarse = [side // _GRAIN + 2 for side in whole]
    spots = torch.rand(1, 3, *coarse, generator=torch.Generator().manual_seed(0))
    picture = F.interpolate(spots, size=whole, mode="bilinear", align_corners=False)[0].to(device)
    return [
        picture[:, down * n : down * n + height, right * n : right * n + width].contiguous()
        for n in range(COUNT)
    ]

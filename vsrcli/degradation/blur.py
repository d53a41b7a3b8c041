"""Motion blur made of sharp frames, as deblurring is tested."""

from __future__ import annotations

from torch import Tensor

from vsrcli.degradation.kernels import to_eight_bits

GAMMA = 2.2
"""From light to code values and back: a shutter adds up light."""


def motion_blurred(clip: Tensor, count: int) -> Tensor:
    """The means of every `count` consecutive frames in linear light, as a shutter open for so long
    would have it (Nah et al., "Deep Multi-scale Convolutional Neural Network for Dynamic Scene
    Deblurring", 2017): (N, 3, H, W) in [0, 1] -> (N - count + 1, 3, H, W), 8-bit values.

    Frame i of the result should be `clip[i + count // 2]`. Raises ValueError unless `count` is odd
    and no larger than N.
    """
    if count % 2 == 0 or not 0 < count <= len(clip):
        raise ValueError(f"count is {count}: take an odd number up to {len(clip)}, the frames")
    light = clip.float() ** GAMMA
    return to_eight_bits(light.unfold(0, count, 1).mean(-1) ** (1 / GAMMA))

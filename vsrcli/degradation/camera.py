"""What everyday cameras and sites do to a clip before it is compressed: blur, fewer pixels, noise.

The ranges are mild on purpose. A network that learnt from heavily damaged pictures would smooth
and sharpen ordinary ones beyond recognition.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.degradation.draws import happens, pick, uniform
from vsrcli.degradation.shrinking import Kernel, shrink

_KERNELS: Mapping[Kernel, float] = {"bicubic": 0.4, "area": 0.25, "bilinear": 0.2, "lanczos": 0.15}
"""Shares. Bicubic is what most software does unless told otherwise, area what a sensor does."""
_TWO_STEPS = 0.5
"""Share of clips that are made smaller twice, as by a camera and then by a site."""
_LARGEST_ZOOM = 2.0
"""Of the size between the two steps to the last: 720p or 1080p on the way to 540p."""
_BLURRED = 0.4
"""Share of clips with more blur than the kernels give. A network that expects it sharpens what has
none, and where compression hides which of the two it is, that costs more than it gains."""
_BLUR = (0.2, 0.7)
"""Its standard deviation in pixels of the result. The kernels' own is about 0.4; at one pixel a
picture is plainly out of focus."""
_ROUND = 0.6
"""Share of blurs that are the same in all directions."""
_SHAPE = (0.8, 1.3)
"""The exponent that makes a Gaussian (1) a little more pointed or flatter."""
_NOISY = 0.5
"""Share of clips with noise: by daylight one sees none."""
_NOISE = (0.5 / 255, 4 / 255)
"""Its standard deviation in mid-gray, before a second step averages some of it away. A phone's film
by lamplight has about the most of it."""
_GRAY = 0.5
"""Share of noise that is the same in R, G and B."""
_SHOT = 0.5
"""Share of noise that grows with the square root of the signal, as that of photons does."""


def seen_by_camera(clip: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """A clip as an everyday camera of fewer pixels gives it, every frame in the same way:
    (T, 3, H, W) in [0, 1] -> (T, 3, *size), not rounded, perhaps a little beyond [0, 1]."""
    height, width = size
    room = min(_LARGEST_ZOOM, clip.shape[-2] / height, clip.shape[-1] / width)
    zoom = uniform(1, room, generator) if happens(_TWO_STEPS, generator) else 1
    between = (round(zoom * height), round(zoom * width))
    seen = shrink(clip, between, pick(_KERNELS, generator))
    if happens(_BLURRED, generator):
        seen = _blurred(seen, _blur_kernel(zoom, generator))
    if happens(_NOISY, generator):
        seen = seen + _noise(seen, generator)
    if between == size:
        return seen
    return shrink(seen.clamp(0, 1), size, pick(_KERNELS, generator))


def _blur_kernel(zoom: float, generator: torch.Generator) -> Tensor:
    """(N, N), of sum 1: a generalized Gaussian, perhaps longer in one direction."""
    along = zoom * uniform(*_BLUR, generator)
    across = along if happens(_ROUND, generator) else zoom * uniform(*_BLUR, generator)
    angle = uniform(0, math.pi, generator)
    radius = math.ceil(2.5 * max(along, across))
    line = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(line, line, indexing="ij")
    u = (math.cos(angle) * x + math.sin(angle) * y) / along
    v = (math.cos(angle) * y - math.sin(angle) * x) / across
    distance = u.square() + v.square()
    kernel = torch.exp(-0.5 * distance ** uniform(*_SHAPE, generator))
    return kernel / kernel.sum()


def _blurred(clip: Tensor, kernel: Tensor) -> Tensor:
    radius = len(kernel) // 2
    # Planes as channels: on a CPU several times faster than planes as pictures of one channel.
    planes = F.pad(clip.flatten(0, 1), (radius,) * 4, mode="replicate")
    weights = kernel.to(clip.device, clip.dtype).expand(len(planes), 1, -1, -1)
    blurred = F.conv2d(planes, weights, groups=len(planes))
    return blurred.reshape(clip.shape)


def _noise(clip: Tensor, generator: torch.Generator) -> Tensor:
    """To be added; every frame has its own."""
    sigma = uniform(*_NOISE, generator)
    gray = happens(_GRAY, generator)
    shot = happens(_SHOT, generator)
    # Many numbers, so drawn where they are needed.
    there = torch.Generator(clip.device)
    there.manual_seed(int(torch.randint(2**62, (), generator=generator)))
    shape = clip[:, :1].shape if gray else clip.shape
    noise = sigma * torch.randn(shape, generator=there, device=clip.device)
    return noise * (2 * clip.clamp(min=0)).sqrt() if shot else noise

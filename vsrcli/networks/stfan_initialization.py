"""Where the training of an STFAN begins: as a linear network whose filters know how frames are
smeared.

Drawn at random, STFAN hardly learns to use its filters: they disturb at first, and are silenced.
Here the layers of the encoder and of the decoder read and write in the linear part of their leaky
ReLUs, residual blocks add nothing, and the filters that deblur are made from the first channels of
what `STFAN.look` sees, which a training can tell the truth. All other channels and layers have no
influence yet, but do get gradients.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.stfan import SLOPE, STFAN, Residual
from vsrcli.ops.fac import fac

SMEAR = 5
"""Channels of what the network sees that filters are made from at first."""
_LIFT = 1.0
"""Bias that keeps features above zero, where a leaky ReLU is linear; taken away behind it. With 2
bf16 was off by twice as much, and no feature needed it."""
_GREY = 0.9
"""How much of their answer to even grey the first kernels lose."""
_FILTERS, _UP_HALF, _UP_FULL = 0.05, 0.5, 0.3
"""Strength of the layer that emits filters, and of those that double the size, beside layers that
keep the strength of what they read."""


@torch.no_grad()
def initialize(network: STFAN, generator: torch.Generator) -> None:
    """Random parameters to begin a training with. What is not mentioned above is as the authors
    have it: Xavier-uniform weights, and no biases."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    for name, module in network.named_modules():
        if isinstance(module, Residual) and not name.startswith("kconv"):
            nn.init.zeros_(_layer(module, "stem.2").weight)
    for level in (1, 2, 3):
        layer = _layer(network, f"conv{level}_1.0")
        _draw(layer.weight, layer.weight[0].numel(), 1, generator)
        _lift(layer, _layer(network, f"conv{level}_3.stem.2"))
    first = _layer(network, "conv1_1.0").weight
    first -= _GREY * first.mean((1, 2, 3), keepdim=True)
    half, full = (_layer(network, f"upconv{level}_u.0").weight for level in (2, 1))
    deblurred, aligned = half.chunk(2)
    aligned.zero_()
    _draw(deblurred, 4 * len(deblurred), _UP_HALF, generator)
    _draw(full, 4 * len(full), _UP_FULL, generator)
    _lift(_layer(network, "upconv2_u.0"), _layer(network, "upconv2_1.stem.2"))
    _begin_picture(_layer(network, "img_prd.0").weight)
    _begin_filters(network, generator)


def _layer(module: nn.Module, name: str) -> nn.Conv2d | nn.ConvTranspose2d:
    layer = module.get_submodule(name)
    assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    return layer


def _draw(weight: Tensor, read: int, gain: float, generator: torch.Generator) -> None:
    """Random kernels that read so many numbers."""
    weight.normal_(0, gain * read**-0.5, generator=generator)


def _lift(before: nn.Conv2d | nn.ConvTranspose2d, behind: nn.Conv2d | nn.ConvTranspose2d) -> None:
    assert before.bias is not None and behind.bias is not None
    before.bias.fill_(_LIFT)
    behind.bias.fill_(-_LIFT)


def _begin_picture(weight: Tensor) -> None:
    """The layer before holds the negative of what the frame lacks in its first three channels:
    twice through a leaky ReLU, times -1/SLOPE between them, it comes out as it was, negated."""
    weight.zero_()
    for color in range(3):
        weight[color, color, 1, 1] = -1 / SLOPE


def _begin_filters(network: STFAN, generator: torch.Generator) -> None:
    """Those that align let features through; those that deblur are nearly zero, and depend on the
    first channels alone, each pixel's on its own."""
    align = _layer(network, "fac_warp.3.0")
    assert align.bias is not None
    align.weight.mul_(0.1)
    taps = network.config.fac_kernel**2
    align.bias[taps // 2 :: taps] = 1
    first = _layer(network, "fac_deblur.0.0").weight
    first.zero_()
    _draw(center := torch.empty(len(first), SMEAR), SMEAR, 1, generator)
    first[:, :SMEAR, 1, 1] = center
    for name in ("fac_deblur.1.stem.0", "fac_deblur.2.stem.0"):
        weight = _layer(network, name).weight
        weight.zero_()
        _draw(center := torch.empty(weight.shape[:2]), weight.shape[1], 1, generator)
        weight[..., 1, 1] = center
    emitter = _layer(network, "fac_deblur.3.0").weight
    _draw(emitter, emitter.shape[1], _FILTERS, generator)


def restored_alike(network: STFAN, frames: Tensor, smears: Tensor) -> Tensor:
    """Frames (N, 3, H, W), each smeared alike everywhere as `smears` (N, SMEAR) say -> what the
    network makes of each by itself as long as it is as it began: its linear layers alone, at a
    twentieth of the cost."""
    seen = smears.new_zeros(len(smears), network.config.channels[-1], 1, 1)
    seen[:, :SMEAR, 0, 0] = smears
    return restored_alone(network, frames, seen)


def restored_alone(network: STFAN, frames: Tensor, seen: Tensor) -> Tensor:
    """The same with filters made from what is seen, (N, c, h, w), or (N, c, 1, 1) if that is the
    same everywhere."""
    x = frames
    for level in (1, 2, 3):
        x = F.conv2d(x, _layer(network, f"conv{level}_1.0").weight, None, min(level, 2), 1)
    filters = network.fac_deblur(torch.cat((seen, torch.zeros_like(seen)), 1))
    x = _filtered_alike(x, filters) if filters.shape[-2:] == (1, 1) else fac(x, filters)
    x = F.conv_transpose2d(x, _layer(network, "upconv2_u.0").weight[: x.shape[1]], None, 2, 1)
    x = F.conv_transpose2d(x, _layer(network, "upconv1_u.0").weight[:, :3], None, 2, 1)
    return frames - x


def _filtered_alike(x: Tensor, filters: Tensor) -> Tensor:
    """`fac` with the same filters (N, C*K*K, 1, 1) everywhere."""
    size = round((filters.shape[1] / x.shape[1]) ** 0.5)
    padded = F.pad(x, (size // 2,) * 4, mode="replicate")
    kernels = filters.view(-1, 1, size, size)
    return F.conv2d(padded.flatten(0, 1)[None], kernels, groups=len(kernels)).view_as(x)

"""Parameters to begin STDAN's training with.

The network has no skip from its input to its output: what layers draw by themselves would first
have to learn to hand on the picture, through some hundred layers. Here three of the channels do so
from the beginning, and all others learn what to add: given frames come out enlarged, new ones as
the mean of their neighbours, enlarged. The channels hold colors less 0.5, of which 16 bits keep
more than of the colors, and beside which the zeros around a map are gray; where a leaky ReLU is in
the way, the same is there with the other sign too, and the difference goes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vsrcli.networks.stdan import LAST_SLOPE, STDAN
from vsrcli.networks.stdan_alignment import SLOPE, InterpolationCell
from vsrcli.networks.swin import SwinBranch

COLORS = 3
"""Channels that carry the picture: the first."""
_MIDDLE = 0.5
_QUIET = 0.1
"""Of what the untrained layers would add."""
_FIRST_HALF = (0.21, 0.86, -0.07)
"""Bicubic interpolation a quarter pixel before a pixel, of which three weights are kept; the other
new pixel's weights are these turned round."""


@torch.no_grad()
def initialize(network: STDAN, generator: torch.Generator) -> None:
    """Random parameters with which the network enlarges by interpolation."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.count_nonzero():  # not `OffsetConv`
            _draw(module, generator)
    _carry_both_signs(network.conv_first, bias=-_MIDDLE)
    _through_branch(network.feature_extraction)
    _join_signs(network.feature_extraction.conv_first, COLORS, SLOPE)
    _through_cell(network.pcd_align_modified)
    _carry(network.fusion_f_b, (0.5, 0.5))
    network.stdfa.conv_last.weight.mul_(_QUIET)
    _carry(network.stdfa.conv_last, (0.0,))
    _through_branch(network.feature_recon)
    _carry_both_signs(network.conv_before_upsample[0])
    _enlarge(network.upsample[0])
    _join_signs(network.upsample[0], 4 * COLORS, LAST_SLOPE)
    _enlarge(network.upsample[2])
    network.conv_last.weight.mul_(_QUIET)
    network.conv_last.weight[:, :COLORS] = _dirac(network.conv_last)
    assert network.conv_last.bias is not None
    network.conv_last.bias.fill_(_MIDDLE)


def _draw(conv: nn.Conv2d, generator: torch.Generator) -> None:
    """As convolutions draw by themselves."""
    nn.init.kaiming_uniform_(conv.weight, a=math.sqrt(5), generator=generator)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)


def _through_branch(branch: SwinBranch) -> None:
    _carry(branch.conv_first)
    _carry(branch.conv_after_body, (0.0,))  # which is added to `conv_first`
    _carry(branch.conv_last)


def _through_cell(cell: InterpolationCell) -> None:
    """Both frames unmoved, half and half; nothing of the hidden state."""
    for side in (1, 2):
        deform, joined = (
            cell.get_submodule(f"L1_{name}_{side}") for name in ("dcnpack", "fea_conv")
        )
        _carry(deform, (2.0,))  # samples count half at first
        _carry(joined, (1.0, 0.0))
    _carry(cell.fusion, (0.5, 0.5))
    _carry(cell.fusion_1x1, (0.0, 1.0))


def _carry(conv: nn.Module, shares: Sequence[float] = (1.0,)) -> None:
    """The first channels become the sum of those of the joined inputs, times `shares`."""
    weight = conv.weight
    assert isinstance(weight, Tensor)
    weight[:COLORS] = 0
    width = weight.shape[1] // len(shares)
    for index, share in enumerate(shares):
        start = index * width
        weight[:COLORS, start : start + COLORS] = share * _dirac(conv)


def _carry_both_signs(conv: nn.Module, bias: float = 0.0) -> None:
    """As `_carry`, with a bias, and the negative of it in as many channels more."""
    assert isinstance(conv.weight, Tensor) and isinstance(conv.bias, Tensor)
    _carry(conv)
    conv.bias[:COLORS] = bias
    conv.weight[COLORS : 2 * COLORS] = -conv.weight[:COLORS]
    conv.bias[COLORS : 2 * COLORS] = -bias


def _join_signs(conv: nn.Module, rows: int, slope: float) -> None:
    """Let the first outputs, which carry, read both signs, as a leaky ReLU f leaves them: x from
    f(x) - f(-x)."""
    assert isinstance(conv.weight, Tensor)
    kernels = conv.weight[:rows, :COLORS] / (1 + slope)
    conv.weight[:rows, :COLORS] = kernels
    conv.weight[:rows, COLORS : 2 * COLORS] = -kernels


def _dirac(conv: nn.Module) -> Tensor:
    """(COLORS, COLORS, k, k): kernels that change nothing."""
    assert isinstance(conv.weight, Tensor)
    return nn.init.dirac_(torch.empty(COLORS, COLORS, *conv.weight.shape[2:]))


def _enlarge(conv: nn.Module) -> None:
    """The channels that a pixel shuffle makes the first of become these, interpolated."""
    assert isinstance(conv.weight, Tensor)
    first = torch.tensor(_FIRST_HALF)
    halves = (first, first.flip(0))
    conv.weight[: 4 * COLORS] = 0
    for color in range(COLORS):
        for place in range(4):
            kernel = torch.outer(halves[place // 2], halves[place % 2])
            conv.weight[4 * color + place, color] = kernel

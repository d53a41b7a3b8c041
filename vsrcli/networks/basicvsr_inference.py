"""BasicVSR for inference: the same function as `BasicVSR`, arranged for speed.

Where a state enters a direction, the layer is split in two, one for the frame and one for the
state: the frame keeps all its bits, and at the ends of a scene, where the state is zero, there is
nothing to compute for it. The output channels of the upsampling layers are reordered so that the
pixel shuffle after them moves whole pixels.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from vsrcli.networks.basicvsr import BasicVSR, ResidualBlock, Trunk, enlarge, leaky
from vsrcli.networks.folding import FoldedConv
from vsrcli.networks.spec import forward_bidirectional
from vsrcli.ops.warp import warp

_EARLY_BLOCKS = 5
"""Residual blocks of a direction that bf16 would spoil: the first ones change a state the most."""


class BasicVSRInference(nn.Module):
    """(B, T, 3, H, W) RGB in [0, 1] -> (B, T, 3, 4H, 4W) float32, not clamped; any T.

    Convolutions compute in `dtype`. In float32 remain the flow network, as an error of a flow is
    one of place; the layers that see a frame, which `dtype` would round to fewer bits than it has;
    the sums of a direction, to which each block adds a little; and the enlarged picture. For bf16,
    whose rounding adds up over sixty layers, also the states and the layers with the largest share
    in it: those that states enter and leave by, and the first blocks. Published weights (BI) were
    then 0.05/255 (RMS) from float32, 2 values in 100,000 more than 1/255.
    """

    def __init__(self, network: BasicVSR, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = network.config
        self.spec = network.spec
        self.dtype = dtype
        early = _early(dtype)
        self.spynet = copy.deepcopy(network.spynet).requires_grad_(False)
        self.backward_trunk = TrunkInference(network.backward_trunk, dtype)
        self.forward_trunk = TrunkInference(network.forward_trunk, dtype)
        self.fusion = FoldedConv(network.fusion, dtype=early)
        self.upconv1 = FoldedConv(_by_pixel(network.upconv1), dtype=dtype)
        self.upconv2 = FoldedConv(_by_pixel(network.upconv2), dtype=dtype)
        self.conv_hr = FoldedConv(network.conv_hr, dtype=dtype)
        self.conv_last = FoldedConv(network.conv_last, dtype=dtype)

    def forward(self, frames: Tensor) -> Tensor:
        return forward_bidirectional(self, frames)

    def flows(self, frames: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """See `BasicVSR.flows`; video reaches a little beyond [0, 1], on which the network was
        not trained, so it is clamped."""
        return self.spynet.both_ways(frames.float().clamp(0, 1), following.float().clamp(0, 1))

    def align(self, state: Tensor, flow: Tensor) -> Tensor:
        """See `BasicVSR.align`."""
        return warp(state.float(), flow, "zeros").to(state.dtype)

    def step_backward(self, frame: Tensor, aligned: Tensor | None) -> Tensor:
        state: Tensor = self.backward_trunk(frame, aligned)
        return state

    def step_forward(
        self, frame: Tensor, behind: Tensor, aligned: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        state: Tensor = self.forward_trunk(frame, aligned)
        x = leaky(self.fusion(torch.cat((behind, state), 1)))
        x = _shuffled(leaky(self.upconv1(x.to(self.dtype))))
        x = _shuffled(leaky(self.upconv2(x)))
        correction = self.conv_last(leaky(self.conv_hr(x)))
        return enlarge(frame.float()).add_(correction), state


class TrunkInference(nn.Module):
    """`Trunk`, summing in float32; states are float32 or float16."""

    def __init__(self, trunk: Trunk, dtype: torch.dtype) -> None:
        super().__init__()
        first, _, blocks = cast(tuple[nn.Conv2d, nn.Module, Iterable[ResidualBlock]], trunk.main)
        self.state_dtype = early = _early(dtype)
        self.from_frame = FoldedConv(_of_inputs(first, slice(3)), dtype=torch.float32)
        self.from_state = FoldedConv(_of_inputs(first, slice(3, None), bias=False), dtype=early)
        self.blocks = nn.ModuleList(
            BlockInference(block, early if index < _EARLY_BLOCKS else dtype)
            for index, block in enumerate(blocks)
        )

    def forward(self, frame: Tensor, aligned: Tensor | None) -> Tensor:
        x = frame.float().clamp(0, 1).contiguous(memory_format=torch.channels_last)
        x = self.from_frame(x)
        if aligned is not None:
            x += self.from_state(aligned)
        x = leaky(x)
        for block in self.blocks:
            x += block(x)
        return x.to(self.state_dtype)


class BlockInference(nn.Module):
    """What a residual block adds to its input (N, C, H, W) float32; computed in `dtype`."""

    def __init__(self, block: ResidualBlock, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.conv1 = FoldedConv(block.conv1, relu=True, dtype=dtype)
        self.conv2 = FoldedConv(block.conv2, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.conv2(self.conv1(x.to(self.dtype)))
        return added


def _early(dtype: torch.dtype) -> torch.dtype:
    """What the layers compute in that need more than the eight bits of bf16."""
    return torch.float32 if dtype == torch.bfloat16 else dtype


def _of_inputs(conv: nn.Conv2d, inputs: slice, bias: bool = True) -> nn.Conv2d:
    """What `conv` makes of some of its input channels."""
    part = copy.deepcopy(conv)
    part.weight = nn.Parameter(conv.weight[:, inputs])
    if not bias:
        part.bias = None
    return part


def _by_pixel(conv: nn.Conv2d) -> nn.Conv2d:
    """`conv`, which a pixel shuffle by 2 follows, with the channels of an output pixel side by
    side, for `_shuffled`."""
    order = torch.arange(conv.out_channels).view(-1, 4).t().flatten()
    reordered = copy.deepcopy(conv)
    reordered.weight = nn.Parameter(conv.weight[order])
    assert conv.bias is not None
    reordered.bias = nn.Parameter(conv.bias[order])
    return reordered


def _shuffled(x: Tensor) -> Tensor:
    """(N, 4C, H, W), channels-last, the channels in the order (row, column, C) of a block of 2 x 2
    pixels -> (N, C, 2H, 2W)"""
    batch, _, height, width = x.shape
    blocks = x.permute(0, 2, 3, 1).reshape(batch, height, width, 2, 2, -1)
    return blocks.transpose(2, 3).reshape(batch, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)

"""STDAN's recurrent cell, which makes the features of the moment between two frames.

A map and two coarser ones (1/2, 1/4) form a pyramid. Aligning two pyramids moves each towards the
other by deformable convolutions, coarse to fine (paper section on long short-term feature
interpolation; layer names are the authors').
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.ops.deform import OffsetConv, deform_conv

SLOPE = 0.1
Pyramid = tuple[Tensor, ...]
"""Maps (N, C, H, W), (N, C, H/2, W/2), (N, C, H/4, W/4)."""


def leaky(x: Tensor) -> Tensor:
    """In place: `x` is no longer needed."""
    return F.leaky_relu_(x, SLOPE)


def conv3(channels: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, stride, padding=1)


def twice(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W), bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class PyramidLayers(nn.Module):
    """The strided convolutions that make a map's coarser ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fea_L2_conv1 = conv3(channels, channels, stride=2)
        self.fea_L2_conv2 = conv3(channels, channels)
        self.fea_L3_conv1 = conv3(channels, channels, stride=2)
        self.fea_L3_conv2 = conv3(channels, channels)

    def pyramid(self, x: Tensor) -> Pyramid:
        """(N, C, H, W) -> its pyramid; the first level is `x`."""
        second = leaky(self.fea_L2_conv2(leaky(self.fea_L2_conv1(x))))
        third = leaky(self.fea_L3_conv2(leaky(self.fea_L3_conv1(second))))
        return x, second, third


class DeformConv(nn.Module):
    """A 3x3 deformable convolution with a bias; `features` say where `x` is sampled."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.groups = groups
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        self.conv_offset = OffsetConv(channels, groups)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        points = self.conv_offset.points(features)
        return deform_conv(x, points, self.weight, self.bias, self.groups)


class PairAlignment(nn.Module):
    """Two pyramids -> the finest map of each, moved towards the other."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        for side in (1, 2):
            for level in (1, 2, 3):
                coarsest = level == 3
                convs = ["offset_conv1", "offset_conv2"]
                convs += [] if coarsest else ["offset_conv3", "fea_conv"]
                for name in convs:
                    joins_two = name in ("offset_conv1", "fea_conv")
                    joins_two |= name == "offset_conv2" and not coarsest
                    width = 2 * channels if joins_two else channels
                    self.add_module(f"L{level}_{name}_{side}", conv3(width, channels))
                self.add_module(f"L{level}_dcnpack_{side}", DeformConv(channels, groups))

    def align(
        self, first: Pyramid, second: Pyramid, second_is_zero: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Both pyramids' finest maps (N, C, H, W), moved; `second_is_zero` says so of the finest
        map of `second`."""
        moved = self._moved(first, second, 1)
        return moved, self._moved(second, first, 2, moves_nothing=second_is_zero)

    def _moved(
        self, moving: Pyramid, still: Pyramid, side: int, moves_nothing: bool = False
    ) -> Tensor:
        def layer(level: int, name: str) -> nn.Module:
            return self.get_submodule(f"L{level}_{name}_{side}")

        def compared(level: int) -> Tensor:
            joined = torch.cat((moving[level - 1], still[level - 1]), 1)
            return leaky(layer(level, "offset_conv1")(joined))

        offset = leaky(layer(3, "offset_conv2")(compared(3)))
        moved = leaky(layer(3, "dcnpack")(moving[2], offset))
        for level in (2, 1):
            deform = layer(level, "dcnpack")
            assert isinstance(deform, DeformConv)
            if moves_nothing and level == 1:  # samples of zeros, wherever they lie
                sampled = deform.bias[:, None, None].expand_as(moving[0])
            else:
                # Twice, as if they were offsets in pixels of the coarser map.
                offset = torch.cat((compared(level), 2 * twice(offset)), 1)
                offset = leaky(layer(level, "offset_conv2")(offset))
                offset = leaky(layer(level, "offset_conv3")(offset))
                sampled = deform(moving[level - 1], offset)
            moved = layer(level, "fea_conv")(torch.cat((sampled, twice(moved)), 1))
            moved = leaky(moved) if level > 1 else moved
        return moved


class HiddenAlignment(PyramidLayers):
    """The hidden state, aligned to the features of a pair and mixed with them."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(channels)
        self.pcd_align = PairAlignment(channels, groups)
        self.fusion = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, features: Tensor, hidden: Tensor | None) -> Tensor:
        """Two maps (N, C, H, W) -> one; a hidden state of None is zero."""
        state = torch.zeros_like(features) if hidden is None else hidden
        aligned = self.pcd_align.align(
            self.pyramid(features), self.pyramid(state), second_is_zero=hidden is None
        )
        made: Tensor = self.fusion(torch.cat(aligned, 1))
        return made


class InterpolationCell(PairAlignment):
    """The recurrent cell: two frames and a hidden state -> the features between the frames."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(channels, groups)
        self.fusion = nn.Conv2d(2 * channels, channels, 1)
        self.pcd_h = HiddenAlignment(channels, groups)
        self.fusion_1x1 = nn.Conv2d(2 * channels, channels, 1)
        self.conv_h1 = conv3(channels, channels)
        self.conv_h2 = conv3(channels, channels)

    def pair(self, first: Pyramid, second: Pyramid) -> Tensor:
        """What needs no hidden state: `first` and `second` in running direction -> (N, C, H, W)."""
        made: Tensor = self.fusion(torch.cat(self.align(first, second), 1))
        return made

    def between(self, pair: Tensor, hidden: Tensor | None) -> Tensor:
        """`pair()`'s map and the hidden state, (N, C, H, W) each -> the features between. None is
        the state at the beginning: zero."""
        aligned = self.pcd_h(pair, hidden)
        made: Tensor = self.fusion_1x1(torch.cat((aligned, pair), 1))
        return made

    def next_hidden(self, between: Tensor) -> Tensor:
        """`between()`'s map -> the hidden state of the next step."""
        made: Tensor = self.conv_h2(leaky(self.conv_h1(between)))
        return made

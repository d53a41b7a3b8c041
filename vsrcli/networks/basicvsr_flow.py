"""SPyNet, the flow network of BasicVSR: from coarse to fine, each level corrects the one before.

Ranjan & Black, "Optical Flow Estimation using a Spatial Pyramid Network", CVPR 2017, in the form
and with the module names that BasicVSR's authors use.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.ops.warp import warp

_LEVELS = 6
_MULTIPLE = 32
"""Pictures are brought to multiples of this, so that each level is half as large as the next."""
_CONTEXT = 15
"""Rows above and below that a level's five 7x7 convolutions see."""
_PIXELS_AT_ONCE = 2**20
"""A level of a larger picture is computed in bands of rows, which changes nothing: its wide maps
would take more memory than all else."""


class _Level(nn.Module):
    """(N, 8, h, w): two pictures and the flow so far -> its correction (N, 2, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 32, 64, 32, 16, 2)
        layers: list[nn.Module] = []
        for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(inputs, outputs, 7, padding=3), nn.ReLU(inplace=True)]
        self.basic_module = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():  # a graph for any height cannot count its bands
            made: Tensor = self.basic_module(x)
            return made
        height, width = x.shape[-2:]
        rows = max(1, _PIXELS_AT_ONCE // width)
        bands = []
        for top in range(0, height, rows):
            first = max(0, top - _CONTEXT)
            made = self.basic_module(x[..., first : top + rows + _CONTEXT, :])
            bands.append(made[..., top - first : top - first + rows, :])
        return bands[0] if len(bands) == 1 else torch.cat(bands, -2)


class SPyNet(nn.Module):
    """Flow between pictures of any size, always in the precision of its parameters: flows are
    positions, which few bits cannot hold."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.basic_module = nn.ModuleList(_Level() for _ in range(_LEVELS))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, picture: Tensor, target: Tensor) -> Tensor:
        """(N, 3, H, W) twice, RGB in [0, 1] -> (N, 2, H, W), x first, in pixels: what is at p in
        `picture` is at p + flow(p) in `target`."""
        with torch.autocast(picture.device.type, enabled=False):
            return self._flow(picture, target)

    def both_ways(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The flows from the pictures `first` to `second`, and back."""
        there, back = self(torch.cat((first, second)), torch.cat((second, first))).chunk(2)
        return there, back

    def _flow(self, picture: Tensor, target: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        even = (_up(height), _up(width))
        pictures, targets = (self._pyramid(_resized(x, even)) for x in (picture, target))
        coarsest = pictures[0]
        flow = coarsest.new_zeros(coarsest.shape[0], 2, *coarsest.shape[-2:])
        for index, level in enumerate(self.basic_module):
            if index > 0:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            moved = warp(targets[index], flow)
            flow = flow + level(torch.cat((pictures[index], moved, flow), 1))
        right, down = _resized(flow, (height, width)).split(1, 1)
        return torch.cat((right * (width / even[1]), down * (height / even[0])), 1)

    def _pyramid(self, x: Tensor) -> list[Tensor]:
        """The picture normalized, and its halvings before it, the coarsest first."""
        levels = [(x - self.mean) / self.std]
        while len(levels) < _LEVELS:
            levels.insert(0, F.avg_pool2d(levels[0], 2))
        return levels


def _up(length: int) -> int:
    # In a trace to ONNX, quotients of negative numbers are rounded towards zero.
    return (length + _MULTIPLE - 1) // _MULTIPLE * _MULTIPLE


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    if size == x.shape[-2:] and not torch.onnx.is_in_onnx_export():
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)

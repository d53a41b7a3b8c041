"""Deformable sampling: nine taps around each pixel, moved and weighted by what a network says.

Dai et al., "Deformable Convolutional Networks", ICCV 2017, and its modulated version, Zhu et al.,
"Deformable ConvNets v2", CVPR 2019. The channels of a map are split into groups; every group has
its own offsets. Outside the map everything is zero.

Three ways to the same numbers. `grid_sample` is differentiable, exports to ONNX and runs anywhere.
On a CPU, where no gradient is asked for, the four corners of a sample are summed by
`embedding_bag`: with the channels last, the channels of a group are one row of a table, and the
sum of four weighted rows is a vector operation. That takes about a quarter of the time. On a card
one kernel does the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.ops.graph import needs_graph
from vsrcli.ops.kernels import triton_kernel
from vsrcli.ops.precision import widened

TAPS = 9
"""Of the 3x3 neighbourhood, row by row."""
_CPU_PORTION = 2**11
"""Pixels sampled at once on a CPU: their samples fit in its cache."""
_PORTION = 2**17
"""Pixels sampled at once elsewhere: nine samples of a large map would fill a card's memory."""


class Positions(NamedTuple):
    """Samples of a map, K for each output pixel and group; each (N, h, w, K * groups), the groups
    of a sample side by side, float32 or wider."""

    row: Tensor
    column: Tensor
    mask: Tensor
    """Factor of the sample."""

    def chosen(self, samples: Tensor) -> Positions:
        """Those whose numbers, among the nine of each pixel, are `samples` (N, h, w, k)."""
        groups = self.row.shape[3] // TAPS
        index = samples[..., None].expand(*samples.shape, groups)
        return Positions(
            *(x.unflatten(3, (TAPS, groups)).gather(3, index).flatten(3) for x in self)
        )


class Points(NamedTuple):
    """By how much the nine taps of each pixel are moved, and how much each counts; each
    (N, H, W, 9 * groups), the groups of a tap side by side."""

    down: Tensor
    right: Tensor
    mask: Tensor

    def positions(self, rows: slice) -> Positions:
        """The samples of the output rows `rows`; positions in 16 bits would be whole pixels off."""
        down, right, mask = (widened(x[:, rows]) for x in self)
        device, dtype = down.device, down.dtype
        tap = torch.arange(TAPS, device=device).repeat_interleave(down.shape[3] // TAPS)
        row = torch.arange(rows.start, rows.stop, device=device)[:, None, None] + tap // 3 - 1
        column = torch.arange(down.shape[2], device=device)[:, None] + tap % 3 - 1
        return Positions(down + row.to(dtype), right + column.to(dtype), mask)


class OffsetConv(nn.Conv2d):
    """The 3x3 convolution that makes points: (N, C, H, W) -> `Points` for `groups` groups.

    The checkpoint's output channels are (group, tap, (y, x)), then (group, tap) for the masks
    before their sigmoid. Offsets start at zero and masks at 1/2.
    """

    order: Tensor

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(channels, 3 * TAPS * groups, 3, padding=1)
        group = torch.arange(groups)
        tap = torch.arange(TAPS)[:, None]
        dy = 2 * (TAPS * group + tap)
        mask = 2 * TAPS * groups + TAPS * group + tap
        order = torch.stack((dy, dy + 1, mask)).flatten()
        self.register_buffer("order", order, persistent=False)

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def points(self, x: Tensor) -> Points:
        """The points that the features `x` call for."""
        assert self.bias is not None
        weight, bias = self.weight[self.order], self.bias[self.order]
        made = F.conv2d(x.to(weight.dtype), weight, bias, padding=1).permute(0, 2, 3, 1)
        down, right, logit = made.chunk(3, 3)
        return Points(down, right, logit.sigmoid())


class Sampler:
    """A map (N, C, H, W) to be sampled; its channels make `groups` groups."""

    def __init__(self, x: Tensor, groups: int) -> None:
        x = widened(x)
        self.shape, self.dtype = x.shape, x.dtype
        self.groups = groups
        on_cpu = x.device.type == "cpu"
        graph = needs_graph()
        self.looks_up = on_cpu and not graph
        self.portion = None if graph else _CPU_PORTION if on_cpu else _PORTION
        takes_kernel = self.dtype == torch.float32 and not graph
        self.kernel = triton_kernel("deform_triton", x) if takes_kernel else None
        if self.kernel is not None:
            self.source = x.permute(0, 2, 3, 1).contiguous()
        elif self.looks_up:
            # Around the map a border of zeros: what lies outside is looked up there. Two on the
            # far sides, as a sample takes the next row and column too.
            padded = F.pad(x, (1, 2, 1, 2)).permute(0, 2, 3, 1).contiguous()
            self.source = padded.reshape(-1, x.shape[1] // groups)
        else:
            self.source = x.reshape(x.shape[0] * groups, -1, *x.shape[2:])

    def portions(self, points: Points) -> Iterator[slice]:
        """The output rows, in portions that are best sampled one by one."""
        batch, height, width = points.down.shape[:3]
        step = max(1, self.portion // (batch * width)) if self.portion else height
        for row in range(0, height, step):
            yield slice(row, min(row + step, height))

    def __call__(self, positions: Positions) -> Tensor:
        """(N, h, w, K, C), float32 or wider."""
        batch, rows, columns, samples = positions.row.shape
        if self.kernel is not None:
            made: Tensor = self.kernel.sample(self.source, *positions, self.groups)
        else:
            made = self._by_table(positions) if self.looks_up else self._by_grid(positions)
        return made.reshape(batch, rows, columns, samples // self.groups, self.shape[1])

    def _by_table(self, positions: Positions) -> Tensor:
        """A sample and group is the weighted sum of four rows of the table."""
        batch, _, height, width = self.shape
        row = (positions.row + 1).clamp_(0, height + 1)
        column = (positions.column + 1).clamp_(0, width + 1)
        top, left = row.floor(), column.floor()
        down, right = row.sub_(top), column.sub_(left)

        line = self.groups * (width + 3)
        first = _numbers(batch, line * (height + 3))[:, None, None, None]
        group = _numbers(self.groups, 1).repeat(row.shape[3] // self.groups)
        index = top.int().mul_(line).add_(left.int().mul_(self.groups)).add_(first + group)
        corners = _numbers(2, line)[:, None] + _numbers(2, self.groups)

        weight = row.new_empty(*row.shape, 4)
        lower = down.mul_(positions.mask)
        upper = positions.mask - lower
        for corner, vertical in ((0, upper), (2, lower)):
            torch.mul(vertical, right, out=weight[..., corner + 1])
            torch.sub(vertical, weight[..., corner + 1], out=weight[..., corner])
        indices = index.reshape(-1, 1) + corners.flatten()
        weights = weight.reshape(-1, 4)
        return F.embedding_bag(indices, self.source, mode="sum", per_sample_weights=weights)

    def _by_grid(self, positions: Positions) -> Tensor:
        batch, _, height, width = self.shape
        x = (2 * positions.column + 1) / width - 1
        y = (2 * positions.row + 1) / height - 1
        # (N, h * w, K, groups, 2) -> a picture of its own for each group
        grid = torch.stack((x, y), -1).flatten(1, 2).unflatten(2, (-1, self.groups))
        grid = grid.permute(0, 3, 1, 2, 4).flatten(0, 1)
        sampled = F.grid_sample(self.source, grid.to(self.dtype), align_corners=False)
        sampled = sampled.reshape(batch, self.groups, *sampled.shape[1:]).permute(0, 3, 4, 1, 2)
        mask: Tensor = positions.mask.flatten(1, 2).unflatten(2, (-1, self.groups))
        return sampled * mask[..., None]


def deform_conv(
    x: Tensor, points: Points, weight: Tensor, bias: Tensor | None, groups: int
) -> Tensor:
    """A 3x3 convolution of `x` (N, C, H, W) whose taps lie at `points` -> (N, O, H, W).

    `weight` (O, C, 3, 3). Positions and samples are float32 or wider, the product is of the
    weight's type.
    """
    matrix = weight.permute(0, 2, 3, 1).flatten(1)
    sampler = Sampler(x, groups)
    made: list[Tensor] = []
    for rows in sampler.portions(points):
        samples = sampler(points.positions(rows)).flatten(3)
        made.append(F.linear(samples.to(weight.dtype), matrix, bias))
    return torch.cat(made, 1).permute(0, 3, 1, 2)


def _numbers(count: int, step: int) -> Tensor:
    """0, step, 2 * step ..."""
    return torch.arange(0, count * step, step, dtype=torch.int32)

"""TGA for inference: the same function as `TGA` in evaluation mode, in fewer and larger steps.

Batch norms are folded (see `folding`), all convolutions are 2-D and channels-last, and the dense
features live in one buffer of the final width: a unit reads a prefix of its channels and writes
its new ones behind it, so nothing is concatenated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.folding import AffineRelu, ClampedConv, FoldedConv
from vsrcli.networks.spec import forward_window
from vsrcli.networks.strips import by_strips
from vsrcli.networks.tga import (
    GROUP_DISTANCES,
    RADIUS,
    TGA,
    DenseBlock,
    across_groups,
    bicubic_base,
    group_features,
    inter_names,
    intra_names,
    merge_groups,
    softmax_over_groups,
    time_slices,
)


class DenseUnit(nn.Module):
    """(N, c, H, W) -> the channels that the unit adds."""

    def __init__(self, mix: ClampedConv, grow: FoldedConv) -> None:
        super().__init__()
        self.mix, self.grow = mix, grow

    def forward(self, x: Tensor) -> Tensor:
        return by_strips(lambda strip: self.grow(self.mix(strip)), x, reach=1)


class TimeSlices(nn.Module):
    """The 2-D slices of a 3-D convolution, and its bias."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, conv: nn.Conv3d, dtype: torch.dtype) -> None:
        super().__init__()
        slices = time_slices(conv.weight.detach()).to(dtype)
        self.register_buffer("weight", slices.contiguous(memory_format=torch.channels_last))
        bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self.register_buffer("bias", bias)


class TGAInference(nn.Module):
    """(B, 7, 3, H, W) RGB in [0, 1] -> (B, 1, 3, 4H, 4W) float32, not clamped.

    Computes in `dtype`, apart from the bicubic base and the per-frame stem: rounding the frames
    and the stem to few bits would be most of the error, and the stem is 2 % of the work.
    """

    def __init__(self, network: TGA, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = config = network.config
        self.spec = network.spec
        self.dtype = dtype

        def conv(
            name: str,
            norm: str | None = None,
            relu: bool = False,
            dtype: torch.dtype = dtype,
        ) -> FoldedConv:
            after = cast(nn.BatchNorm2d, network.get_submodule(norm)) if norm else None
            layer = cast(nn.Conv2d, network.get_submodule(name))
            return FoldedConv(layer, after, relu=relu, dtype=dtype)

        def units(names: Iterable[str]) -> nn.ModuleList:
            blocks = (cast(DenseBlock, network.get_submodule(name)) for name in names)
            return nn.ModuleList(
                DenseUnit(
                    ClampedConv(part.norm_in, part.conv_in, part.norm_out, dtype=dtype),
                    FoldedConv(part.conv_out, dtype=dtype),
                )
                for block in blocks
                for part in map(block.unit, range(3))
            )

        self.conv3d_1 = conv("conv3d_1", "bn3d_1", relu=True, dtype=torch.float32)
        self.conv3d_2 = conv("conv3d_2", "bn3d_2", relu=True, dtype=torch.float32)
        self.conv3d_2_1 = conv("conv3d_2_1", "bn3d_2_1", relu=True, dtype=torch.float32)
        self.conv3d_2_2 = TimeSlices(network.conv3d_2_2, torch.float32)
        self.intra = units(intra_names(config))

        head, last = network.fusion_head, network.Fusion_last
        self.head_mix = ClampedConv(None, head.conv3d_1, head.bn3d_2, dtype=dtype)
        self.head_grow = TimeSlices(head.conv3d_2, dtype)
        self.head_mix_2 = ClampedConv(head.bn3d_3, head.conv3d_3, head.bn3d_4, dtype=dtype)
        self.head_grow_2 = TimeSlices(head.conv3d_4, dtype)
        self.last_mix = ClampedConv(last.bn3d_1, last.conv3d_1, last.bn3d_2, dtype=dtype)
        self.last_grow = TimeSlices(last.conv3d_2, dtype)
        mix_2 = ClampedConv(last.bn3d_3, last.conv3d_3, last.bn3d_4, dtype=dtype)
        self.last = DenseUnit(mix_2, FoldedConv(last.conv3d_4, dtype=dtype))

        self.bn3d_2_2 = AffineRelu(network.bn3d_2_2, dtype=dtype)
        self.compress = conv("compress")
        self.inter = units(inter_names(config))
        self.bn3d_3 = AffineRelu(network.bn3d_3, dtype=dtype)
        self.conv3d_3 = conv("conv3d_3", relu=True)
        self.conv3d_r1 = conv("conv3d_r1", relu=True)
        self.conv3d_r2 = conv("conv3d_r2")
        self.conv3d_r4 = conv("conv3d_r4", relu=True)
        self.conv3d_r3 = conv("conv3d_r3")

    def forward(self, frames: Tensor) -> Tensor:
        return forward_window(self, frames, RADIUS)

    def frame_features(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, F, H, W) of `dtype`; see `TGA.frame_features`.

        Video reaches a little beyond [0, 1]; the network was not trained on that, so it is
        clamped here. The base, which can take it, is not.
        """
        x = frames.float().clamp(0, 1).contiguous(memory_format=torch.channels_last)
        maps = []
        for dilation in GROUP_DISTANCES if self.config.dilated else (1,):
            y = self.conv3d_2_1(self.conv3d_2(self.conv3d_1(x, dilation), dilation), dilation)
            maps.append(F.conv2d(y, self.conv3d_2_2.weight, padding=dilation, dilation=dilation))
        return (maps[0] if len(maps) == 1 else torch.cat(maps, 1)).to(self.dtype)

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        """7 x (B, F, H, W) and the centre frames (B, 3, H, W) -> (B, 3, 4H, 4W) float32."""
        x = self._reconstruct(self._fuse_groups(features))
        return bicubic_base(center).add_(by_strips(self._enlarge, x, reach=2))

    def _fuse_groups(self, features: Sequence[Tensor]) -> Tensor:
        """7 x (B, F, H, W) -> (B, c, H, W): the groups' dense features and their fusion."""
        growth = self.config.growth
        groups = group_features(features, self.config, self.conv3d_2_2.bias)
        units = len(self.intra)
        dense = _dense(groups, grows=(units + 2) * growth)
        for index, unit in enumerate(self.intra):
            grown = unit(dense.used)
            if index == units - 1:
                grown, logit = grown.split((growth, 1), 1)
                grown = grown * softmax_over_groups(logit)
            dense.append(grown)
        for mix, grow in (self.head_mix, self.head_grow), (self.head_mix_2, self.head_grow_2):
            dense.append(_grown(mix, across_groups, grow, dense.used))

        grown = _grown(self.last_mix, merge_groups, self.last_grow, dense.used)
        merged = _dense([dense.used.chunk(3)[1]], grows=2 * growth)
        merged.append(grown)
        merged.append(self.last(merged.used))
        return merged.used

    def _reconstruct(self, x: Tensor) -> Tensor:
        """(B, c, H, W) -> (B, c', H, W): the dense blocks after the fusion."""
        x = by_strips(lambda strip: self.compress(self.bn3d_2_2(strip)), x, reach=1)
        dense = _dense([x], grows=len(self.inter) * self.config.growth)
        for unit in self.inter:
            dense.append(unit(dense.used))
        return dense.used

    def _enlarge(self, x: Tensor) -> Tensor:
        """(B, c', H, W) -> (B, 3, 4H, 4W): the residual."""
        x = self.conv3d_r2(self.conv3d_r1(self.conv3d_3(self.bn3d_3(x))))
        x = self.conv3d_r4(F.pixel_shuffle(x, 2).relu_())
        return F.pixel_shuffle(self.conv3d_r3(x), 2)


def _grown(
    mix: ClampedConv,
    convolve: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    grow: TimeSlices,
    x: Tensor,
) -> Tensor:
    """(G*B, c, H, W) -> (N, g, H, W): a dense unit whose convolution runs across the groups."""
    return by_strips(lambda strip: convolve(mix(strip), grow.weight, grow.bias), x, reach=1)


def _dense(first: Sequence[Tensor], grows: int) -> _DenseBuffer | _DenseList:
    """Dense features that start with `first`, stacked along the batch, and get `grows` more."""
    return _DenseList(first) if torch.onnx.is_in_onnx_export() else _DenseBuffer(first, grows)


class _DenseList:
    """Dense features joined where they are used: nothing is written in place in a graph."""

    def __init__(self, first: Sequence[Tensor]) -> None:
        self.used = torch.cat(tuple(first))

    def append(self, grown: Tensor) -> None:
        self.used = torch.cat((self.used, grown), 1)


class _DenseBuffer:
    """Dense features in one channels-last tensor, filled from channel 0 upwards."""

    def __init__(self, first: Sequence[Tensor], grows: int) -> None:
        """Starts with `first`, stacked along the batch, and room for `grows` more channels."""
        batch, channels, height, width = first[0].shape
        size = (len(first) * batch, channels + grows, height, width)
        self._all = torch.empty(
            size,
            dtype=first[0].dtype,
            device=first[0].device,
            memory_format=torch.channels_last,
        )
        for index, part in enumerate(first):
            self._all[index * batch : (index + 1) * batch, :channels] = part
        self._filled = channels

    @property
    def used(self) -> Tensor:
        """(N, c, H, W) view of what was written so far."""
        return self._all[:, : self._filled]

    def append(self, grown: Tensor) -> None:
        """Write (N, g, H, W) behind the channels in use."""
        end = self._filled + grown.shape[1]
        self._all[:, self._filled : end] = grown
        self._filled = end

"""TGA: video super-resolution with temporal group attention.

Isobe et al., "Video Super-Resolution with Temporal Group Attention", CVPR 2020. Module names
are those of the authors' network, whose 3-D convolutions with a temporal kernel of 1 are 2-D
ones here. Shapes: B windows, N frames, G = 3 temporal groups; tensors of all groups are stacked
group-major along the batch, (G*B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.spec import Spec, Window, forward_window
from vsrcli.ops.resize import resize

RADIUS = 3
GROUP_DISTANCES = (3, 1, 2)
"""Frames t-d, t, t+d form a group. The nearest group is in the middle on purpose: its slice is
the one that the last fusion keeps."""
SCALE = 4


@dataclass(frozen=True)
class TGAConfig:
    """Sizes of a TGA; the defaults are the published network."""

    features: int = 64
    """Channels of the per-frame stem and of the compressed fusion."""
    growth: int = 16
    """Channels that a dense unit adds."""
    intra_blocks: int = 6
    """Dense blocks inside the groups; the last one holds the attention."""
    inter_blocks: int = 7
    """Dense blocks after the fusion of the groups."""
    up_features: int = 256
    """Channels at the upsampler's entrance; a multiple of 2."""
    dilated: bool = False
    """Variant D: the stem's convolutions dilated by the group's distance, without biases."""

    @property
    def block_growth(self) -> int:
        return 3 * self.growth


PUBLISHED = TGAConfig()
PUBLISHED_DILATED = TGAConfig(dilated=True)
LITE = TGAConfig(features=32, intra_blocks=2, inter_blocks=3, up_features=64)
"""About a tenth of the published network's arithmetic, for CPUs."""


def spec_of(config: TGAConfig) -> Spec:
    """What a TGA of this configuration needs around it."""
    units = 3 * (config.intra_blocks + config.inter_blocks)
    stem = 4 * (max(GROUP_DISTANCES) if config.dilated else 1)
    # One pixel for each 3x3 convolution: stem, dense units, 2 + 2 in the fusions, `compress`,
    # `conv3d_3` and `conv3d_r2`.
    reach = stem + units + 7
    dense = config.features + config.growth * (3 * config.intra_blocks + 2)
    return Spec(
        network="tga",
        task="upscale",
        scales=(SCALE,),
        strategy=Window(radius=RADIUS),
        multiple=1,
        reach=reach,
        halo=min(reach, 20),
        # The three groups' dense buffer and two temporaries as wide as it; seven frames' maps.
        activations=3 * 3 * dense + 7 * 3 * config.features,
        paper="Isobe et al., Video Super-Resolution with Temporal Group Attention, CVPR 2020",
    )


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class DenseUnitParts(NamedTuple):
    """BN -> ReLU -> 1x1 convolution -> BN -> ReLU -> 3x3 convolution to the new channels."""

    norm_in: nn.BatchNorm2d
    conv_in: nn.Conv2d
    norm_out: nn.BatchNorm2d
    conv_out: nn.Conv2d


class DenseBlock(nn.Module):
    """Three dense units in a row, c -> c + 3 * growth channels; `extra` more outputs in the last
    convolution are returned apart from the features (the attention logit)."""

    def __init__(self, channels: int, growth: int, extra: int = 0) -> None:
        super().__init__()
        self.growth = growth
        for unit in range(3):
            width = channels + unit * growth
            out = growth + (extra if unit == 2 else 0)
            self.add_module(f"bn3d_{2 * unit + 1}", _batch_norm(width))
            self.add_module(f"conv3d_{2 * unit + 1}", nn.Conv2d(width, width, 1))
            self.add_module(f"bn3d_{2 * unit + 2}", _batch_norm(width))
            self.add_module(f"conv3d_{2 * unit + 2}", nn.Conv2d(width, out, 3, padding=1))

    def unit(self, index: int) -> DenseUnitParts:
        """The layers of unit 0, 1 or 2."""
        first, second = 2 * index + 1, 2 * index + 2
        return DenseUnitParts(
            cast(nn.BatchNorm2d, self.get_submodule(f"bn3d_{first}")),
            cast(nn.Conv2d, self.get_submodule(f"conv3d_{first}")),
            cast(nn.BatchNorm2d, self.get_submodule(f"bn3d_{second}")),
            cast(nn.Conv2d, self.get_submodule(f"conv3d_{second}")),
        )

    def grow(self, x: Tensor, index: int) -> Tensor:
        """(N, c, H, W) -> the channels that unit `index` adds."""
        unit = self.unit(index)
        y = F.relu(unit.norm_out(unit.conv_in(F.relu(unit.norm_in(x)))))
        grown: Tensor = unit.conv_out(y)
        return grown

    def forward(self, x: Tensor) -> Tensor:
        for unit in range(3):
            x = torch.cat((x, self.grow(x, unit)), 1)
        return x


class AttentionBlock(DenseBlock):
    """The last dense block inside the groups: a softmax over the groups weighs its new channels."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__(channels, growth, extra=1)

    def forward(self, x: Tensor) -> Tensor:
        for unit in range(2):
            x = torch.cat((x, self.grow(x, unit)), 1)
        grown, logit = self.grow(x, 2).split((self.growth, 1), 1)
        return torch.cat((x, grown * softmax_over_groups(logit).to(grown.dtype)), 1)


def softmax_over_groups(logit: Tensor) -> Tensor:
    """(G*B, 1, H, W) -> the same shape, the G values of a pixel summing to 1."""
    groups = logit.reshape(len(GROUP_DISTANCES), -1, *logit.shape[1:])
    return groups.softmax(0).flatten(0, 1)


class FusionHead(nn.Module):
    """Two dense units whose 3x3x3 convolutions run across the groups. Its first unit has no batch
    norm, as in the authors' network."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        wider = channels + growth
        self.conv3d_1 = nn.Conv2d(channels, channels, 1)
        self.bn3d_2 = _batch_norm(channels)
        self.conv3d_2 = nn.Conv3d(channels, growth, 3, padding=1)
        self.bn3d_3 = _batch_norm(wider)
        self.conv3d_3 = nn.Conv2d(wider, wider, 1)
        self.bn3d_4 = _batch_norm(wider)
        self.conv3d_4 = nn.Conv3d(wider, growth, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn3d_2(self.conv3d_1(F.relu(x))))
        x = torch.cat((x, _across(self.conv3d_2, y)), 1)
        y = F.relu(self.bn3d_4(self.conv3d_3(F.relu(self.bn3d_3(x)))))
        return torch.cat((x, _across(self.conv3d_4, y)), 1)


class FusionLast(nn.Module):
    """Two dense units that end the group axis: (G*B, c, H, W) -> (B, c + 2 * growth, H, W)."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        wider = channels + growth
        self.bn3d_1 = _batch_norm(channels)
        self.conv3d_1 = nn.Conv2d(channels, channels, 1)
        self.bn3d_2 = _batch_norm(channels)
        self.conv3d_2 = nn.Conv3d(channels, growth, 3, padding=(0, 1, 1))
        self.bn3d_3 = _batch_norm(wider)
        self.conv3d_3 = nn.Conv2d(wider, wider, 1)
        self.bn3d_4 = _batch_norm(wider)
        self.conv3d_4 = nn.Conv2d(wider, growth, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn3d_2(self.conv3d_1(F.relu(self.bn3d_1(x)))))
        grown = merge_groups(y, time_slices(self.conv3d_2.weight), self.conv3d_2.bias)
        x = torch.cat((x.chunk(3)[1], grown), 1)
        y = F.relu(self.bn3d_4(self.conv3d_3(F.relu(self.bn3d_3(x)))))
        return torch.cat((x, self.conv3d_4(y)), 1)


def _across(conv: nn.Conv3d, x: Tensor) -> Tensor:
    return across_groups(x, time_slices(conv.weight), conv.bias)


def time_slices(weight: Tensor) -> Tensor:
    """A 3-D kernel (O, C, 3, 3, 3) as three 2-D ones (3*O, C, 3, 3), past to future."""
    return weight.transpose(1, 2).transpose(0, 1).flatten(0, 1)


def across_groups(x: Tensor, slices: Tensor, bias: Tensor | None) -> Tensor:
    """A 3x3x3 convolution over (group, y, x) with padding 1, as one 2-D convolution.

    x (3B, C, H, W), slices (3*O, C, 3, 3) from `time_slices` -> (3B, O, H, W). The 2-D
    convolution applies all slices to every group; slice k of group g belongs to output g - k + 1.
    """
    before, center, after = F.conv2d(x, slices, padding=1).chunk(3, 1)
    b0, b1, _ = before.chunk(3)
    c0, c1, c2 = center.chunk(3)
    _, a1, a2 = after.chunk(3)
    out = torch.cat((c0 + a1, b0 + c1 + a2, b1 + c2))
    return out if bias is None else out + bias.to(out.dtype)[:, None, None]


def merge_groups(x: Tensor, slices: Tensor, bias: Tensor | None) -> Tensor:
    """A 3x3x3 convolution over (group, y, x) without padding of the group axis.

    x (3B, C, H, W), slices (3*O, C, 3, 3) from `time_slices` -> (B, O, H, W).
    """
    (x0, x1, x2), (w0, w1, w2) = x.chunk(3), slices.chunk(3)
    edges = F.conv2d(x0, w0, padding=1) + F.conv2d(x2, w2, padding=1)
    return F.conv2d(x1, w1, bias, padding=1) + edges


class TGA(nn.Module):
    """(B, 7, 3, H, W) RGB in [0, 1] -> (B, 1, 3, 4H, 4W), the centre frame, not clamped."""

    def __init__(self, config: TGAConfig = PUBLISHED) -> None:
        super().__init__()
        self.config = config
        self.spec = spec_of(config)
        width, growth, step = config.features, config.growth, config.block_growth
        stem_bias = not config.dilated
        self.conv3d_1 = nn.Conv2d(3, width, 3, padding=1, bias=stem_bias)
        self.bn3d_1 = _batch_norm(width)
        self.conv3d_2 = nn.Conv2d(width, width, 3, padding=1, bias=stem_bias)
        self.bn3d_2 = _batch_norm(width)
        self.conv3d_2_1 = nn.Conv2d(width, width, 3, padding=1, bias=stem_bias)
        self.bn3d_2_1 = _batch_norm(width)
        self.conv3d_2_2 = nn.Conv3d(width, width, 3, padding=(0, 1, 1), bias=stem_bias)

        channels = width
        for name in intra_names(config)[:-1]:
            self.add_module(name, DenseBlock(channels, growth))
            channels += step
        self.last = AttentionBlock(channels, growth)
        channels += step
        self.fusion_head = FusionHead(channels, growth)
        channels += 2 * growth
        self.Fusion_last = FusionLast(channels, growth)
        channels += 2 * growth
        self.bn3d_2_2 = _batch_norm(channels)
        self.compress = nn.Conv2d(channels, width, 3, padding=1)

        channels = width
        for name in inter_names(config):
            self.add_module(name, DenseBlock(channels, growth))
            channels += step
        up = config.up_features
        self.bn3d_3 = _batch_norm(channels)
        self.conv3d_3 = nn.Conv2d(channels, up, 3, padding=1)
        self.conv3d_r1 = nn.Conv2d(up, up, 1)
        self.conv3d_r2 = nn.Conv2d(up, 2 * up, 3, padding=1)
        self.conv3d_r4 = nn.Conv2d(up // 2, up // 2, 1)
        self.conv3d_r3 = nn.Conv2d(up // 2, 3 * SCALE, 1)

    def forward(self, frames: Tensor) -> Tensor:
        return forward_window(self, frames, RADIUS)

    def frame_features(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, F, H, W): the slices of the stem's strided 3-D convolution, F =
        features times (past, reference, future), once a dilation."""
        x = frames.contiguous(memory_format=torch.channels_last)
        dilations = GROUP_DISTANCES if self.config.dilated else (1,)
        slices = time_slices(self.conv3d_2_2.weight)
        maps = []
        for dilation in dilations:
            y = F.relu(self.bn3d_1(_dilated(self.conv3d_1, x, dilation)))
            y = F.relu(self.bn3d_2(_dilated(self.conv3d_2, y, dilation)))
            y = F.relu(self.bn3d_2_1(_dilated(self.conv3d_2_1, y, dilation)))
            maps.append(F.conv2d(y, slices, padding=dilation, dilation=dilation))
        return torch.cat(maps, 1)

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        """7 x (B, F, H, W) and the centre frames (B, 3, H, W) -> (B, 3, 4H, 4W)."""
        x = torch.cat(group_features(features, self.config, self.conv3d_2_2.bias))
        for name in intra_names(self.config):
            x = self.get_submodule(name)(x)
        x = self.Fusion_last(self.fusion_head(x))
        x = self.compress(F.relu(self.bn3d_2_2(x)))
        for name in inter_names(self.config):
            x = self.get_submodule(name)(x)
        x = F.relu(self.conv3d_3(F.relu(self.bn3d_3(x))))
        x = F.relu(self.conv3d_r1(x))
        x = F.relu(F.pixel_shuffle(self.conv3d_r2(x), 2))
        x = F.relu(self.conv3d_r4(x))
        residual = F.pixel_shuffle(self.conv3d_r3(x), 2)
        return bicubic_base(center) + residual.float()


def initialize(network: TGA, generator: torch.Generator) -> None:
    """Kaiming-normal convolutions without biases; the last one zero, so that the untrained
    network is bicubic."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.zeros_(network.conv3d_r3.weight)


def _dilated(conv: nn.Conv2d, x: Tensor, dilation: int) -> Tensor:
    return F.conv2d(x, conv.weight, conv.bias, padding=dilation, dilation=dilation)


def intra_names(config: TGAConfig) -> list[str]:
    """The dense blocks inside the groups, first to last."""
    return ["head", *(f"middle_{i}" for i in range(1, config.intra_blocks - 1)), "last"]


def inter_names(config: TGAConfig) -> list[str]:
    """The dense blocks after the fusion; the authors' numbering starts at 6."""
    return [f"middle_{6 + i}" for i in range(config.inter_blocks)]


def group_features(
    features: Sequence[Tensor], config: TGAConfig, bias: Tensor | None
) -> list[Tensor]:
    """Seven frames' maps (B, F, H, W) summed into the three groups, each (B, features, H, W).

    A group is the past slice of frame t-d, the reference slice of t, the future slice of t+d.
    """
    width = config.features
    groups = []
    for index, distance in enumerate(GROUP_DISTANCES):
        offset = 3 * width * index if config.dilated else 0
        past = features[RADIUS - distance][:, offset : offset + width]
        reference = features[RADIUS][:, offset + width : offset + 2 * width]
        future = features[RADIUS + distance][:, offset + 2 * width : offset + 3 * width]
        group = past + reference + future
        groups.append(group if bias is None else group + bias.to(group.dtype)[:, None, None])
    return groups


def bicubic_base(center: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 3, 4H, 4W) float32: the picture the network corrects."""
    height, width = center.shape[-2:]
    return resize(center.float(), (SCALE * height, SCALE * width))

"""A large network that starts as a trained small one.

Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016: the small
network's channels are placed among the large one's, and what is new has no influence on them
yet. The large network then computes the same function and goes on learning from there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vsrcli.errors import UsageError
from vsrcli.networks.tga import TGA, inter_names, intra_names


@torch.no_grad()
def widen(small: TGA, large: TGA) -> None:
    """Make `large`, already initialized, compute what `small` does.

    Its new channels keep their own kernels; nothing listens to them yet. Raises UsageError unless
    `large` is as large everywhere, with the same growth.
    """
    _check(small, large)
    for name, source in small.named_modules():
        target = large.get_submodule(name)
        if isinstance(source, (nn.Conv2d, nn.Conv3d)):
            assert isinstance(target, (nn.Conv2d, nn.Conv3d))
            _place_kernel(source, target, _input_places(name, source.in_channels, small, large))
        elif isinstance(source, nn.BatchNorm2d):
            assert isinstance(target, nn.BatchNorm2d)
            places = _input_places(name, source.num_features, small, large)
            for key, value in source.state_dict().items():
                if value.dim():
                    target.state_dict()[key][places] = value


def _place_kernel(
    source: nn.Conv2d | nn.Conv3d, target: nn.Conv2d | nn.Conv3d, inputs: Tensor
) -> None:
    # The 1x1 convolutions inside dense units keep the channels of their input; all others end in
    # channels of their own.
    keeps = source.in_channels == source.out_channels
    outputs = inputs if keeps else torch.arange(source.out_channels)
    rows = torch.zeros_like(target.weight[outputs])
    rows[:, inputs] = source.weight
    target.weight[outputs] = rows
    if source.bias is not None and target.bias is not None:
        target.bias[outputs] = source.bias


def _input_places(name: str, count: int, small: TGA, large: TGA) -> Tensor:
    """Where the large network has the `count` channels that module `name` of the small one reads.

    Dense features are one growing concatenation, of which every module reads a prefix.
    """
    block = name.split(".")[0]
    intra, inter = intra_names(small.config), inter_names(small.config)
    if block in (*intra, "fusion_head", "Fusion_last", "bn3d_2_2", "compress"):
        places = _concatenation(small, large, intra, intra_names(large.config))
    elif block in (*inter, "bn3d_3", "conv3d_3"):
        places = _concatenation(small, large, inter, inter_names(large.config))
    else:
        return torch.arange(count)
    return places[:count]


def _concatenation(small: TGA, large: TGA, blocks: list[str], large_blocks: list[str]) -> Tensor:
    """The small network's features, then each block's new channels, as places in the large one;
    last the channels of the fusions, which exist only after the blocks inside the groups."""
    step = small.config.block_growth
    parts = [torch.arange(small.config.features)]
    for name in blocks:
        parts.append(large.config.features + step * large_blocks.index(name) + torch.arange(step))
    end = large.config.features + step * len(large_blocks)
    parts.append(end + torch.arange(4 * small.config.growth))
    return torch.cat(parts)


def _check(small: TGA, large: TGA) -> None:
    few, many = small.config, large.config
    fits = (
        (few.growth, few.dilated) == (many.growth, many.dilated)
        and few.features <= many.features
        and few.intra_blocks <= many.intra_blocks
        and few.inter_blocks <= many.inter_blocks
        and few.up_features <= many.up_features
    )
    if not fits:
        raise UsageError(f"A network of {few} cannot be widened into one of {many}")

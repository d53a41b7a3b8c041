"""A large network that starts as a trained small one.

Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016: the small
network's channels are placed among the large one's, and what is new has no influence on them
yet. The large network then computes the same function and goes on learning from there.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from vsrcli.errors import UsageError
from vsrcli.networks.architectures import Network
from vsrcli.networks.stdan import STDAN
from vsrcli.networks.stfan import STFAN
from vsrcli.networks.swin import ResidualGroup, SwinBlock
from vsrcli.networks.tga import TGA, inter_names, intra_names

_JOINED = ("fac_deblur.0.0", "fea.0", "upconv2_u.0")
"""STFAN's layers that read two maps of the coarsest level, one behind the other."""


@torch.no_grad()
def widen(small: Network, large: Network) -> bool:
    """Make `large`, already initialized, compute what `small` does; False if nothing of it was
    changed, since these are not two TGAs, two STFANs or two STDANs of different sizes.

    New channels keep their own kernels; nothing listens to them yet. New blocks of a STDAN pass on
    what they read. Raises UsageError unless `large` is as large everywhere, with the same growth,
    the same size of filters, or as many channels.
    """
    if small.config == large.config:
        return False
    if isinstance(small, TGA) and isinstance(large, TGA):
        _widen_tga(small, large)
    elif isinstance(small, STFAN) and isinstance(large, STFAN):
        _widen_stfan(small, large)
    elif isinstance(small, STDAN) and isinstance(large, STDAN):
        _deepen_stdan(small, large)
    else:
        return False
    return True


def _deepen_stdan(small: STDAN, large: STDAN) -> None:
    few, many = small.config, large.config
    depths = ("encoder_groups", "decoder_groups", "blocks")
    if replace(many, **{depth: getattr(few, depth) for depth in depths}) != few or any(
        getattr(few, depth) > getattr(many, depth) for depth in depths
    ):
        raise _misfit(small, large)
    for module in large.modules():
        if isinstance(module, ResidualGroup):
            _silence(module.conv)
        elif isinstance(module, SwinBlock):
            _silence(module.attn.proj)
            _silence(module.mlp.fc2)
    large.load_state_dict(small.state_dict(), strict=False)


def _silence(layer: nn.Conv2d | nn.Linear) -> None:
    for parameter in layer.parameters():
        parameter.zero_()


def _widen_stfan(small: STFAN, large: STFAN) -> None:
    pairs = zip(small.config.channels, large.config.channels, strict=True)
    same_filters = small.config.fac_kernel == large.config.fac_kernel
    if not same_filters or any(few > many for few, many in pairs):
        raise _misfit(small, large)
    for name, source in small.named_modules():
        if not isinstance(source, (nn.Conv2d, nn.ConvTranspose2d)):
            continue
        target = large.get_submodule(name)
        assert isinstance(target, (nn.Conv2d, nn.ConvTranspose2d))
        count, parts = source.in_channels, 2 if name in _JOINED else 1
        first = torch.arange(count // parts)
        inputs = torch.cat([part * (target.in_channels // parts) + first for part in range(parts)])
        outputs = torch.arange(source.out_channels)
        ours, theirs = target.weight, source.weight
        if isinstance(target, nn.ConvTranspose2d):  # inputs before outputs
            ours, theirs = ours.transpose(0, 1), theirs.transpose(0, 1)
        ours[outputs] = 0
        ours[outputs[:, None], inputs] = theirs
        assert target.bias is not None and source.bias is not None
        target.bias[outputs] = source.bias


def _widen_tga(small: TGA, large: TGA) -> None:
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
        raise _misfit(small, large)


def _misfit(small: Network, large: Network) -> UsageError:
    return UsageError(f"A network of {small.config} cannot be widened into one of {large.config}")

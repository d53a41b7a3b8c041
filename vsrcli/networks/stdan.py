"""STDAN: space-time video super-resolution with a deformable attention network.

Wang et al., "STDAN: Deformable Attention Network for Space-Time Video Super-Resolution", IEEE
TNNLS 2023. N frames become 2N-1 of four times the height and width: those, and the moments
between. Module names are the authors'; what does not change the result is done once: offsets,
position indices, shift masks, values at the chosen points only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vsrcli.networks.spec import Groups, Maps, Spec
from vsrcli.networks.stdan_alignment import InterpolationCell, PyramidLayers, conv3, leaky
from vsrcli.networks.stdan_attention import FeatureAggregation
from vsrcli.networks.swin import SwinBranch

GROUP = 4
"""Frames in a group, as in the authors' training."""
SCALE = 4
_REACH = 80
"""Input pixels beyond which nothing changed a picture by 1e-4, measured with random parameters
whose offsets are up to 17 pixels. There is no strict bound: offsets have none, and windows lie
behind windows."""
_HALO = 32
"""The same for 0.5/255, with trained parameters, whose offsets are short."""
LAST_SLOPE = 0.01
"""Of the one leaky ReLU in the reconstruction; 0.1 elsewhere."""


@dataclass(frozen=True)
class STDANConfig:
    """Sizes of a STDAN; the defaults are the published network."""

    features: int = 64
    """Channels of the maps between the parts."""
    embedding: int = 72
    """Channels inside the Swin branches and the attention; a multiple of heads and groups."""
    window: int = 8
    """Side of an attention window, in input pixels; a multiple of 4."""
    heads: int = 6
    """Of the attention in a window."""
    groups: int = 8
    """Channel groups that are sampled at places of their own; divides `features` too."""
    encoder_groups: int = 2
    """Residual groups of Swin blocks before the interpolation."""
    decoder_groups: int = 6
    """Residual groups of Swin blocks in the reconstruction."""
    blocks: int = 6
    """Swin blocks in a residual group."""


PUBLISHED = STDANConfig()
LITE = STDANConfig(encoder_groups=1, decoder_groups=3, blocks=2)
"""A sixth of the published network's Swin blocks, four fifths of its arithmetic: to be trained on a
CPU, where it takes a quarter of the time for single frames."""


def spec_of(config: STDANConfig) -> Spec:
    """What a STDAN of this configuration needs around it."""
    return Spec(
        network="stdan",
        task="space-time",
        scales=(SCALE,),
        strategy=Groups(GROUP),
        multiple=config.window,
        reach=_REACH,
        halo=_HALO,
        # What seven maps offer to the others' queries, what one gathers from six, and the parts
        # of four frames; measured.
        activations=round(6000 * (config.features + config.embedding) / 136),
        paper="Wang et al., STDAN: Deformable Attention Network for Space-Time Video "
        "Super-Resolution, IEEE TNNLS 2023",
    )


class STDAN(PyramidLayers):
    """(B, N, 3, H, W) RGB in [0, 1], N >= 2, H and W multiples of the window -> (B, 2N-1, 3, 4H,
    4W), not clamped; output 2i is frame i, 2i+1 the moment half-way to the next."""

    def __init__(self, config: STDANConfig = PUBLISHED) -> None:
        width = config.features
        super().__init__(width)
        self.config = config
        self.spec = spec_of(config)

        def branch(groups: int) -> SwinBranch:
            sizes = (config.embedding, config.heads, config.window, groups, config.blocks)
            return SwinBranch(width, *sizes)

        self.conv_first = conv3(3, width)
        self.feature_extraction = branch(config.encoder_groups)
        self.pcd_align_modified = InterpolationCell(width, config.groups)
        self.fusion_f_b = nn.Conv2d(2 * width, width, 1)
        self.stdfa = FeatureAggregation(width, config.embedding, config.groups)
        self.feature_recon = branch(config.decoder_groups)
        self.conv_before_upsample = nn.Sequential(conv3(width, width), nn.LeakyReLU(LAST_SLOPE))
        self.upsample = nn.Sequential(
            conv3(width, 4 * width), nn.PixelShuffle(2), conv3(width, 4 * width), nn.PixelShuffle(2)
        )
        self.conv_last = conv3(width, 3)

    def forward(self, frames: Tensor, wanted: Sequence[int] | None = None) -> Tensor:
        """All outputs, or those at the positions `wanted`."""
        batch, length = frames.shape[:2]
        maps = self.frame_features(frames.flatten(0, 1))
        by_time = [x.unflatten(0, (batch, length)).unbind(1) for x in maps]
        features = list(zip(*by_time, strict=True))
        pairs = self._pairs(features)
        every = range(2 * length - 1)
        return torch.stack(self._outputs(features, pairs, every if wanted is None else wanted), 1)

    def features_between(self, features: Sequence[Maps]) -> list[Tensor]:
        """The `frame_features` of N frames -> the finest maps (B, C, H, W) of the N-1 moments
        between them."""
        return self._between(self._pairs(features))

    def _pairs(self, features: Sequence[Maps]) -> list[Maps]:
        return [self.pair_features(*two) for two in zip(features[:-1], features[1:], strict=True)]

    def frame_features(self, frames: Tensor) -> Maps:
        """(N, 3, H, W) -> the pyramid of each frame: (N, C, H, W), (N, C, H/2, W/2), (N, C, H/4,
        W/4)."""
        x = frames.contiguous(memory_format=torch.channels_last)
        return self.pyramid(self.feature_extraction(leaky(self.conv_first(x))))

    def pair_features(self, first: Maps, second: Maps) -> Maps:
        """Neighbouring frames' pyramids -> what the recurrent cell makes of them before its state
        comes in, running forward and backward: two maps (N, C, H, W)."""
        ahead = tuple(torch.cat(level) for level in zip(first, second, strict=True))
        back = tuple(torch.cat(level) for level in zip(second, first, strict=True))
        return self.pcd_align_modified.pair(ahead, back).chunk(2)

    def from_features(
        self, features: Sequence[Maps], pairs: Sequence[Maps], wanted: Sequence[int]
    ) -> Tensor:
        """T frames' features and T-1 pairs', of one clip -> (len(wanted), 3, 4H, 4W): the outputs
        at the positions `wanted`."""
        return torch.cat(self._outputs(features, pairs, wanted))

    def _outputs(
        self, features: Sequence[Maps], pairs: Sequence[Maps], wanted: Sequence[int]
    ) -> list[Tensor]:
        """The outputs at the positions `wanted`, (B, 3, 4H, 4W) each."""
        between = self._between(pairs)
        maps = [features[0][0]]
        for made, (finest, *_) in zip(between, features[1:], strict=True):
            maps += [made, finest]
        # One by one: the reconstruction's maps are the largest of all.
        return [self.upsampled(self.feature_recon(x)) for x in self.stdfa(maps, wanted)]

    def _between(self, pairs: Sequence[Maps]) -> list[Tensor]:
        """What `pair_features` gave for each pair -> the features between, (B, C, H, W) each."""
        cell = self.pcd_align_modified
        found = []
        hidden = None
        # Both directions at once, one behind the other in the batch.
        for (ahead, _), (_, back) in zip(pairs, reversed(pairs), strict=True):
            made = cell.between(torch.cat((ahead, back)), hidden)
            found.append(made.chunk(2))
            if len(found) < len(pairs):
                hidden = cell.next_hidden(made)
        both = zip(found, reversed(found), strict=True)
        return [self.fusion_f_b(torch.cat((ahead, back), 1)) for (ahead, _), (_, back) in both]

    def upsampled(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 3, 4H, 4W)"""
        made: Tensor = self.conv_last(self.upsample(self.conv_before_upsample(x)))
        return made

"""STDAN for inference: the network of `STDAN`, frozen, in fewer bits and with a shorter end.

Nothing in the reconstruction bends after its one leaky ReLU: three convolutions and two pixel
shuffles are one 5x5 convolution to the 48 values of a 4x4 block. It costs a tenth, needs no maps
at the output's size, and is done in float32. Only two pixels along the edges, where each of the
three convolutions saw a border of zeros of its own, are made in the three steps.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.layout import channels_last
from vsrcli.networks.spec import Maps
from vsrcli.networks.stdan import SCALE, STDAN
from vsrcli.networks.stdan_alignment import DeformConv

_EDGE = 2
"""Input pixels on each side that an output block depends on through the end's convolutions."""


class STDANInference(STDAN):
    """(B, N, 3, H, W) RGB in [0, 1] -> (B, 2N-1, 3, 4H, 4W) float32, not clamped.

    Convolutions and linear layers compute in `dtype`. In float32 remain: the way of the picture
    itself, as there is no base picture for the network to correct (`_carriers`, the first
    convolution, the outer convolutions of the reconstruction, its end); the sums between Swin
    layers, norms and attention scores; sampling positions; queries, keys and relevance, which
    decide what is chosen.
    """

    end_weight: Tensor
    end_bias: Tensor

    def __init__(self, network: STDAN, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(network.config)
        self.load_state_dict(network.state_dict())
        channels_last(self).eval().requires_grad_(False)
        weight, bias = self._end()
        self.register_buffer("end_weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("end_bias", bias)
        carriers = self._carriers()
        for part in (
            self.feature_extraction,
            self.pcd_align_modified,
            self.fusion_f_b,
            self.stdfa.conv_first,
            self.stdfa.deformable_corr,
            self.stdfa.conv_last,
            self.feature_recon.layers,
            *(getattr(self, f"fea_L{level}_conv{index}") for level in (2, 3) for index in (1, 2)),
        ):
            for layer in part.modules():
                if isinstance(layer, (nn.Conv2d, nn.Linear, DeformConv)) and layer not in carriers:
                    for parameter in layer.parameters(recurse=False):
                        parameter.data = parameter.data.to(dtype)
                if isinstance(layer, nn.Conv2d):
                    layer.register_forward_pre_hook(_converted)

    def _carriers(self) -> set[nn.Module]:
        """What the picture itself goes through on its way to the reconstruction. In bf16 these
        layers alone would move pixels of trained weights by 2/255."""
        branch, cell = self.feature_extraction, self.pcd_align_modified
        finest = (f"L1_{kind}_{side}" for kind in ("fea_conv", "dcnpack") for side in (1, 2))
        return {
            *(branch.conv_first, branch.conv_after_body, branch.conv_last),
            *(cell.get_submodule(name) for name in (*finest, "fusion", "fusion_1x1")),
            self.fusion_f_b,
        }

    def frame_features(self, frames: Tensor) -> Maps:
        """See `STDAN.frame_features`; video reaches a little beyond [0, 1], on which the network
        was not trained, so it is clamped."""
        return super().frame_features(frames.float().clamp(0, 1))

    def upsampled(self, x: Tensor) -> Tensor:
        x = self.conv_before_upsample(x.float())
        made = F.pixel_shuffle(F.conv2d(x, self.end_weight, self.end_bias, padding=_EDGE), SCALE)
        # Two pixels along each edge, made from twice as many.
        edge, depth = _EDGE * SCALE, 2 * _EDGE
        ends = self._in_steps(torch.cat((x[..., :depth, :], x[..., -depth:, :]))).chunk(2)
        made = _framed(ends[0][..., :edge, :], made, ends[1][..., -edge:, :], -2)
        ends = self._in_steps(torch.cat((x[..., :depth], x[..., -depth:]))).chunk(2)
        return _framed(ends[0][..., :edge], made, ends[1][..., -edge:], -1)

    def _in_steps(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv_last(self.upsample(x))
        return made

    def _end(self) -> tuple[Tensor, Tensor]:
        """Weight (48, C, 5, 5) and bias (48,) of the end as one convolution.

        The response to a single one in each channel is the weight, mirrored; the response to
        nothing, away from the edges, is the bias.
        """
        end = nn.Sequential(copy.deepcopy(self.upsample), copy.deepcopy(self.conv_last)).double()
        channels = self.config.features
        ones = torch.eye(channels, dtype=torch.float64)[..., None, None]
        ones = F.pad(ones, (_EDGE, _EDGE, _EDGE, _EDGE))
        nothing = F.pixel_unshuffle(end(torch.zeros_like(ones[:1])), SCALE)
        response = F.pixel_unshuffle(end(ones), SCALE) - nothing
        weight = response.flip(2, 3).transpose(0, 1)
        return weight.float(), nothing[0, :, _EDGE, _EDGE].float()


def _converted(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The input of a layer in the type of its parameters."""
    assert isinstance(layer.weight, Tensor)
    return (given[0].to(layer.weight.dtype),)


def _framed(first: Tensor, middle: Tensor, last: Tensor, axis: int) -> Tensor:
    """`middle` with its ends along the axis replaced."""
    ends = first.shape[axis]
    inner = middle.narrow(axis, ends, middle.shape[axis] - 2 * ends)
    return torch.cat((first, inner, last), axis)

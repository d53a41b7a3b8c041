"""FSTRN written plainly: 5-D tensors and nn.Conv3d, fed five frames for each one."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from plain.comparison import Comparison
from torch import Tensor, nn

from vsrcli.networks.fstrn import FSTRN, LEAK, UP_FEATURES, enlarge_luma
from vsrcli.networks.fstrn_inference import FSTRNInference
from vsrcli.ops.resize import resize
from vsrcli.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb

WINDOW = 5
"""Frames that the published network is given at once; the middle one of what comes out is kept."""


class PlainFSTRN(nn.Module):
    """(B, T, 3, H, W) RGB -> (B, T, 3, s*H, s*W), with the parameters of `network`."""

    def __init__(self, network: FSTRN) -> None:
        super().__init__()
        self.config = config = network.config
        width, shuffled = config.channels, config.shuffled
        self.LFENet = nn.Conv3d(1, width, 3, padding=1)
        for block in range(config.blocks):
            self.add_module(f"prelu_D{block}", nn.PReLU(width))
            spatial = nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1))
            self.add_module(f"frb_k133{block}", spatial)
            temporal = nn.Conv3d(width, width, (3, 1, 1), padding=(1, 0, 0))
            self.add_module(f"frb_k311{block}", temporal)
        self.prelu_feature = nn.PReLU(width)
        self.upconv_feature = nn.Conv3d(width, shuffled, 3, padding=1)
        if config.reference:
            self.up_feature = nn.ConvTranspose3d(
                shuffled, UP_FEATURES, 3, (1, 4, 4), padding=(1, 0, 0), output_padding=(0, 1, 1)
            )
        self.sr_feature = nn.Conv3d(UP_FEATURES, 1, 3, padding=1)
        self.load_state_dict(network.state_dict())

    def forward(self, frames: Tensor) -> Tensor:
        scale = self.config.scale
        ycbcr = rgb_to_ycbcr(frames)
        luma, chroma = ycbcr[:, :, :1], ycbcr[:, :, 1:]
        size = (scale * frames.shape[-2], scale * frames.shape[-1])
        luma = enlarge_luma(self.config, luma) + self.residual(luma.transpose(1, 2)).transpose(1, 2)
        return ycbcr_to_rgb(torch.cat((luma, resize(chroma, size)), 2))

    def residual(self, luma: Tensor) -> Tensor:
        """(B, 1, T, H, W) -> (B, 1, T, s*H, s*W)"""
        config = self.config
        first = self.LFENet(luma)
        if config.reference:
            first = F.leaky_relu(first, LEAK)
        x = first
        for block in range(config.blocks):
            y = self.get_submodule(f"prelu_D{block}")(x)
            y = self.get_submodule(f"frb_k133{block}")(y)
            x = x + self.get_submodule(f"frb_k311{block}")(y)
        x = self.upconv_feature(self.prelu_feature(first + x))
        if config.reference:
            return F.leaky_relu(self.sr_feature(self.up_feature(x)), LEAK)
        return self.sr_feature(F.pixel_shuffle(x.transpose(1, 2), config.scale).transpose(1, 2))


def compare(network: FSTRN, dtype: torch.dtype, frames: Tensor) -> Comparison:
    """The network fed as published, all frames of each window computed and one kept, beside a
    stream. `frames` (T, 3, H, W), at least five. The two differ in what they see around a window,
    so it is clips of five frames whose results are compared."""
    window = frames[:WINDOW]
    plain = PlainFSTRN(network).eval()
    return Comparison(
        plain=lambda: plain(window[None])[:, WINDOW // 2],
        ours=_stream(network, dtype, frames),
        plain_frames=1,
        our_frames=len(frames),
        difference=lambda: _difference(plain, network, window),
    )


def _stream(network: FSTRN, dtype: torch.dtype, frames: Tensor) -> Callable[[], Tensor]:
    """Pushes `frames` again and again into a stream that is already full."""
    stream = FSTRNInference(network, dtype).open()
    ready = 0
    while not ready:
        ready = len(stream.push(frames))
    return lambda: stream.push(frames)


def _difference(plain: PlainFSTRN, network: FSTRN, clip: Tensor) -> float:
    ours = FSTRNInference(network)(clip[None])
    return float((ours - plain(clip[None])).abs().max())

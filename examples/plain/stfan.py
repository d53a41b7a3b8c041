"""STFAN as one would write it from the paper, for timing beside vsr's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from plain.comparison import Comparison
from torch import Tensor, nn

from vsrcli.networks.stfan import STFAN
from vsrcli.networks.stfan_inference import STFANInference


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.stem(x)


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2)
    return nn.Sequential(layer, nn.LeakyReLU(0.1))


def up(inputs: int, outputs: int) -> nn.Sequential:
    layer = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    return nn.Sequential(layer, nn.LeakyReLU(0.1))


def fac(x: Tensor, filters: Tensor, size: int) -> Tensor:
    """x (N, C, h, w), filters (N, size*size*C, h, w) -> (N, C, h, w)"""
    batch, channels, height, width = x.shape
    padded = F.pad(x, (size // 2,) * 4, mode="replicate")
    neighbors = F.unfold(padded, size).view(batch, channels, size**2, height, width)
    return (neighbors * filters.view_as(neighbors)).sum(2)


class PlainSTFAN(nn.Module):
    """The published network in fp32 and the default layout, its filters whole tensors."""

    def __init__(self, network: STFAN) -> None:
        super().__init__()
        (a, b, c), self.size = network.config.channels, network.config.fac_kernel
        taps = self.size**2
        self.conv1_1, self.conv1_2, self.conv1_3 = conv(3, a), Residual(a), Residual(a)
        self.conv2_1, self.conv2_2, self.conv2_3 = conv(a, b, stride=2), Residual(b), Residual(b)
        self.conv3_1, self.conv3_2, self.conv3_3 = conv(b, c, stride=2), Residual(c), Residual(c)
        self.kconv1_1, self.kconv1_2, self.kconv1_3 = conv(9, a), Residual(a), Residual(a)
        self.kconv2_1, self.kconv2_2, self.kconv2_3 = conv(a, b, stride=2), Residual(b), Residual(b)
        self.kconv3_1, self.kconv3_2, self.kconv3_3 = conv(b, c, stride=2), Residual(c), Residual(c)
        self.fac_warp = nn.Sequential(
            conv(c, c), Residual(c), Residual(c), conv(c, taps * c, kernel=1)
        )
        self.kconv4 = conv(taps * c, c, kernel=1)
        self.fac_deblur = nn.Sequential(
            conv(2 * c, c), Residual(c), Residual(c), conv(c, taps * c, kernel=1)
        )
        self.fea = conv(2 * c, c)
        self.upconv2_u, self.upconv2_2, self.upconv2_1 = up(2 * c, b), Residual(b), Residual(b)
        self.upconv1_u, self.upconv1_2, self.upconv1_1 = up(b, a), Residual(a), Residual(a)
        self.img_prd = conv(a, 3)
        self.load_state_dict(network.state_dict())

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, 3, H, W) -> the same shape"""
        before = restored = frames[:, 0]
        feature = None
        outputs = []
        for frame in frames.unbind(1):
            output, feature = self.step(frame, before, restored, feature)
            before, restored = frame, output.clamp(0, 1)
            outputs.append(output)
        return torch.stack(outputs, 1)

    def step(
        self, frame: Tensor, before: Tensor, restored: Tensor, feature: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        x = self.kconv1_3(self.kconv1_2(self.kconv1_1(torch.cat((frame, before, restored), 1))))
        x = self.kconv2_3(self.kconv2_2(self.kconv2_1(x)))
        x = self.kconv3_3(self.kconv3_2(self.kconv3_1(x)))
        align = self.fac_warp(x)
        deblur = self.fac_deblur(torch.cat((x, self.kconv4(align)), 1))
        e = self.conv1_3(self.conv1_2(self.conv1_1(frame)))
        e = self.conv2_3(self.conv2_2(self.conv2_1(e)))
        e = self.conv3_3(self.conv3_2(self.conv3_1(e)))
        history = self.fea(torch.cat((e, e), 1) if feature is None else feature)
        feature = torch.cat((fac(e, deblur, self.size), fac(history, align, self.size)), 1)
        x = self.upconv2_1(self.upconv2_2(self.upconv2_u(feature)))
        x = self.upconv1_1(self.upconv1_2(self.upconv1_u(x)))
        return frame + self.img_prd(x), feature


def compare(network: STFAN, dtype: torch.dtype, frames: Tensor) -> Comparison:
    """Both on the clip `frames` (T, 3, H, W), H and W multiples of 4."""
    plain, ours, clip = PlainSTFAN(network).eval(), STFANInference(network, dtype), frames[None]

    def stream() -> Tensor:
        state, outputs = None, []
        for frame in clip.unbind(1):
            output, state = ours.step(frame, ours.encode(frame), state)
            outputs.append(output)
        return torch.cat(outputs)

    return Comparison(
        plain=lambda: plain(clip)[0],
        ours=stream,
        plain_frames=len(frames),
        our_frames=len(frames),
        difference=lambda: float((plain(clip)[0] - stream()).abs().max()),
    )

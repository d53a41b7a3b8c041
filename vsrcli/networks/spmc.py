"""SPMC: video super-resolution that carries neighbour frames onto the fine grid along their flow.

Tao et al., "Detail-revealing Deep Video Super-resolution", ICCV 2017. Module names are those of
the rebuild in github.com/psychopa4/PFNL (MIT), which descends from the authors' code. The network
sees luma only; chroma is interpolated. Shapes: B windows of N frames; inside, the frames of all
windows are stacked frame-major along the batch, (N*B, C, H, W).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.spec import Spec, Window, forward_window
from vsrcli.ops.corner_resize import corner_resize
from vsrcli.ops.resize import resize
from vsrcli.ops.splat import Border, Grid, splat
from vsrcli.ops.warp import warp
from vsrcli.ops.ycbcr import LUMA_TO_RGB, rgb_to_luma

WIDTHS = (32, 64, 128)
"""Channels at full, half and quarter output size."""


@dataclass(frozen=True)
class SPMCConfig:
    """Choices of an SPMC; the defaults are those of the networks trained here."""

    scale: int = 4
    """2, 3 or 4."""
    frames: int = 3
    """Frames of a window, an odd number."""
    border: Border = "drop"
    """What becomes of pixels whose flow leads out of the picture."""
    grid: Grid = "center"
    """Where the coarse pixels lie: "center" for pictures shrunk as by MATLAB's `imresize`,
    "corner" for those made by taking every s-th pixel."""
    coarse_reach: float = 8.0
    """Largest coarse flow, in input pixels."""
    fine_reach: float = 2.0
    """Largest correction of the coarse flow, in input pixels."""
    self_flow: bool = False
    """Whether the centre frame's flow to itself is estimated like the others', as in the paper;
    otherwise it is zero."""

    @property
    def radius(self) -> int:
        return self.frames // 2


STANDARD = SPMCConfig()
REFERENCE = SPMCConfig(border="clamp", grid="corner", coarse_reach=1, fine_reach=1, self_flow=True)
_LOUDNESS = 0.1
"""Of the untrained fusion's features, beside a picture: a correction is a few hundredths, and the
last layer could not learn it in small steps from features that are much larger."""
_DETAIL_GAIN = 20.0
"""Of what the untrained recurrence reads; details are a good deal smaller than brightness."""
"""The authors' network."""


def spec_of(config: SPMCConfig) -> Spec:
    """What an SPMC of this configuration needs around it."""
    shift = math.ceil(config.coarse_reach + config.fine_reach)
    # 19 pixels of the coarse flow net and 11 of the fine one, or else 12 around where the warp
    # reads; then how far a pixel is carried; then the fusion, in output pixels.
    motion = max(19 + 11, 12 + math.ceil(config.coarse_reach))
    reach = motion + shift + math.ceil((22 + 4 * config.frames) / config.scale)
    return Spec(
        network="spmc",
        task="upscale",
        scales=(config.scale,),
        strategy=Window(radius=config.radius),
        multiple=4,
        reach=reach,
        # Measured with random weights of gain 1 to 5, whose flows come close to their limit.
        halo=24 + shift,
        # Measured: 150 numbers an output pixel, most of them in the recurrence and the decoder.
        activations=160 * config.scale**2,
        paper="Tao et al., Detail-revealing Deep Video Super-resolution, ICCV 2017",
    )


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding: ceil(n / stride) outputs, and where the zeros
    around do not divide evenly, one more after than before."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels, out, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        top, bottom = _same_padding(x.shape[-2], kernel, stride)
        left, right = _same_padding(x.shape[-1], kernel, stride)
        if (top, left) == (bottom, right):
            return F.conv2d(x, self.weight, self.bias, stride, (top, left))
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, stride)


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a line of `size` samples."""
    size = int(size)  # in a trace it is a tensor; the result is the same for all that are allowed
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class MotionEstimation(nn.Module):
    """Flow between two pictures, coarse to fine: the motion part of VESPCN.

    Always in the precision of its parameters: flows are positions, which few bits cannot hold.
    """

    def __init__(self, coarse_reach: float, fine_reach: float) -> None:
        super().__init__()
        self.coarse_reach = coarse_reach
        self.fine_reach = fine_reach
        self.c1 = SameConv(2, 24, 5, stride=2)
        self.c2 = SameConv(24, 24, 3)
        self.c3 = SameConv(24, 24, 5, stride=2)
        self.c4 = SameConv(24, 24, 3)
        self.c5 = SameConv(24, 32, 3)
        self.s1 = SameConv(5, 24, 5, stride=2)
        self.s2 = SameConv(24, 24, 3)
        self.s3 = SameConv(24, 24, 3)
        self.s4 = SameConv(24, 24, 3)
        self.s5 = SameConv(24, 8, 3)

    def forward(self, picture: Tensor, target: Tensor) -> Tensor:
        """(N, 1, H, W) twice, H and W multiples of 4 -> (N, 2, H, W), x first, in pixels: what is
        at p in `picture` is at p + flow(p) in `target`."""
        with torch.autocast(picture.device.type, enabled=False):
            pair = torch.cat((picture, target), 1)
            coarse = self.coarse(pair)
            x = torch.cat((pair, coarse, warp(target, coarse)), 1)
            for conv in (self.s1, self.s2, self.s3, self.s4):
                x = F.relu(conv(x))
            return coarse + self.fine_reach * F.pixel_shuffle(torch.tanh(self.s5(x)), 2)

    def coarse(self, pair: Tensor) -> Tensor:
        """(N, 2, H, W), picture and target -> (N, 2, H, W)."""
        x = pair
        for conv in (self.c1, self.c2, self.c3, self.c4):
            x = F.relu(conv(x))
        return self.coarse_reach * F.pixel_shuffle(torch.tanh(self.c5(x)), 4)


class LSTMState(NamedTuple):
    """What the recurrence carries from step to step, (B, C, h, w) each."""

    cell: Tensor
    hidden: Tensor


class ConvLSTM(nn.Module):
    """A plain convolutional LSTM with a constant forget bias of 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.LSTM_conv = nn.Conv2d(2 * width, 4 * width, 3, padding=1)

    def begin(self, x: Tensor) -> LSTMState:
        """The first step, (B, C, h, w): from a state of zeros, which neither the hidden half of
        the convolution nor the forget gate can change."""
        width, conv = self.width, self.LSTM_conv
        weight = torch.cat((conv.weight[: 2 * width, :width], conv.weight[3 * width :, :width]))
        assert conv.bias is not None
        bias = torch.cat((conv.bias[: 2 * width], conv.bias[3 * width :]))
        i, j, o = F.conv2d(x, weight, bias, padding=1).chunk(3, 1)
        cell = torch.sigmoid(i) * torch.tanh(j)
        return LSTMState(cell, torch.tanh(cell) * torch.sigmoid(o))

    def forward(self, x: Tensor, state: LSTMState) -> LSTMState:
        i, j, f, o = self.LSTM_conv(torch.cat((x, state.hidden), 1)).chunk(4, 1)
        cell = state.cell * torch.sigmoid(f + 1) + torch.sigmoid(i) * torch.tanh(j)
        return LSTMState(cell, torch.tanh(cell) * torch.sigmoid(o))


class DetailFusion(nn.Module):
    """The encoder, the recurrence over the frames of a window, and the decoder."""

    def __init__(self) -> None:
        super().__init__()
        full, half, quarter = WIDTHS
        self.enc1 = SameConv(1, full, 5)
        self.enc2 = SameConv(full, half, 3, stride=2)
        self.enc2_1 = SameConv(half, half, 3)
        self.enc3 = SameConv(half, quarter, 3, stride=2)
        self.convLSTM = ConvLSTM(quarter)
        self.enc3_1 = SameConv(quarter, quarter, 3)
        self.dec1 = nn.ConvTranspose2d(quarter, half, 4, stride=2, padding=1)
        self.dec1_1 = SameConv(half, half, 3)
        self.dec2 = nn.ConvTranspose2d(half, full, 4, stride=2, padding=1)
        self.dec2_1 = SameConv(full, full, 3)
        self.dec3 = SameConv(full, 1, 5)

    def forward(self, x: Tensor, count: int) -> Tensor:
        """`count` splat frames of each window in time order, (count*B, 1, H, W), H and W multiples
        of 4 -> the correction (B, 1, H, W) of the last step, the only one decoded."""
        full, half, quarter = (part.chunk(count) for part in self.encode(x))
        return self._decode(self._recur(quarter)[-1], half[-1], full[-1])

    def all_steps(self, x: Tensor, count: int) -> Tensor:
        """As `forward`, but the corrections (count*B, 1, H, W) of all steps."""
        full, half, quarter = self.encode(x)
        return self._decode(torch.cat(self._recur(quarter.chunk(count))), half, full)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The frames' maps at full, half and quarter size."""
        full = F.relu(self.enc1(x))
        half = F.relu(self.enc2_1(F.relu(self.enc2(full))))
        return full, half, F.relu(self.enc3(half))

    def _recur(self, steps: Sequence[Tensor]) -> list[Tensor]:
        """The quarter-size maps of each step -> the hidden state after it."""
        state = self.convLSTM.begin(steps[0])
        hidden = [state.hidden]
        for x in steps[1:]:
            state = self.convLSTM(x, state)
            hidden.append(state.hidden)
        return hidden

    def _decode(self, hidden: Tensor, half: Tensor, full: Tensor) -> Tensor:
        """The hidden state after a step, and what was encoded in it -> its correction."""
        x = F.relu(self.enc3_1(hidden))
        x = F.relu(self.dec1(x)) + half
        x = F.relu(self.dec1_1(x))
        x = F.relu(self.dec2(x)) + full
        x = F.relu(self.dec2_1(x))
        correction: Tensor = self.dec3(x)
        return correction


class SPMC(nn.Module):
    """(B, N, 3, H, W) RGB in [0, 1], H and W multiples of 4 -> (B, 1, 3, s*H, s*W), the centre
    frame after the last step, not clamped.

    Trained in three stages: `estimate_flows` alone; `steps` with `easyflow` frozen; `steps` whole.
    """

    def __init__(self, config: SPMCConfig = STANDARD) -> None:
        super().__init__()
        self.config = config
        self.spec = spec_of(config)
        self.easyflow = MotionEstimation(config.coarse_reach, config.fine_reach)
        self.srmodel = DetailFusion()

    def forward(self, frames: Tensor) -> Tensor:
        return forward_window(self, frames, self.config.radius)

    def frame_features(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1, H, W): the luma. All else depends on the window."""
        return rgb_to_luma(frames)

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        """N x (B, 1, H, W) and the centre frames (B, 3, H, W) -> (B, 3, s*H, s*W)."""
        luma = torch.stack(tuple(features), 1)
        x = splat_window(luma, self.estimate_flows(luma), self.config)
        return correct(center, self.srmodel(x, len(features)), self.config)

    def estimate_flows(self, luma: Tensor) -> Tensor:
        """(B, N, 1, H, W), luma as of `rgb_to_luma` -> (B, N, 2, H, W): from each frame to the
        centre frame, x first, in input pixels."""
        return estimate_flows(self.easyflow, luma, self.config)

    def steps(self, luma: Tensor, flows: Tensor) -> Tensor:
        """(B, N, 1, H, W), and its flows as of `estimate_flows` or better ones -> (B, N, 1, s*H,
        s*W): the centre frame's luma as known after each step; the last counts."""
        count = luma.shape[1]
        corrections = self.srmodel.all_steps(splat_window(luma, flows, self.config), count)
        base = enlarge(luma[:, count // 2], self.config)
        estimates: Tensor = base[:, None] + corrections.unflatten(0, (count, -1)).transpose(0, 1)
        return estimates


def estimate_flows(motion: MotionEstimation, luma: Tensor, config: SPMCConfig) -> Tensor:
    """(B, N, 1, H, W) -> (B, N, 2, H, W): from each frame to the centre frame."""
    count = luma.shape[1]
    center = count // 2
    others = [i for i in range(count) if config.self_flow or i != center]
    target = luma[:, center].repeat(len(others), 1, 1, 1)
    flows = list(motion(_frame_major(luma[:, others]), target).chunk(len(others)))
    if not config.self_flow:
        flows.insert(center, torch.zeros_like(flows[0]))
    return torch.stack(flows, 1)


def splat_window(luma: Tensor, flows: Tensor, config: SPMCConfig) -> Tensor:
    """(B, N, 1, H, W) along (B, N, 2, H, W) -> (N*B, 1, s*H, s*W)"""
    x, flow = _frame_major(luma), _frame_major(flows)
    return splat(x, flow, config.scale, config.border, config.grid)


def correct(center: Tensor, correction: Tensor, config: SPMCConfig) -> Tensor:
    """The centre frames (B, 3, H, W) enlarged, and their luma corrected by (B, 1, s*H, s*W).

    Interpolation and the color matrix commute, so this is the corrected luma with the enlarged
    chroma, without ever making the two.
    """
    return enlarge(center, config) + LUMA_TO_RGB * correction.to(center.dtype)


def _frame_major(x: Tensor) -> Tensor:
    """(B, N, C, H, W) -> (N*B, C, H, W)"""
    return x.transpose(0, 1).flatten(0, 1)


def enlarge(x: Tensor, config: SPMCConfig) -> Tensor:
    """(B, C, H, W) -> (B, C, s*H, s*W): the picture that the network corrects."""
    if config.grid == "corner":
        return corner_resize(x, config.scale)
    return resize(x, (config.scale * x.shape[-2], config.scale * x.shape[-1]))


def initialize(network: SPMC, generator: torch.Generator) -> None:
    """Random parameters to begin a training with: the picture is not corrected at first.

    Most of the fusion's input is zero, so its first layer is louder by as much as that takes away.
    Where the recurrence reads what was encoded, kernels sum to zero: the brightness around, which
    the interpolation gets right, would drown the details. Drawn by Xavier throughout, the fusion
    only learnt to be silent.
    """
    for parameter in network.easyflow.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter, generator=generator)
    fusion = network.srmodel
    for parameter in fusion.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
    for up in (fusion.dec1, fusion.dec2):  # each pixel is reached by a quarter of the kernel
        fan = up.in_channels * up.weight[0, 0].numel() / 4
        nn.init.normal_(up.weight, std=math.sqrt(2 / fan), generator=generator)
    gates = fusion.convLSTM.LSTM_conv.weight
    nn.init.xavier_uniform_(gates, generator=generator)
    with torch.no_grad():
        width = fusion.convLSTM.width
        gates[width : 2 * width, :width] -= gates[width : 2 * width, :width].mean((2, 3), True)
        gates[width : 2 * width, :width] *= _DETAIL_GAIN
        fusion.enc1.weight *= _LOUDNESS * network.config.scale
        fusion.dec3.weight.zero_()
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.zero_()

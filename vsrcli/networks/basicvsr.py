"""BasicVSR: what was seen of a scene is carried through it along the flow, in both directions.

Chan et al., "BasicVSR: The Search for Essential Components in Video Super-Resolution and Beyond",
CVPR 2021. Module names are the authors'. Shapes: B clips of T frames of H x W; states and all maps
before the upsampling have the frame's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.basicvsr_flow import SPyNet
from vsrcli.networks.spec import Bidirectional, Spec, forward_bidirectional
from vsrcli.ops.precision import widened
from vsrcli.ops.warp import warp

SCALE = 4
SLOPE = 0.1
"""Of every leaky ReLU."""


@dataclass(frozen=True)
class BasicVSRConfig:
    """Sizes of a BasicVSR; the defaults are the published network."""

    features: int = 64
    """Channels of a state."""
    blocks: int = 30
    """Residual blocks of each direction."""


PUBLISHED = BasicVSRConfig()


def spec_of(config: BasicVSRConfig) -> Spec:
    """What a BasicVSR of this configuration needs around it."""
    return Spec(
        network="basicvsr",
        task="upscale",
        scales=(SCALE,),
        # See `restore.bidirectional` for what this costs.
        strategy=Bidirectional(length=30, ahead=15, features=config.features),
        multiple=1,
        # Of one step, whose flows and aligned states are those of the whole picture: a layer and
        # the blocks of a direction, then two pixels for the upsampling.
        reach=2 * config.blocks + 3,
        # Measured with published weights (BI), 6 frames of two clips: at most 0.03/255; with 12 it
        # is 0.31.
        halo=16,
        # By the layers, in 16 bits: what the second upsampling holds (measured: a tenth more), and
        # beside it the states of 30 frames and 45 frames with their flows, which are float32.
        activations=100 * config.features + 630,
        paper="Chan et al., BasicVSR: The Search for Essential Components in Video "
        "Super-Resolution and Beyond, CVPR 2021",
    )


def leaky(x: Tensor) -> Tensor:
    """In place: `x` is no longer needed."""
    return F.leaky_relu_(x, SLOPE)


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualBlock(nn.Module):
    """x plus two convolutions of it, nothing after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3(channels, channels)
        self.conv2 = conv3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.conv2(F.relu_(self.conv1(x)))
        return x + changed


class Trunk(nn.Module):
    """A step of one direction: a frame (B, 3, H, W) and the aligned state (B, C, H, W), None for
    zeros -> the frame's state."""

    def __init__(self, config: BasicVSRConfig) -> None:
        super().__init__()
        width = config.features
        self.main = nn.Sequential(
            conv3(3 + width, width),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Sequential(*(ResidualBlock(width) for _ in range(config.blocks))),
        )
        self.width = width

    def forward(self, frame: Tensor, aligned: Tensor | None) -> Tensor:
        if aligned is None:
            aligned = frame.new_zeros(len(frame), self.width, *frame.shape[-2:])
        made: Tensor = self.main(torch.cat((frame, aligned.to(frame.dtype)), 1))
        return made


class BasicVSR(nn.Module):
    """(B, T, 3, H, W) RGB in [0, 1] -> (B, T, 3, 4H, 4W), not clamped; any T, H and W, though the
    authors advise 64 pixels or more."""

    def __init__(self, config: BasicVSRConfig = PUBLISHED) -> None:
        super().__init__()
        self.config = config
        self.spec = spec_of(config)
        width = config.features
        self.spynet = SPyNet()
        self.backward_trunk = Trunk(config)
        self.forward_trunk = Trunk(config)
        self.fusion = nn.Conv2d(2 * width, width, 1)
        self.upconv1 = conv3(width, 4 * width)
        self.upconv2 = conv3(width, 4 * width)
        self.conv_hr = conv3(width, width)
        self.conv_last = conv3(width, 3)

    def forward(self, frames: Tensor) -> Tensor:
        return forward_bidirectional(self, frames)

    def flows(self, frames: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) twice -> the flows (N, 2, H, W) from each frame to the one after it, and
        back."""
        return self.spynet.both_ways(frames, following)

    def align(self, state: Tensor, flow: Tensor) -> Tensor:
        """(B, C, H, W) read along the flow; what came into view is unknown, zero."""
        return warp(widened(state), flow, "zeros")

    def step_backward(self, frame: Tensor, aligned: Tensor | None) -> Tensor:
        state: Tensor = self.backward_trunk(frame, aligned)
        return state

    def step_forward(
        self, frame: Tensor, behind: Tensor, aligned: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        state: Tensor = self.forward_trunk(frame, aligned)
        return self.reconstruct(frame, behind, state), state

    def reconstruct(self, frame: Tensor, behind: Tensor, before: Tensor) -> Tensor:
        """A frame and its two states -> (B, 3, 4H, 4W)."""
        x = leaky(self.fusion(torch.cat((behind, before), 1)))
        x = leaky(F.pixel_shuffle(self.upconv1(x), 2))
        x = leaky(F.pixel_shuffle(self.upconv2(x), 2))
        correction: Tensor = self.conv_last(leaky(self.conv_hr(x)))
        return enlarge(frame) + correction


def enlarge(frame: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 3, 4H, 4W), bilinear: the picture that the network corrects."""
    return F.interpolate(frame, scale_factor=SCALE, mode="bilinear", align_corners=False)

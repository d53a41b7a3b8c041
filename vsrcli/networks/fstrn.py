"""FSTRN: fast spatio-temporal residual network for video super-resolution.

Li et al., "Fast Spatio-Temporal Residual Network for Video Super-Resolution", CVPR 2019. The
parameters are those of the paper's 3-D convolutions, under the names of the published code; the
work is done by 2-D ones. Inside, tensors are (B, T, H, W, C), contiguous: folding time into the
batch, or height into width, is then a view, and both folds are channels-last pictures.

Only luma goes through the network. Bicubic enlargement is linear, so adding the luma residual to
each of the enlarged R, G and B is the same as enlarging chroma apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.spec import Chunk, Spec
from vsrcli.ops.precision import widened
from vsrcli.ops.resize import resize
from vsrcli.ops.ycbcr import LUMA_TO_RGB, rgb_to_luma

UP_FEATURES = 16
"""Channels of the enlarged feature map."""
LEAK = 0.2
"""Slope of the reference's leaky ReLUs."""


@dataclass(frozen=True)
class FSTRNConfig:
    """Sizes of an FSTRN; the defaults are the published ones."""

    scale: int = 4
    channels: int = 64
    blocks: int = 5
    """Fast residual blocks, at least one."""
    reference: bool = False
    """The published code: a transposed convolution with gaps, leaky ReLUs after the first and the
    last convolution, and a skip that is not centred. Otherwise the paper's network, with a pixel
    shuffle and a bicubic skip."""

    def __post_init__(self) -> None:
        if self.scale < 1 or self.channels < 1 or self.blocks < 1:
            raise ValueError("scale, channels and blocks must be at least 1")
        if self.reference and self.scale != 4:
            raise ValueError("the reference enlarges 4 times only")

    @property
    def shuffled(self) -> int:
        """Channels that become a block of scale x scale pixels."""
        return UP_FEATURES * self.scale**2


PUBLISHED = FSTRNConfig()
REFERENCE = FSTRNConfig(reference=True)


def spec_of(config: FSTRNConfig) -> Spec:
    """What an FSTRN of this configuration needs around it."""
    # With three taps in time: the first convolution, the blocks, the fusion, the last one.
    layers = config.blocks + 3
    width, shuffled = config.channels, config.shuffled
    # Two past frames of each layer; the blocks' inputs and the first map until they are added.
    kept = width * (4 * config.blocks + 2) + 6 * config.scale**2
    # The fusion's input, gathered in two steps, and its output, shuffled.
    worked_on = 6 * width + 2 * shuffled
    # Waiting input and a frame of output, in float32, which is two numbers of a half type.
    pictures = 6 * layers + 16 * config.scale**2
    transposed_convolution = 5 * shuffled if config.reference else 0
    return Spec(
        network="fstrn",
        task="upscale",
        scales=(config.scale,),
        strategy=Chunk(radius=layers + config.reference),
        multiple=1,
        # One pixel a layer; the last one works on enlarged pixels, and less than one is one.
        reach=layers,
        halo=layers,
        activations=kept + worked_on + pictures + transposed_convolution,
        paper="Li et al., Fast Spatio-Temporal Residual Network for Video Super-Resolution, "
        "CVPR 2019",
    )


class Time(Protocol):
    """How layers reach across time, and what they find where there are no frames yet."""

    def around(self, layer: str, x: Tensor) -> Tensor:
        """The layer's next input frames (B, n, H, W, C) -> the frames it can work on, with one
        more on each side, (B, m + 2, H, W, C)."""

    def wait(self, layer: str, x: Tensor, frames: int) -> Tensor:
        """The next frames of what bypasses the layer -> `frames` of them, as late as the
        layer's output is."""


class WholeClip:
    """All frames at once: beyond the ends every layer sees zeros, and nothing has to wait."""

    def around(self, layer: str, x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, 0, 0, 0, 0, 1, 1))

    def wait(self, layer: str, x: Tensor, frames: int) -> Tensor:
        return x


class FSTRN(nn.Module):
    """(B, T, 3, H, W) RGB in [0, 1] -> (B, T, 3, s*H, s*W), not clamped; any T >= 1."""

    def __init__(self, config: FSTRNConfig = PUBLISHED) -> None:
        super().__init__()
        self.config = config
        self.spec = spec_of(config)
        width = config.channels
        # Holders of parameters: `residual` does the work, padding included.
        self.LFENet = nn.Conv3d(1, width, 3)
        for block in range(config.blocks):
            self.add_module(f"prelu_D{block}", nn.PReLU(width))
            self.add_module(f"frb_k133{block}", nn.Conv3d(width, width, (1, 3, 3)))
            self.add_module(f"frb_k311{block}", nn.Conv3d(width, width, (3, 1, 1)))
        self.prelu_feature = nn.PReLU(width)
        self.upconv_feature = nn.Conv3d(width, config.shuffled, 3)
        if config.reference:
            self.up_feature = nn.ConvTranspose3d(config.shuffled, UP_FEATURES, 3)
        self.sr_feature = nn.Conv3d(UP_FEATURES, 1, 3)

    def forward(self, frames: Tensor) -> Tensor:
        return restore(self.config, frames, self.residual(rgb_to_luma(frames)))

    def luma(self, luma: Tensor) -> Tensor:
        """(B, T, 1, H, W) luma, video-range in [16, 235] / 255 -> (B, T, 1, s*H, s*W)."""
        return enlarge_luma(self.config, luma) + self.residual(luma)

    def residual(self, luma: Tensor) -> Tensor:
        """(B, T, 1, H, W) luma -> (B, T, 1, s*H, s*W), what the network adds to the enlarged
        luma."""
        return residual(self.config, self.kernels(), luma, WholeClip())

    def kernels(self) -> dict[str, Tensor]:
        """The parameters as `residual` wants them: 2-D kernels, their biases, the slopes."""
        config = self.config
        kernels: dict[str, Tensor] = {"slope": self.prelu_feature.weight}

        def add(name: str, weight: Tensor, bias: Tensor | None) -> None:
            assert bias is not None
            kernels[name], kernels[f"{name}_bias"] = weight, bias

        def conv(name: str) -> nn.Conv3d:
            return cast(nn.Conv3d, self.get_submodule(name))

        add("first", _time_in_channels(self.LFENet.weight), self.LFENet.bias)
        for block in range(config.blocks):
            kernels[f"slope{block}"] = cast(nn.PReLU, self.get_submodule(f"prelu_D{block}")).weight
            spatial, temporal = conv(f"frb_k133{block}"), conv(f"frb_k311{block}")
            add(f"spatial{block}", spatial.weight[:, :, 0], spatial.bias)
            add(f"temporal{block}", temporal.weight[..., 0], temporal.bias)
        fusion, fusion_bias = self.upconv_feature.weight, self.upconv_feature.bias
        assert fusion_bias is not None
        if config.reference:
            up, up_bias = self.up_feature.weight, self.up_feature.bias
            assert up_bias is not None
            add("up", _as_convolution(up, config.scale), up_bias.repeat(config.scale**2))
        else:
            fusion, fusion_bias = (_pixels_first(x, config.scale) for x in (fusion, fusion_bias))
        add("fusion", _time_in_channels(fusion), fusion_bias)
        add("last", _on_blocks(self.sr_feature.weight, config.scale), self.sr_feature.bias)
        return kernels


def residual(
    config: FSTRNConfig, kernels: Mapping[str, Tensor], luma: Tensor, time: Time
) -> Tensor:
    """(B, n, 1, H, W) luma -> (B, m, 1, s*H, s*W), float32 or wider; m = n for a whole clip.

    `kernels` are those of `FSTRN.kernels`; the first one decides the precision of the first
    layer, the others that of the rest. Sums in place go into a convolution's fresh output.
    """

    def spatial(name: str, x: Tensor) -> Tensor:
        return _convolve(x, kernels[name], kernels[f"{name}_bias"])

    def temporal(name: str, x: Tensor) -> Tensor:
        return _across_time(time.around(name, x), kernels[name], kernels[f"{name}_bias"])

    def space_time(name: str, x: Tensor) -> Tensor:
        return spatial(name, _neighbors_in_channels(time.around(name, x)))

    first = space_time("first", luma[:, :, 0, :, :, None])
    if config.reference:
        first = F.leaky_relu_(first, LEAK)
    x = first = first.to(kernels["fusion"].dtype)
    for block in range(config.blocks):
        y = spatial(f"spatial{block}", _prelu(x, kernels[f"slope{block}"]))
        y = temporal(f"temporal{block}", y)
        x = y.add_(time.wait(f"block{block}", x, y.shape[1]))
    x = _prelu(x.add_(time.wait("blocks", first, x.shape[1])), kernels["slope"])
    x = space_time("fusion", x)
    if config.reference:
        x = temporal("up", x)
    x = _shuffle(x, config.scale)
    x = time.around("last", _convolve(x, kernels["last"], stride=config.scale))
    past, present, future = widened(x).chunk(3, -1)
    x = past[:, :-2] + present[:, 1:-1] + future[:, 2:] + kernels["last_bias"]
    if config.reference:
        x = F.leaky_relu_(x, LEAK)
    return _shuffle(x, config.scale)[..., 0].unsqueeze(2)


def enlarge_luma(config: FSTRNConfig, luma: Tensor) -> Tensor:
    """(..., 1, H, W) -> (..., 1, s*H, s*W): the picture that the residual corrects."""
    scale = config.scale
    height, width = luma.shape[-2:]
    if not config.reference:
        return resize(luma, (scale * height, scale * width))
    # Pixel q lies at q / scale, the last input pixel repeated: TensorFlow 1's bilinear.
    planes = F.pad(luma.reshape(-1, 1, height, width), (0, 1, 0, 1), mode="replicate")
    size = (scale * height + 1, scale * width + 1)
    enlarged = F.interpolate(planes, size, mode="bilinear", align_corners=True)[..., :-1, :-1]
    return enlarged.reshape(*luma.shape[:-2], scale * height, scale * width)


def restore(config: FSTRNConfig, frames: Tensor, residual: Tensor) -> Tensor:
    """RGB frames (..., 3, H, W) and their luma residual (..., 1, s*H, s*W) -> (..., 3, s*H, s*W).

    Chroma is enlarged bicubically, luma as `enlarge_luma` does it.
    """
    height, width = frames.shape[-2:]
    size = (config.scale * height, config.scale * width)
    if config.reference:
        luma = rgb_to_luma(frames)
        residual = residual + enlarge_luma(config, luma) - resize(luma, size)
    return resize(frames, size).add_(residual * LUMA_TO_RGB)


@torch.no_grad()
def initialize(network: FSTRN, generator: torch.Generator) -> None:
    """Kaiming-normal kernels, no biases, slopes of 0.1. The kernels that end a block are a tenth
    of that and the last one a hundredth, so that training starts near the bicubic enlargement."""
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
        elif parameter.dim() == 1:
            parameter.fill_(0.1)
        else:
            nn.init.kaiming_normal_(parameter, generator=generator)
            if name.startswith("frb_k311"):
                parameter.mul_(0.1)
    network.sr_feature.weight.mul_(0.01)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Each frame convolved, padding 1: (B, n, H, W, C) -> (B, n, H', W', O)."""
    y = F.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight, bias, stride=stride, padding=1)
    return y.permute(0, 2, 3, 1).reshape(*x.shape[:2], *y.shape[2:], len(weight))


def _across_time(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Each pixel convolved over time, no padding: (B, m + 2, H, W, C) -> (B, m, H, W, O)."""
    batch, length, height, width, _ = x.shape
    if length < 3:
        return x.new_empty(batch, 0, height, width, len(weight))
    y = F.conv2d(x.flatten(2, 3).permute(0, 3, 1, 2), weight, bias)
    return y.permute(0, 2, 3, 1).reshape(batch, length - 2, height, width, len(weight))


def _neighbors_in_channels(x: Tensor) -> Tensor:
    """(B, m + 2, H, W, C) -> (B, m, H, W, 3C): past, present and future."""
    return torch.cat((x[:, :-2], x[:, 1:-1], x[:, 2:]), -1)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    pictures = x.flatten(0, 1).permute(0, 3, 1, 2)
    return F.prelu(pictures, slope.to(x.dtype)).permute(0, 2, 3, 1).view_as(x)


def _shuffle(x: Tensor, scale: int) -> Tensor:
    """(B, n, H, W, s*s*C), channels ordered (row, column, C) -> (B, n, s*H, s*W, C)."""
    batch, frames, height, width, channels = x.shape
    rows = x.reshape(batch, frames, height, width, scale, channels // scale).transpose(3, 4)
    return rows.reshape(batch, frames, scale * height, scale * width, channels // scale**2)


def _time_in_channels(weight: Tensor) -> Tensor:
    """3-D kernel (O, C, 3, 3, 3) -> (O, 3C, 3, 3) for `_neighbors_in_channels`."""
    return weight.transpose(1, 2).flatten(1, 2)


def _pixels_first(x: Tensor, scale: int) -> Tensor:
    """Output channels (C*s*s, ...) from a pixel shuffle's order into that of `_shuffle`."""
    return x.view(UP_FEATURES, scale**2, *x.shape[1:]).transpose(0, 1).flatten(0, 1)


def _as_convolution(weight: Tensor, scale: int) -> Tensor:
    """A transposed kernel (C, O, 3, 3, 3) -> (s*s*O, C, 3, 1), over time, before `_shuffle`.

    With a stride (1, s, s) larger than the kernel each input pixel writes a block of its own,
    whose last row and column get nothing. A transposed convolution runs backwards in time.
    """
    gap = scale - weight.shape[-1]
    blocks = F.pad(weight.flip(2), (0, gap, 0, gap))
    return blocks.permute(3, 4, 1, 0, 2).flatten(0, 2).unsqueeze(-1)


def _on_blocks(weight: Tensor, scale: int) -> Tensor:
    """The last kernel (1, C, 3, 3, 3) -> (3*s*s, C, s+2, s+2), with stride s.

    A convolution with one output channel wastes most of what a processor does at once; this one
    makes a whole block of pixels, and the three taps in time, apart: channels (time, row, column).
    """
    taps = weight[0].transpose(0, 1)
    edge = scale - 1
    pixels = [
        F.pad(taps, (column, edge - column, row, edge - row))
        for row in range(scale)
        for column in range(scale)
    ]
    return torch.stack(pixels, 1).flatten(0, 1)

"""STFAN: video deblurring with filters predicted for every pixel, frame after frame.

Zhou et al., "Spatio-Temporal Filter Adaptive Network for Video Deblurring", ICCV 2019. Module
names are those of the authors' network. Shapes: B clips, T frames, c channels of the coarsest
level, h = H/4, w = W/4; H and W are multiples of 4. A leaky ReLU follows every layer outside the
residual blocks, the ones that emit filters and the one that emits the picture included: the
authors' weights count on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.spec import Recurrent, Spec
from vsrcli.ops.fac import FilterLayer, filter_adaptively, filter_layer

SLOPE = 0.1
"""Of every leaky ReLU."""


@dataclass(frozen=True)
class STFANConfig:
    """Sizes of an STFAN; the defaults are the published network."""

    channels: tuple[int, int, int] = (32, 64, 128)
    """Features at full, half and quarter resolution."""
    fac_kernel: int = 5
    """Side of the predicted filters, odd."""


PUBLISHED = STFANConfig()
LITE = STFANConfig(channels=(16, 32, 64))
"""About a quarter of the published network's arithmetic, for CPUs."""


class STFANState(NamedTuple):
    """What a frame leaves to the next."""

    frame: Tensor
    """(B, 3, H, W): the frame."""
    restored: Tensor
    """(B, 3, H, W): the frame restored."""
    feature: Tensor
    """(B, 2c, h, w) float32: deblurred, then aligned features; not clamped."""


def spec_of(config: STFANConfig) -> Spec:
    """What an STFAN of this configuration needs around it."""
    return Spec(
        network="stfan",
        task="deblur",
        scales=(1,),
        strategy=Recurrent(period=20),
        multiple=4,
        # Of one step: the filter branch down to 1/4, both filter stacks, and the decoder. The
        # state reaches as far again with each frame before.
        reach=91,
        # Measured over 8 frames with random networks whose residual is 0.03: errors at tile
        # edges are below 0.03/255, and do not grow. With 32 they are 0.5/255.
        halo=48,
        # Measured peak: full-resolution maps, then those at 1/4 and the state.
        activations=6 * config.channels[0] + 20,
        paper="Zhou et al., Spatio-Temporal Filter Adaptive Network for Video Deblurring, "
        "ICCV 2019",
    )


class Residual(nn.Module):
    """x plus two 3x3 convolutions of it, nothing after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.stem(x)
        return changed.add_(x)


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE, inplace=True))


def _up(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the size."""
    layer = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE, inplace=True))


def _filters(inputs: int, channels: int, size: int) -> nn.Sequential:
    """The last layer emits a size x size filter for each of the channels."""
    return nn.Sequential(
        _conv(inputs, channels),
        Residual(channels),
        Residual(channels),
        _conv(channels, channels * size**2, kernel=1),
    )


class STFAN(nn.Module):
    """(B, T, 3, H, W) RGB in [0, 1] -> the same shape, deblurred, not clamped."""

    def __init__(self, config: STFANConfig = PUBLISHED) -> None:
        super().__init__()
        self.config = config
        self.spec = spec_of(config)
        fine, middle, coarse = config.channels
        for prefix, images in (("conv", 1), ("kconv", 3)):
            inputs = 3 * images
            for level, channels in enumerate(config.channels, start=1):
                layer = _conv(inputs, channels, stride=1 if level == 1 else 2)
                self.add_module(f"{prefix}{level}_1", layer)
                self.add_module(f"{prefix}{level}_2", Residual(channels))
                self.add_module(f"{prefix}{level}_3", Residual(channels))
                inputs = channels
        size = config.fac_kernel
        self.fac_warp = _filters(coarse, coarse, size)
        self.kconv4 = _conv(coarse * size**2, coarse, kernel=1)
        self.fac_deblur = _filters(2 * coarse, coarse, size)
        self.fea = _conv(2 * coarse, coarse)
        self.upconv2_u = _up(2 * coarse, middle)
        self.upconv2_1, self.upconv2_2 = Residual(middle), Residual(middle)
        self.upconv1_u = _up(middle, fine)
        self.upconv1_1, self.upconv1_2 = Residual(fine), Residual(fine)
        self.img_prd = _conv(fine, 3)

    def forward(self, frames: Tensor) -> Tensor:
        encoded = self.encode(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        state: STFANState | None = None
        restored = []
        for t in range(frames.shape[1]):
            one, state = self.step(frames[:, t], encoded[:, t], state)
            restored.append(one)
        return torch.stack(restored, 1)

    def encode(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, c, h, w): the frame's own features."""
        return self._encoder("conv", frames)

    def look(self, frame: Tensor, before: Tensor, restored: Tensor) -> Tensor:
        """A frame, the one before it and that restored, (B, 3, H, W) each; at the beginning three
        times the same -> (B, c, h, w): what filters are made from."""
        return self._encoder("kconv", torch.cat((frame, before, restored), 1))

    def step(
        self,
        frame: Tensor,
        encoded: Tensor,
        state: STFANState | None,
        seen: Tensor | None = None,
    ) -> tuple[Tensor, STFANState]:
        """A frame (B, 3, H, W), its `encode`, and the state after the frame before (None at the
        beginning) -> the restored frame, float32, not clamped, and the new state. `seen` takes the
        place of what `look` makes of the pictures."""
        if state is None:
            state = STFANState(frame, frame, torch.cat((encoded, encoded), 1).float())
        align, deblur = self._filter_layers()
        hidden = self.look(frame, state.frame, state.restored) if seen is None else seen
        history = self.fea(self._cast(state.feature))
        aligned, read = filter_adaptively(history, self.fac_warp[:3](hidden), align, SLOPE)
        assert read is not None
        summary = self._cast(F.leaky_relu(read, SLOPE))
        hidden = self.fac_deblur[:3](torch.cat((hidden, summary), 1))
        deblurred, _ = filter_adaptively(encoded, hidden, deblur, SLOPE)
        feature = torch.cat((deblurred, aligned), 1)
        restored = frame + self._decode(self._cast(feature)).float()
        return restored, STFANState(frame, restored, feature)

    def _filter_layers(self) -> tuple[FilterLayer, FilterLayer]:
        """Those of the alignment, whose filters `kconv4` reads, and of the deblurring."""
        size = self.config.fac_kernel
        align, deblur = self._layer("fac_warp.3.0"), self._layer("fac_deblur.3.0")
        return (
            filter_layer(align, size, reader=self._layer("kconv4.0")),
            filter_layer(deblur, size),
        )

    def _layer(self, name: str) -> nn.Conv2d:
        return cast(nn.Conv2d, self.get_submodule(name))

    def _encoder(self, prefix: str, pictures: Tensor) -> Tensor:
        """(N, 3 or 9, H, W) -> (N, c, h, w)

        All pictures are clamped to [0, 1]: the restored one that comes back, as the authors do,
        and the frames, since video reaches a little beyond and the network was not trained on
        that. The frame that the residual is added to, which can take it, is not clamped.
        """
        x = self._cast(pictures.clamp(0, 1)).contiguous(memory_format=torch.channels_last)
        for level in (1, 2, 3):
            for part in (1, 2, 3):
                x = self.get_submodule(f"{prefix}{level}_{part}")(x)
        return x

    def _decode(self, feature: Tensor) -> Tensor:
        """(B, 2c, h, w) -> (B, 3, H, W): what is added to the frame."""
        x = self.upconv2_1(self.upconv2_2(self.upconv2_u(feature)))
        x = self.upconv1_1(self.upconv1_2(self.upconv1_u(x)))
        residual: Tensor = self.img_prd(x)
        return residual

    def _cast(self, x: Tensor) -> Tensor:
        """To the parameters' precision."""
        return x.to(self._layer("fea.0").weight.dtype)


def bgr_to_rgb(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of an STFAN for B, G, R pictures, as the authors' are -> that of one which
    does the same to R, G, B."""
    flipped = dict(state)
    for name in ("conv1_1.0.weight", "kconv1_1.0.weight"):
        flipped[name] = state[name].unflatten(1, (-1, 3)).flip(2).flatten(1, 2)
    for name in ("img_prd.0.weight", "img_prd.0.bias"):
        flipped[name] = state[name].flip(0)
    return flipped

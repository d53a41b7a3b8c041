"""SPMC written plainly: one frame of the window after the other, every step decoded."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from plain.comparison import Comparison
from torch import Tensor, nn

from vsrcli.networks.spmc import SPMC, enlarge
from vsrcli.networks.spmc_inference import SPMCInference
from vsrcli.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb

LAYERS: dict[str, tuple[int, int, int, int]] = {
    "easyflow.c1": (2, 24, 5, 2),
    "easyflow.c2": (24, 24, 3, 1),
    "easyflow.c3": (24, 24, 5, 2),
    "easyflow.c4": (24, 24, 3, 1),
    "easyflow.c5": (24, 32, 3, 1),
    "easyflow.s1": (5, 24, 5, 2),
    "easyflow.s2": (24, 24, 3, 1),
    "easyflow.s3": (24, 24, 3, 1),
    "easyflow.s4": (24, 24, 3, 1),
    "easyflow.s5": (24, 8, 3, 1),
    "srmodel.enc1": (1, 32, 5, 1),
    "srmodel.enc2": (32, 64, 3, 2),
    "srmodel.enc2_1": (64, 64, 3, 1),
    "srmodel.enc3": (64, 128, 3, 2),
    "srmodel.convLSTM.LSTM_conv": (256, 512, 3, 1),
    "srmodel.enc3_1": (128, 128, 3, 1),
    "srmodel.dec1_1": (64, 64, 3, 1),
    "srmodel.dec2_1": (32, 32, 3, 1),
    "srmodel.dec3": (32, 1, 5, 1),
}
"""Channels in and out, kernel and stride of the convolutions."""


class PlainSPMC(nn.Module):
    """(B, N, 3, H, W) RGB -> (B, 3, s*H, s*W), with the parameters of `network`."""

    def __init__(self, network: SPMC) -> None:
        super().__init__()
        self.config = network.config
        layers: dict[str, nn.Module] = {
            name: nn.Conv2d(channels, out, kernel, stride)
            for name, (channels, out, kernel, stride) in LAYERS.items()
        }
        layers["srmodel.dec1"] = nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1)
        layers["srmodel.dec2"] = nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1)
        for name, layer in layers.items():
            layer.load_state_dict(network.get_submodule(name).state_dict())
        self.layers = nn.ModuleDict({name.replace(".", "/"): layers[name] for name in layers})

    def forward(self, frames: Tensor) -> Tensor:
        center = frames.shape[1] // 2
        ycbcr = rgb_to_ycbcr(frames)
        luma, chroma = ycbcr[:, :, :1], ycbcr[:, center, 1:]
        target = luma[:, center]
        base = enlarge(target, self.config)
        height, width = luma.shape[-2:]
        state = luma.new_zeros(
            2, len(frames), 128, *(self.config.scale * n // 4 for n in (height, width))
        )
        cell, hidden = state
        for index in range(frames.shape[1]):
            flow = self.flow(luma[:, index], target)
            if index == center and not self.config.self_flow:
                flow = torch.zeros_like(flow)
            estimate, cell, hidden = self.step(self.splat(luma[:, index], flow), cell, hidden)
            estimate = base + estimate
        return ycbcr_to_rgb(torch.cat((estimate, enlarge(chroma, self.config)), 1))

    def flow(self, picture: Tensor, target: Tensor) -> Tensor:
        x = pair = torch.cat((picture, target), 1)
        for name in ("c1", "c2", "c3", "c4"):
            x = F.relu(self._conv(f"easyflow.{name}", x))
        x = F.pixel_shuffle(torch.tanh(self._conv("easyflow.c5", x)), 4)
        coarse = self.config.coarse_reach * x
        x = torch.cat((pair, coarse, self._warp(target, coarse)), 1)
        for name in ("s1", "s2", "s3", "s4"):
            x = F.relu(self._conv(f"easyflow.{name}", x))
        x = F.pixel_shuffle(torch.tanh(self._conv("easyflow.s5", x)), 2)
        return coarse + self.config.fine_reach * x

    def splat(self, x: Tensor, flow: Tensor) -> Tensor:
        """Four scatters, one for each of the pixels around where a pixel lands."""
        config, (batch, _, height, width) = self.config, x.shape
        high, wide = config.scale * height, config.scale * width
        offset = (config.scale - 1) / 2 if config.grid == "center" else 0
        columns = config.scale * (torch.arange(width) + flow[:, 0]) + offset
        rows = config.scale * (torch.arange(height)[:, None] + flow[:, 1]) + offset
        out = x.new_zeros(batch, high * wide)
        for row in (rows.floor(), rows.floor() + 1):
            for column in (columns.floor(), columns.floor() + 1):
                value = x[:, 0] * (1 - (rows - row).abs()) * (1 - (columns - column).abs())
                if config.border == "drop":
                    inside = (row >= 0) & (row < high) & (column >= 0) & (column < wide)
                    value = value * inside
                index = row.clamp(0, high - 1) * wide + column.clamp(0, wide - 1)
                out.scatter_add_(1, index.long().flatten(1), value.flatten(1))
        return out.view(batch, 1, high, wide)

    def step(self, x: Tensor, cell: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        full = F.relu(self._conv("srmodel.enc1", x))
        half = F.relu(self._conv("srmodel.enc2", full))
        half = F.relu(self._conv("srmodel.enc2_1", half))
        x = F.relu(self._conv("srmodel.enc3", half))
        gates = self._conv("srmodel.convLSTM.LSTM_conv", torch.cat((x, hidden), 1))
        i, j, f, o = gates.chunk(4, 1)
        cell = cell * torch.sigmoid(f + 1) + torch.sigmoid(i) * torch.tanh(j)
        hidden = torch.tanh(cell) * torch.sigmoid(o)
        x = F.relu(self._conv("srmodel.enc3_1", hidden))
        x = F.relu(self.layers["srmodel/dec1"](x)) + half
        x = F.relu(self._conv("srmodel.dec1_1", x))
        x = F.relu(self.layers["srmodel/dec2"](x)) + full
        x = F.relu(self._conv("srmodel.dec2_1", x))
        return self._conv("srmodel.dec3", x), cell, hidden

    def _conv(self, name: str, x: Tensor) -> Tensor:
        """The convolution called `name`, padded as TensorFlow does; sizes are multiples of 4."""
        layer = self.layers[name.replace(".", "/")]
        total = layer.kernel_size[0] - layer.stride[0]
        before, after = total // 2, total - total // 2
        return layer(F.pad(x, (before, after, before, after)))

    def _warp(self, image: Tensor, flow: Tensor) -> Tensor:
        height, width = flow.shape[-2:]
        x = (torch.arange(width) + flow[:, 0]) * 2 / (width - 1) - 1
        y = (torch.arange(height)[:, None] + flow[:, 1]) * 2 / (height - 1) - 1
        grid = torch.stack((x, y), -1)
        return F.grid_sample(image, grid, padding_mode="border", align_corners=True)


def compare(network: SPMC, dtype: torch.dtype, frames: Tensor) -> Comparison:
    """One window of `frames` (T, 3, H, W), at least as many as a window has, beside what one more
    frame of a stream costs. Both are given sizes of a multiple of 4, as they need it."""
    config = network.config
    height, width = frames.shape[-2:]
    window = F.pad(frames[: config.frames], (0, -width % 4, 0, -height % 4), "replicate")[None]
    cropped = (..., slice(config.scale * height), slice(config.scale * width))
    plain = PlainSPMC(network).eval()
    fast, exact = SPMCInference(network, dtype), SPMCInference(network)
    features = fast.frame_features(window[0])
    center = window[:, config.radius]

    def next_frame() -> Tensor:
        fast.frame_features(window[0, :1])
        return fast.from_features(features.split(1), center)[cropped]

    return Comparison(
        plain=lambda: plain(window)[cropped],
        ours=next_frame,
        plain_frames=1,
        our_frames=1,
        difference=lambda: float((exact(window)[:, 0] - plain(window)).abs().max()),
    )

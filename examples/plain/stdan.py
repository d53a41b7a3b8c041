"""STDAN written plainly: all pairs, all outputs, masks and offsets made anew each time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from plain.comparison import Comparison
from torch import Tensor

from vsrcli.networks.stdan import GROUP, SCALE, STDAN
from vsrcli.networks.stdan_inference import STDANInference


class PlainSTDAN:
    """(B, N, 3, H, W) RGB -> (B, 2N-1, 3, 4H, 4W), with the parameters of `network`."""

    def __init__(self, network: STDAN) -> None:
        self.config = network.config
        self.state = {key: value.contiguous() for key, value in network.state_dict().items()}

    def __call__(self, frames: Tensor) -> Tensor:
        batch, length = frames.shape[:2]
        x = F.leaky_relu(self.conv("conv_first", frames.flatten(0, 1)), 0.1)
        levels = self.pyramid("", self.swin("feature_extraction", x))
        maps = [level.unflatten(0, (batch, length)) for level in levels]
        features = [[level[:, index] for level in maps] for index in range(length)]
        ahead = self.recur(features)
        back = self.recur(features[::-1])[::-1]
        moments = [features[0][0]]
        for index in range(length - 1):
            between = torch.cat((ahead[index], back[index]), 1)
            moments += [self.conv("fusion_f_b", between), features[index + 1][0]]
        x = self.aggregated(torch.stack(moments, 1))
        x = self.swin("feature_recon", x.flatten(0, 1))
        x = F.leaky_relu(self.conv("conv_before_upsample.0", x), 0.01)
        x = F.pixel_shuffle(self.conv("upsample.0", x), 2)
        x = F.pixel_shuffle(self.conv("upsample.2", x), 2)
        return self.conv("conv_last", x).unflatten(0, (batch, -1))

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return F.conv2d(x, weight, bias, stride, padding=weight.shape[-1] // 2)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return F.layer_norm(x, weight.shape, weight, bias)

    def swin(self, name: str, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        groups = self.config.encoder_groups
        if name == "feature_recon":
            groups = self.config.decoder_groups
        first = self.conv(f"{name}.conv_first", x)
        x = self.norm(f"{name}.patch_embed.norm", first.flatten(2).transpose(1, 2))
        for index in range(groups):
            y = x
            for block in range(self.config.blocks):
                part = f"{name}.layers.{index}.residual_group.blocks.{block}"
                y = self.block(part, y, (height, width), shifted=block % 2 == 1)
            y = y.transpose(1, 2).unflatten(2, (height, width))
            x = x + self.conv(f"{name}.layers.{index}.conv", y).flatten(2).transpose(1, 2)
        x = self.norm(f"{name}.norm", x).transpose(1, 2).unflatten(2, (height, width))
        return self.conv(f"{name}.conv_last", first + self.conv(f"{name}.conv_after_body", x))

    def block(self, name: str, x: Tensor, size: tuple[int, int], shifted: bool) -> Tensor:
        side, (height, width) = self.config.window, size
        shift = side // 2 if shifted else 0
        y = self.norm(f"{name}.norm1", x).unflatten(1, size)
        if shift:
            y = torch.roll(y, (-shift, -shift), (1, 2))
        y = self.attention(f"{name}.attn", self.windows(y), self.mask(size) if shift else None)
        y = y.reshape(len(x), height // side, width // side, side, side, -1)
        y = y.transpose(2, 3).reshape(len(x), height, width, -1)
        if shift:
            y = torch.roll(y, (shift, shift), (1, 2))
        x = x + y.flatten(1, 2)
        y = F.gelu(self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.norm2", x)))
        return x + self.linear(f"{name}.mlp.fc2", y)

    def windows(self, x: Tensor) -> Tensor:
        """(N, H, W, E) -> (N * windows, side * side, E)"""
        side = self.config.window
        x = x.unflatten(2, (-1, side)).unflatten(1, (-1, side))
        return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)

    def mask(self, size: tuple[int, int]) -> Tensor:
        """(windows, L, L)"""
        side, shift = self.config.window, self.config.window // 2
        region = torch.zeros(1, *size, 1)
        bands = (slice(-side), slice(-side, -shift), slice(-shift, None))
        for row, rows in enumerate(bands):
            for column, columns in enumerate(bands):
                region[:, rows, columns] = 3 * row + column
        region = self.windows(region).squeeze(2)
        return torch.where(region[:, :, None] != region[:, None], -100.0, 0.0)

    def attention(self, name: str, x: Tensor, mask: Tensor | None) -> Tensor:
        side, heads = self.config.window, self.config.heads
        count, length, width = x.shape
        qkv = self.linear(f"{name}.qkv", x).reshape(count, length, 3, heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = (q * (width // heads) ** -0.5) @ k.transpose(2, 3)
        place = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"))
        apart = place.flatten(1)[:, :, None] - place.flatten(1)[:, None] + side - 1
        index = apart[0] * (2 * side - 1) + apart[1]
        bias = self.state[f"{name}.relative_position_bias_table"][index]
        scores = scores + bias.permute(2, 0, 1)
        if mask is not None:
            scores = scores.unflatten(0, (-1, len(mask))) + mask[:, None]
            scores = scores.flatten(0, 1)
        x = (scores.softmax(3) @ v).transpose(1, 2).flatten(2)
        return self.linear(f"{name}.proj", x)

    def pyramid(self, name: str, x: Tensor) -> list[Tensor]:
        levels = [x]
        for level in (2, 3):
            x = F.leaky_relu(self.conv(f"{name}fea_L{level}_conv1", x, stride=2), 0.1)
            x = F.leaky_relu(self.conv(f"{name}fea_L{level}_conv2", x), 0.1)
            levels.append(x)
        return levels

    def recur(self, features: list[list[Tensor]]) -> list[Tensor]:
        cell = "pcd_align_modified"
        hidden = torch.zeros_like(features[0][0])
        made = []
        for first, second in zip(features, features[1:], strict=False):
            pair = self.align(cell, first, second)
            y = self.conv(f"{cell}.fusion", pair)
            state = f"{cell}.pcd_h"
            pair = self.align(
                f"{state}.pcd_align",
                self.pyramid(f"{state}.", y),
                self.pyramid(f"{state}.", hidden),
            )
            z = self.conv(f"{state}.fusion", pair)
            y = self.conv(f"{cell}.fusion_1x1", torch.cat((z, y), 1))
            hidden = self.conv(
                f"{cell}.conv_h2", F.leaky_relu(self.conv(f"{cell}.conv_h1", y), 0.1)
            )
            made.append(y)
        return made

    def align(self, name: str, first: list[Tensor], second: list[Tensor]) -> Tensor:
        moved = (self.branch(name, 1, first, second), self.branch(name, 2, second, first))
        return torch.cat(moved, 1)

    def branch(self, name: str, side: int, moving: list[Tensor], still: list[Tensor]) -> Tensor:
        def layer(level: int, part: str, x: Tensor) -> Tensor:
            return F.leaky_relu(self.conv(f"{name}.L{level}_{part}_{side}", x), 0.1)

        def twice(x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

        def deform(level: int, offset: Tensor) -> Tensor:
            return self.deform_conv(f"{name}.L{level}_dcnpack_{side}", moving[level - 1], offset)

        offset = layer(3, "offset_conv1", torch.cat((moving[2], still[2]), 1))
        offset = layer(3, "offset_conv2", offset)
        moved = F.leaky_relu(deform(3, offset), 0.1)
        for level in (2, 1):
            both = torch.cat((moving[level - 1], still[level - 1]), 1)
            both = layer(level, "offset_conv1", both)
            offset = layer(level, "offset_conv2", torch.cat((both, 2 * twice(offset)), 1))
            offset = layer(level, "offset_conv3", offset)
            joined = torch.cat((deform(level, offset), twice(moved)), 1)
            moved = self.conv(f"{name}.L{level}_fea_conv_{side}", joined)
            if level > 1:
                moved = F.leaky_relu(moved, 0.1)
        return moved

    def deform_conv(self, name: str, x: Tensor, features: Tensor) -> Tensor:
        sampled = self.sampled(x, self.conv(f"{name}.conv_offset", features))
        columns = sampled.flatten(1, 2).flatten(2)
        weight, bias = self.state[f"{name}.weight"].flatten(1), self.state[f"{name}.bias"]
        return (weight @ columns + bias[:, None]).unflatten(2, x.shape[-2:])

    def sampled(self, x: Tensor, offsets: Tensor) -> Tensor:
        """(B, C, H, W) -> its nine samples for each pixel, (B, C, 9, H, W)"""
        groups, (batch, _, height, width) = self.config.groups, x.shape
        o1, o2, mask = offsets.chunk(3, 1)
        offset = torch.cat((o1, o2), 1).reshape(batch * groups, 9, 2, height, width)
        tap = torch.arange(9)[:, None, None]
        y = offset[:, :, 0] + torch.arange(height)[:, None] + tap // 3 - 1
        x_ = offset[:, :, 1] + torch.arange(width) + tap % 3 - 1
        grid = torch.stack((2 * x_ / (width - 1) - 1, 2 * y / (height - 1) - 1), -1)
        maps = x.reshape(batch * groups, -1, height, width)
        sampled = F.grid_sample(maps, grid.flatten(1, 2), align_corners=True)
        sampled = sampled.unflatten(2, (9, height))
        mask = mask.sigmoid().reshape(batch * groups, 1, 9, height, width)
        return (sampled * mask).reshape(batch, -1, 9, height, width)

    def aggregated(self, maps: Tensor) -> Tensor:
        """(B, T, C, H, W) -> the same"""
        part = "stdfa.qkv_maps"
        embedded = [self.conv("stdfa.conv_first", x).permute(0, 2, 3, 1) for x in maps.unbind(1)]
        q, k, v = (
            [self.linear(f"{part}.{name}", x).permute(0, 3, 1, 2) for x in embedded]
            for name in ("w_qs", "w_ks", "w_vs")
        )
        made = []
        for j in range(len(q)):
            found = [self.correlated(q[j], k[i], v[i]) for i in range(len(q)) if i != j]
            weights, values = (torch.stack(x) for x in zip(*found, strict=True))
            made.append(self.conv("stdfa.conv_last", (weights.softmax(0) * values).sum(0)))
        return maps + torch.stack(made, 1)

    def correlated(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        part = "stdfa.deformable_corr"
        offset = torch.cat((query, key), 1)
        for name in ("offset_conv1", "offset_conv2"):
            offset = F.leaky_relu(self.conv(f"{part}.{name}", offset), 0.1)
        # The authors compute the offsets once for the key and once for the value.
        points = f"{part}.dcn_attention.conv_offset_mask"
        keys = self.sampled(key, self.conv(points, offset))
        values = self.sampled(value, self.conv(points, offset))
        relevance = (query[:, :, None] * keys).sum(1, keepdim=True)
        best, index = relevance.topk(2, 2)
        index = index.expand(-1, query.shape[1], -1, -1, -1)
        share = best.softmax(2)
        key = (share * keys.gather(2, index)).sum(2)
        value = (share * values.gather(2, index)).sum(2)
        return (query * key).sum(1, keepdim=True), value


def compare(network: STDAN, dtype: torch.dtype, frames: Tensor) -> Comparison:
    """One group of `frames` (T, 3, H, W), at least four, beside what one more frame of a stream
    costs. The authors' groups share a frame, so that a group gives the user six frames of its
    seven. Both are given sizes of a multiple of 8, as they need it."""
    height, width = frames.shape[-2:]
    group = F.pad(frames[:GROUP], (0, -width % 8, 0, -height % 8), "replicate")
    cropped = (..., slice(SCALE * height), slice(SCALE * width))
    plain = PlainSTDAN(network)
    fast, exact = STDANInference(network, dtype), STDANInference(network)
    features = [fast.frame_features(frame[None]) for frame in group]
    pairs = [fast.pair_features(*two) for two in zip(features, features[1:], strict=False)]

    def next_frame() -> Tensor:
        fast.frame_features(group[-1:])
        fast.pair_features(features[-2], features[-1])
        return fast.from_features(features, pairs, (2, 3))[cropped]

    return Comparison(
        plain=lambda: plain(group[None])[0, 1:][cropped],
        ours=next_frame,
        plain_frames=6,
        our_frames=2,
        difference=lambda: float((exact(group[None]) - plain(group[None])).abs().max()),
    )
